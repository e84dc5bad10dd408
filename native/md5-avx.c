/* MD5 of eight and sixteen streams in AVX2 and AVX-512 vectors.
 *
 * AVX-512 has instructions for a rotation and for any function of three bits, so its eight lanes
 * (AVX-512VL) are also faster than those of AVX2. Four lanes would take as long as eight: what
 * counts is the latency of the steps. */
#if defined(__x86_64__)
#include "hash-kernels.h"
#include "hash-md5-steps.h"
#include <immintrin.h>

/* Four rows of four words, in each 128-bit part, become four columns. */
#define TRANSPOSE(prefix, w, r0, r1, r2, r3)                                                       \
  do {                                                                                             \
    __typeof__(r0) t0 = prefix##_unpacklo_epi32(r0, r1), t1 = prefix##_unpackhi_epi32(r0, r1);     \
    __typeof__(r0) t2 = prefix##_unpacklo_epi32(r2, r3), t3 = prefix##_unpackhi_epi32(r2, r3);     \
    (w)[0] = prefix##_unpacklo_epi64(t0, t2), (w)[1] = prefix##_unpackhi_epi64(t0, t2);            \
    (w)[2] = prefix##_unpacklo_epi64(t1, t3), (w)[3] = prefix##_unpackhi_epi64(t1, t3);            \
  } while (0)

#define TARGET __attribute__((target("avx2")))

/* Four words of stream `i`, and of every fourth stream after it. */
TARGET static inline __m256i rows8(const uint8_t *const *data, int i, size_t at) {
  __m128i low = _mm_loadu_si128((const __m128i *)(data[i] + at));
  __m128i high = _mm_loadu_si128((const __m128i *)(data[i + 4] + at));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

TARGET static inline void load8(__m256i w[16], const uint8_t *const *data, size_t at) {
  for (int i = 0; i < 16; i += 4, at += 16) {
    __m256i r0 = rows8(data, 0, at), r1 = rows8(data, 1, at);
    __m256i r2 = rows8(data, 2, at), r3 = rows8(data, 3, at);
    TRANSPOSE(_mm256, w + i, r0, r1, r2, r3);
  }
}

#define MD5_LANES_NAME md5_lanes8_avx2
#define MD5_LANES 8
#define MD5_LOAD_WORDS(w, data, at) load8((__m256i *)w, data, at)
TARGET
#include "hash-md5-lanes.h"

#undef TARGET
#define TARGET __attribute__((target("avx512f,avx512vl")))

#define MD5_LANES_NAME md5_lanes8_avx512
#define MD5_LANES 8
#define MD5_LOAD_WORDS(w, data, at) load8((__m256i *)w, data, at)
TARGET
#include "hash-md5-lanes.h"

TARGET static inline __m512i rows16(const uint8_t *const *data, int i, size_t at) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(rows8(data, i, at)), rows8(data, i + 8, at), 1);
}

TARGET static inline void load16(__m512i w[16], const uint8_t *const *data, size_t at) {
  for (int i = 0; i < 16; i += 4, at += 16) {
    __m512i r0 = rows16(data, 0, at), r1 = rows16(data, 1, at);
    __m512i r2 = rows16(data, 2, at), r3 = rows16(data, 3, at);
    TRANSPOSE(_mm512, w + i, r0, r1, r2, r3);
  }
}

#define MD5_LANES_NAME md5_lanes16_avx512
#define MD5_LANES 16
#define MD5_LOAD_WORDS(w, data, at) load16((__m512i *)w, data, at)
TARGET
#include "hash-md5-lanes.h"

#endif
