/* CRCs by carry-less multiplication, the same code for every polynomial.
 *
 * Sixteen bytes of message may be replaced by their product with x^(8 d), modulo the CRC's
 * polynomial, added to the sixteen bytes that stand d later. Folding so, a message of any length
 * shrinks to 64 or 16 bytes with the same CRC, which the tables finish. The idea is Intel's: "Fast
 * CRC Computation for Generic Polynomials Using PCLMULQDQ" (2009). */
#if defined(__x86_64__)
#include "hash-kernels.h"
#include <immintrin.h>

#define TARGET __attribute__((target("pclmul,sse2")))

TARGET static inline __m128i factors(const struct crc_fold *f) {
  return _mm_set_epi64x((long long)f->high, (long long)f->low);
}

TARGET static inline __m128i fold(__m128i x, __m128i factor, __m128i onto) {
  __m128i low = _mm_clmulepi64_si128(x, factor, 0x00);
  __m128i high = _mm_clmulepi64_si128(x, factor, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), onto);
}

TARGET static inline __m128i load(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)p); }

/* Four accumulators, because a multiplication takes longer than the time to the next one. */
TARGET uint64_t crc_pclmul(const struct crc *c, uint64_t state, const uint8_t *p, size_t n) {
  if (n < 64) return crc_table(c, state, p, n);

  __m128i x0 = _mm_xor_si128(load(p), _mm_set_epi64x(0, (long long)state));
  __m128i x1 = load(p + 16), x2 = load(p + 32), x3 = load(p + 48);
  __m128i factor = factors(&c->fold64);
  for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
    x0 = fold(x0, factor, load(p));
    x1 = fold(x1, factor, load(p + 16));
    x2 = fold(x2, factor, load(p + 32));
    x3 = fold(x3, factor, load(p + 48));
  }

  factor = factors(&c->fold16);
  x3 = fold(fold(fold(x0, factor, x1), factor, x2), factor, x3);
  for (; n >= 16; p += 16, n -= 16) x3 = fold(x3, factor, load(p));

  uint8_t rest[16];
  _mm_storeu_si128((__m128i *)rest, x3);
  return crc_table(c, crc_table(c, 0, rest, sizeof rest), p, n);
}

#undef TARGET
#define TARGET __attribute__((target("avx512f,vpclmulqdq,pclmul")))

TARGET static inline __m512i factors4(const struct crc_fold *f) {
  return _mm512_broadcast_i32x4(factors(f));
}

TARGET static inline __m512i fold4(__m512i x, __m512i factor, __m512i onto) {
  __m512i low = _mm512_clmulepi64_epi128(x, factor, 0x00);
  __m512i high = _mm512_clmulepi64_epi128(x, factor, 0x11);
  return _mm512_ternarylogic_epi64(low, high, onto, 0x96); /* xor of the three */
}

TARGET static inline __m512i load4(const uint8_t *p) { return _mm512_loadu_si512(p); }

TARGET uint64_t crc_vpclmul(const struct crc *c, uint64_t state, const uint8_t *p, size_t n) {
  if (n < 512) return crc_pclmul(c, state, p, n);

  __m128i state128 = _mm_set_epi64x(0, (long long)state);
  __m512i first = _mm512_inserti32x4(_mm512_setzero_si512(), state128, 0);
  __m512i x0 = _mm512_xor_si512(load4(p), first);
  __m512i x1 = load4(p + 64), x2 = load4(p + 128), x3 = load4(p + 192);
  __m512i factor = factors4(&c->fold256);
  for (p += 256, n -= 256; n >= 256; p += 256, n -= 256) {
    x0 = fold4(x0, factor, load4(p));
    x1 = fold4(x1, factor, load4(p + 64));
    x2 = fold4(x2, factor, load4(p + 128));
    x3 = fold4(x3, factor, load4(p + 192));
  }

  factor = factors4(&c->fold64);
  x3 = fold4(fold4(fold4(x0, factor, x1), factor, x2), factor, x3);
  for (; n >= 64; p += 64, n -= 64) x3 = fold4(x3, factor, load4(p));

  uint8_t rest[64];
  _mm512_storeu_si512(rest, x3);
  return crc_table(c, crc_pclmul(c, 0, rest, sizeof rest), p, n);
}

#endif
