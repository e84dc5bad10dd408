/* SHA-1 with the SHA extensions of x86 (Intel SDM, volume 2: SHA1RNDS4, SHA1NEXTE, SHA1MSG1/2). */
#if defined(__x86_64__)
#include "hash-kernels.h"
#include <immintrin.h>

/* Four steps. `w` becomes the next four message words, computed from the sixteen before them.
 * The instruction takes step t's E with the words: it is A of four steps ago, rotated. */
#define FOUR_STEPS(f, w)                                                                           \
  do {                                                                                             \
    __m128i e = _mm_sha1nexte_epu32(before, w);                                                    \
    before = abcd;                                                                                 \
    abcd = _mm_sha1rnds4_epu32(abcd, e, f);                                                        \
  } while (0)
#define NEXT_WORDS(w, x, y, z)                                                                     \
  (w = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w, x), y), z))
#define FOUR_MORE(f, w, x, y, z)                                                                   \
  do {                                                                                             \
    NEXT_WORDS(w, x, y, z);                                                                        \
    FOUR_STEPS(f, w);                                                                              \
  } while (0)

#define TARGET __attribute__((target("sha,sse4.1")))

/* The first word is the highest lane. */
TARGET static inline __m128i load_words(const uint8_t *p) {
  const __m128i reverse = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
  return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p), reverse);
}

TARGET void sha1_ni(uint32_t *state, const uint8_t *data, size_t blocks) {
  __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0x1b);
  __m128i e0 = _mm_set_epi32((int)state[4], 0, 0, 0);

  for (; blocks > 0; blocks--, data += HASH_BLOCK) {
    __m128i w0 = load_words(data), w1 = load_words(data + 16);
    __m128i w2 = load_words(data + 32), w3 = load_words(data + 48);
    const __m128i abcd0 = abcd;
    __m128i before = abcd;

    abcd = _mm_sha1rnds4_epu32(abcd, _mm_add_epi32(e0, w0), 0); /* E as it is, not rotated */
    FOUR_STEPS(0, w1);
    FOUR_STEPS(0, w2);
    FOUR_STEPS(0, w3);
    FOUR_MORE(0, w0, w1, w2, w3);
    FOUR_MORE(1, w1, w2, w3, w0);
    FOUR_MORE(1, w2, w3, w0, w1);
    FOUR_MORE(1, w3, w0, w1, w2);
    FOUR_MORE(1, w0, w1, w2, w3);
    FOUR_MORE(1, w1, w2, w3, w0);
    FOUR_MORE(2, w2, w3, w0, w1);
    FOUR_MORE(2, w3, w0, w1, w2);
    FOUR_MORE(2, w0, w1, w2, w3);
    FOUR_MORE(2, w1, w2, w3, w0);
    FOUR_MORE(2, w2, w3, w0, w1);
    FOUR_MORE(3, w3, w0, w1, w2);
    FOUR_MORE(3, w0, w1, w2, w3);
    FOUR_MORE(3, w1, w2, w3, w0);
    FOUR_MORE(3, w2, w3, w0, w1);
    FOUR_MORE(3, w3, w0, w1, w2);

    e0 = _mm_sha1nexte_epu32(before, e0);
    abcd = _mm_add_epi32(abcd, abcd0);
  }

  _mm_storeu_si128((__m128i *)state, _mm_shuffle_epi32(abcd, 0x1b));
  state[4] = (uint32_t)_mm_extract_epi32(e0, 3);
}

#endif
