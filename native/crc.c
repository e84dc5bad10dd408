/* CRCs by tables, and the arithmetic of their polynomials.
 *
 * A CRC state is a polynomial over GF(2) modulo the CRC's own; "reflected" means that the lowest
 * bit of a word, and the first byte of a message, hold the highest power. Tables and factors are
 * computed at load time, so that the three polynomials are the only magic numbers. */
#include "hash-kernels.h"
#include "hash.h"

struct crc hash_crc[3] = {
    {.poly = 0xedb88320, .bits = 32},         /* CRC-32/ISO-HDLC: IEEE 802.3, zlib */
    {.poly = 0x82f63b78, .bits = 32},         /* CRC-32C: RFC 3720, section 12.1 */
    {.poly = 0x9a6c9329ac4bc9b5, .bits = 64}, /* NVM Express NVM Command Set, 64b guard:
                                                 0xad93d23594c93659 read backwards */
};

static uint64_t one(const struct crc *c) { return 1ull << (c->bits - 1); } /* x^0 */
static uint64_t times_x(const struct crc *c, uint64_t a) { return a >> 1 ^ (a & 1 ? c->poly : 0); }
static struct crc_fold fold_over(const struct crc *c, unsigned bytes);

uint64_t crc_combine(enum hash_kind k, uint64_t crc_a, uint64_t crc_b, uint64_t len_b) {
  if (k != HASH_CRC32 && k != HASH_CRC32C && k != HASH_CRC64NVME) return 0;
  const struct crc *c = &hash_crc[k == HASH_CRC32 ? 0 : k == HASH_CRC32C ? 1 : 2];

  /* The bits after A multiply A's remainder by x^(8 len_b). The ones that all three states start
   * from and are inverted with cancel out. */
  uint64_t x8 = crc_power(c, one(c) >> 1, 8);
  return crc_multiply(c, crc_a, crc_power(c, x8, len_b)) ^ crc_b;
}

/* Slicing by 8: table[k][b] is what byte b becomes after k zero bytes more. */
uint64_t crc_table(const struct crc *c, uint64_t state, const uint8_t *p, size_t n) {
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t x = state ^ load_le64(p);
    state = c->table[7][x & 255] ^ c->table[6][x >> 8 & 255] ^ c->table[5][x >> 16 & 255] ^
            c->table[4][x >> 24 & 255] ^ c->table[3][x >> 32 & 255] ^ c->table[2][x >> 40 & 255] ^
            c->table[1][x >> 48 & 255] ^ c->table[0][x >> 56];
  }
  for (; n > 0; n--, p++) state = c->table[0][(state ^ *p) & 255] ^ state >> 8;
  return state;
}

uint64_t crc_multiply(const struct crc *c, uint64_t a, uint64_t b) {
  uint64_t product = 0;
  for (uint64_t bit = one(c); bit > 0; bit >>= 1, b = times_x(c, b))
    if (a & bit) product ^= b;
  return product;
}

uint64_t crc_power(const struct crc *c, uint64_t base, uint64_t n) {
  uint64_t power = one(c);
  for (; n > 0; n >>= 1, base = crc_multiply(c, base, base))
    if (n & 1) power = crc_multiply(c, power, base);
  return power;
}

void crc_build(void) {
  for (int i = 0; i < 3; i++) {
    struct crc *c = &hash_crc[i];
    for (unsigned b = 0; b < 256; b++) {
      uint64_t x = b;
      for (int bit = 0; bit < 8; bit++) x = times_x(c, x);
      c->table[0][b] = x;
    }
    for (int k = 1; k < 8; k++)
      for (unsigned b = 0; b < 256; b++) {
        uint64_t x = c->table[k - 1][b];
        c->table[k][b] = c->table[0][x & 255] ^ x >> 8;
      }
    c->fold16 = fold_over(c, 16);
    c->fold64 = fold_over(c, 64);
    c->fold256 = fold_over(c, 256);
  }
}

/* Of 16 bytes the first 8 (the low half of a register) stand 64 powers higher. The carry-less
 * product of two reflected 64-bit words comes out one bit too low, which x^-1 puts right. */
static struct crc_fold fold_over(const struct crc *c, unsigned bytes) {
  uint64_t x = one(c) >> 1;
  unsigned align = 64 - c->bits;
  return (struct crc_fold){
      .low = crc_power(c, x, 8 * bytes + 64 - 1) << align,
      .high = crc_power(c, x, 8 * bytes - 1) << align,
  };
}
