/* SHA-256 with the SHA extensions of x86 (Intel SDM, volume 2: SHA256RNDS2, SHA256MSG1/2). */
#if defined(__x86_64__)
#include "hash-kernels.h"
#include <immintrin.h>

/* Four steps, two an instruction, which leaves its result where C, D, G and H were. */
#define FOUR_STEPS(i, w)                                                                           \
  do {                                                                                             \
    __m128i sum = _mm_add_epi32(w, _mm_loadu_si128((const __m128i *)(sha256_k + (i))));            \
    cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);                                                 \
    abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));                        \
  } while (0)

/* `w` becomes the next four message words, computed from the sixteen before them. */
#define FOUR_MORE(i, w, x, y, z)                                                                   \
  do {                                                                                             \
    w = _mm_add_epi32(_mm_sha256msg1_epu32(w, x), _mm_alignr_epi8(z, y, 4));                       \
    w = _mm_sha256msg2_epu32(w, z);                                                                \
    FOUR_STEPS(i, w);                                                                              \
  } while (0)

#define TARGET __attribute__((target("sha,sse4.1")))

TARGET static inline __m128i load_words(const uint8_t *p) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p), swap);
}

TARGET void sha256_ni(uint32_t *state, const uint8_t *data, size_t blocks) {
  /* The instructions want A, B, E, F in one register and C, D, G, H in the other, A and C highest.
   */
  __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
  __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
  __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

  for (; blocks > 0; blocks--, data += HASH_BLOCK) {
    __m128i w0 = load_words(data), w1 = load_words(data + 16);
    __m128i w2 = load_words(data + 32), w3 = load_words(data + 48);
    const __m128i abef0 = abef, cdgh0 = cdgh;

    FOUR_STEPS(0, w0);
    FOUR_STEPS(4, w1);
    FOUR_STEPS(8, w2);
    FOUR_STEPS(12, w3);
    for (int i = 16; i < 64; i += 16) {
      FOUR_MORE(i, w0, w1, w2, w3);
      FOUR_MORE(i + 4, w1, w2, w3, w0);
      FOUR_MORE(i + 8, w2, w3, w0, w1);
      FOUR_MORE(i + 12, w3, w0, w1, w2);
    }

    abef = _mm_add_epi32(abef, abef0);
    cdgh = _mm_add_epi32(cdgh, cdgh0);
  }

  __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
  __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#endif
