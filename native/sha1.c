/* SHA-1 (FIPS 180-4, section 6.1) for machines without instructions for it. */
#include "hash-kernels.h"

#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))

/* Section 4.1.1. */
#define CHOOSE(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define PARITY(x, y, z) ((x) ^ (y) ^ (z))
#define MAJORITY(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))

/* One step; the caller turns the names instead of moving five values. */
#define STEP(f, k, a, b, c, d, e, i)                                                               \
  (e += ROTATE(a, 5) + f(b, c, d) + k + word(w, i), b = ROTATE(b, 30))

/* Unrolled, so that every index is a constant and the branch in word() is gone. */
#define TWENTY_STEPS(f, k, first)                                                                  \
  _Pragma("GCC unroll 4") for (int i = first; i < first + 20; i += 5) {                            \
    STEP(f, k, a, b, c, d, e, i);                                                                  \
    STEP(f, k, e, a, b, c, d, i + 1);                                                              \
    STEP(f, k, d, e, a, b, c, i + 2);                                                              \
    STEP(f, k, c, d, e, a, b, i + 3);                                                              \
    STEP(f, k, b, c, d, e, a, i + 4);                                                              \
  }

static inline uint32_t word(uint32_t w[16], int i);

void sha1_blocks(uint32_t *s, const uint8_t *data, size_t blocks) {
  for (; blocks > 0; blocks--, data += HASH_BLOCK) {
    uint32_t w[16];
    for (int i = 0; i < 16; i++) w[i] = load_be32(data + 4 * i);

    uint32_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4];
    TWENTY_STEPS(CHOOSE, 0x5a827999, 0) /* constants: section 4.2.1 */
    TWENTY_STEPS(PARITY, 0x6ed9eba1, 20)
    TWENTY_STEPS(MAJORITY, 0x8f1bbcdc, 40)
    TWENTY_STEPS(PARITY, 0xca62c1d6, 60)
    s[0] += a, s[1] += b, s[2] += c, s[3] += d, s[4] += e;
  }
}

/* Word i of the message schedule, of which only the last sixteen are kept: section 6.1.3. */
static inline uint32_t word(uint32_t w[16], int i) {
  if (i >= 16)
    w[i % 16] = ROTATE(w[(i + 13) % 16] ^ w[(i + 8) % 16] ^ w[(i + 2) % 16] ^ w[i % 16], 1);
  return w[i % 16];
}
