/* SHA-512 (FIPS 180-4, section 6.4). */
#include "hash-kernels.h"

/* Section 4.2.3: the first 64 bits of the fractional parts of the cube roots of the primes. */
static const uint64_t k[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

#define ROTATE(x, n) ((x) >> (n) | (x) << (64 - (n)))

/* One step; the caller turns the names instead of moving eight values. */
#define STEP(a, b, c, d, e, f, g, h, i)                                                            \
  (h += (ROTATE(e, 14) ^ ROTATE(e, 18) ^ ROTATE(e, 41)) + (g ^ (e & (f ^ g))) + k[i] + word(w, i), \
   d += h, h += (ROTATE(a, 28) ^ ROTATE(a, 34) ^ ROTATE(a, 39)) + ((a & b) | (c & (a | b))))

enum { BLOCK = 2 * HASH_BLOCK };

static void run(uint64_t *s, const uint8_t *data, size_t blocks);
static inline uint64_t word(uint64_t w[16], int i);

/* Section 5.3.5. */
void sha512_init(struct sha512 *h) {
  static const uint64_t start[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                    0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                    0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
  memcpy(h->state, start, sizeof start);
  h->has_half = 0;
}

/* Takes half blocks, as the others take whole ones. */
void sha512_update(struct sha512 *h, const uint8_t *data, size_t halves) {
  if (halves == 0) return;
  if (h->has_half) {
    uint8_t block[BLOCK];
    memcpy(block, h->half, HASH_BLOCK);
    memcpy(block + HASH_BLOCK, data, HASH_BLOCK);
    run(h->state, block, 1);
    data += HASH_BLOCK;
    halves--;
  }
  run(h->state, data, halves / 2);
  h->has_half = halves % 2;
  if (h->has_half) memcpy(h->half, data + (halves - 1) * HASH_BLOCK, HASH_BLOCK);
}

/* Section 5.1.2: a one bit, zeros, and the length in bits, of 128 bits. */
void sha512_digest(const struct sha512 *h, const uint8_t *tail, uint64_t length, uint64_t out[8]) {
  uint8_t last[2 * BLOCK] = {0};
  size_t filled = length % BLOCK;
  size_t at = h->has_half ? HASH_BLOCK : 0;
  memcpy(last, h->half, at);
  memcpy(last + at, tail, filled - at);
  last[filled] = 0x80;
  size_t end = filled + 1 + 16 <= BLOCK ? BLOCK : 2 * BLOCK;
  last[end - 9] = (uint8_t)(length >> 61);
  for (int i = 0; i < 8; i++) last[end - 1 - i] = (uint8_t)(length << 3 >> 8 * i);
  memcpy(out, h->state, sizeof h->state);
  run(out, last, end / BLOCK);
}

static void run(uint64_t *s, const uint8_t *data, size_t blocks) {
  for (; blocks > 0; blocks--, data += BLOCK) {
    uint64_t w[16];
    for (int i = 0; i < 16; i++) w[i] = load_be64(data + 8 * i);

    uint64_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    /* Unrolled, so that every index is a constant and the branch in word() is gone. */
#pragma GCC unroll 10
    for (int i = 0; i < 80; i += 8) {
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

/* Word i of the message schedule, of which only the last sixteen are kept: section 6.4.2. */
static inline uint64_t word(uint64_t w[16], int i) {
  if (i < 16) return w[i];
  uint64_t x = w[(i + 1) % 16], y = w[(i + 14) % 16];
  return w[i % 16] += (ROTATE(x, 1) ^ ROTATE(x, 8) ^ x >> 7) + w[(i + 9) % 16] +
                      (ROTATE(y, 19) ^ ROTATE(y, 61) ^ y >> 6);
}
