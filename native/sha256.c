/* SHA-256 (FIPS 180-4, section 6.2) for machines without instructions for it. */
#include "hash-kernels.h"

/* Section 4.2.2: the first 32 bits of the fractional parts of the cube roots of the primes. */
const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))

/* One step; the caller turns the names instead of moving eight values. */
#define STEP(a, b, c, d, e, f, g, h, i)                                                            \
  (h += (ROTATE(e, 6) ^ ROTATE(e, 11) ^ ROTATE(e, 25)) + (g ^ (e & (f ^ g))) + sha256_k[i] +       \
        word(w, i),                                                                                \
   d += h, h += (ROTATE(a, 2) ^ ROTATE(a, 13) ^ ROTATE(a, 22)) + ((a & b) | (c & (a | b))))

static inline uint32_t word(uint32_t w[16], int i);

void sha256_blocks(uint32_t *s, const uint8_t *data, size_t blocks) {
  for (; blocks > 0; blocks--, data += HASH_BLOCK) {
    uint32_t w[16];
    for (int i = 0; i < 16; i++) w[i] = load_be32(data + 4 * i);

    uint32_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    /* Unrolled, so that every index is a constant and the branch in word() is gone. */
#pragma GCC unroll 8
    for (int i = 0; i < 64; i += 8) {
      STEP(a, b, c, d, e, f, g, h, i);
      STEP(h, a, b, c, d, e, f, g, i + 1);
      STEP(g, h, a, b, c, d, e, f, i + 2);
      STEP(f, g, h, a, b, c, d, e, i + 3);
      STEP(e, f, g, h, a, b, c, d, i + 4);
      STEP(d, e, f, g, h, a, b, c, i + 5);
      STEP(c, d, e, f, g, h, a, b, i + 6);
      STEP(b, c, d, e, f, g, h, a, i + 7);
    }
    s[0] += a, s[1] += b, s[2] += c, s[3] += d, s[4] += e, s[5] += f, s[6] += g, s[7] += h;
  }
}

/* Word i of the message schedule, of which only the last sixteen are kept: section 6.2.2. */
static inline uint32_t word(uint32_t w[16], int i) {
  if (i < 16) return w[i];
  uint32_t x = w[(i + 1) % 16], y = w[(i + 14) % 16];
  return w[i % 16] += (ROTATE(x, 7) ^ ROTATE(x, 18) ^ x >> 3) + w[(i + 9) % 16] +
                      (ROTATE(y, 17) ^ ROTATE(y, 19) ^ y >> 10);
}
