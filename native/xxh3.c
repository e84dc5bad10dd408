/* XXH3 of 64 and of 128 bits with the seed 0 and the default secret, after "xxHash fast digest
 * algorithm" 0.1.1.
 *
 * The length decides the algorithm, and the last 64 bytes are treated apart: so up to 256 bytes are
 * held back, and what goes into the accumulators has always at least one byte behind it. Inputs of
 * up to 240 bytes are wholly there when the digest is asked for. */
#include "hash-kernels.h"
#include "xxh-arithmetic.h"

enum { STRIPE = 64, STRIPES_A_BLOCK = 16, SECRET = 192, MEDIUM = 240 };

#define HELD_MOST sizeof((struct xxh3 *)0)->last

static const uint8_t secret[SECRET] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

static void consume(struct xxh3 *h, const uint8_t *p, size_t stripes);
static void accumulate(uint64_t acc[8], const uint8_t *stripe, const uint8_t *key);
static void scramble(uint64_t acc[8]);
static void finish_long(const struct xxh3 *h, uint64_t acc[8]);
static uint64_t merge(const uint64_t acc[8], const uint8_t *key, uint64_t start);
static uint64_t short_64(const uint8_t *p, uint64_t n);
static uint64_t medium_64(const uint8_t *p, uint64_t n);
static struct xxh128 short_128(const uint8_t *p, uint64_t n);
static struct xxh128 medium_128(const uint8_t *p, uint64_t n);

static inline uint64_t secret64(size_t at) { return load_le64(secret + at); }
static inline uint64_t secret64_pair(size_t at) { return secret64(at) ^ secret64(at + 8); }
static inline uint32_t secret32_pair(size_t at) {
  return load_le32(secret + at) ^ load_le32(secret + at + 4);
}

static inline uint64_t avalanche(uint64_t x) {
  x = (x ^ x >> 37) * PRIME_MX1;
  return x ^ x >> 32;
}

static inline struct xxh128 multiply(uint64_t a, uint64_t b) {
  __extension__ typedef unsigned __int128 u128;
  u128 product = (u128)a * b;
  return (struct xxh128){(uint64_t)product, (uint64_t)(product >> 64)};
}

static inline uint64_t folded(uint64_t a, uint64_t b) {
  struct xxh128 product = multiply(a, b);
  return product.low ^ product.high;
}

/* --- the stream -------------------------------------------------------------------------- */

void xxh3_init(struct xxh3 *h) {
  static const uint64_t start[8] = {PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3,
                                    PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1};
  memcpy(h->acc, start, sizeof start);
  h->stripes = 0;
  h->held = 0;
}

void xxh3_update(struct xxh3 *h, const uint8_t *p, size_t n) {
  size_t room = HELD_MOST - h->held;
  if (n <= room) {
    if (n > 0) memcpy(h->last + h->held, p, n);
    h->held += (unsigned)n;
    return;
  }
  if (h->held > 0) {
    memcpy(h->last + h->held, p, room);
    consume(h, h->last, HELD_MOST / STRIPE);
    p += room;
    n -= room;
  }
  if (n > HELD_MOST) {
    size_t stripes = (n - 1) / STRIPE;
    consume(h, p, stripes);
    p += stripes * STRIPE;
    n -= stripes * STRIPE;
    memcpy(h->last + HELD_MOST - STRIPE, p - STRIPE, STRIPE);
  }
  memcpy(h->last, p, n);
  h->held = (unsigned)n;
}

uint64_t xxh3_digest(const struct xxh3 *h, uint64_t length) {
  if (length <= 16) return short_64(h->last, length);
  if (length <= MEDIUM) return medium_64(h->last, length);
  uint64_t acc[8];
  finish_long(h, acc);
  return merge(acc, secret + 11, length * PRIME64_1);
}

struct xxh128 xxh128_digest(const struct xxh3 *h, uint64_t length) {
  if (length <= 16) return short_128(h->last, length);
  if (length <= MEDIUM) return medium_128(h->last, length);
  uint64_t acc[8];
  finish_long(h, acc);
  return (struct xxh128){
      .low = merge(acc, secret + 11, length * PRIME64_1),
      .high = merge(acc, secret + SECRET - STRIPE - 11, ~(length * PRIME64_2)),
  };
}

/* --- more than 240 bytes ----------------------------------------------------------------- */

static void consume(struct xxh3 *h, const uint8_t *p, size_t stripes) {
  for (; stripes > 0; stripes--, p += STRIPE) {
    accumulate(h->acc, p, secret + 8 * h->stripes);
    if (++h->stripes < STRIPES_A_BLOCK) continue;
    scramble(h->acc);
    h->stripes = 0;
  }
}

static inline void accumulate(uint64_t acc[8], const uint8_t *stripe, const uint8_t *key) {
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    uint64_t lane = load_le64(stripe + 8 * i), value = lane ^ load_le64(key + 8 * i);
    acc[i ^ 1] += lane;
    acc[i] += (uint64_t)(uint32_t)value * (value >> 32);
  }
}

static void scramble(uint64_t acc[8]) {
  for (size_t i = 0; i < 8; i++)
    acc[i] = (acc[i] ^ acc[i] >> 47 ^ secret64(SECRET - STRIPE + 8 * i)) * PRIME32_1;
}

/* The stripes held back, and then the last 64 bytes, which may overlap them. */
static void finish_long(const struct xxh3 *h, uint64_t acc[8]) {
  uint8_t last[STRIPE];
  struct xxh3 rest = *h;
  size_t before = rest.held < STRIPE ? STRIPE - rest.held : 0;
  memcpy(last, rest.last + HELD_MOST - before, before);
  memcpy(last + before, rest.last + rest.held - (STRIPE - before), STRIPE - before);
  consume(&rest, rest.last, (rest.held - 1) / STRIPE);
  accumulate(rest.acc, last, secret + SECRET - STRIPE - 7);
  memcpy(acc, rest.acc, sizeof rest.acc);
}

static uint64_t merge(const uint64_t acc[8], const uint8_t *key, uint64_t start) {
  uint64_t sum = start;
  for (size_t i = 0; i < 8; i += 2)
    sum += folded(acc[i] ^ load_le64(key + 8 * i), acc[i + 1] ^ load_le64(key + 8 * i + 8));
  return avalanche(sum);
}

/* --- up to 16 bytes ---------------------------------------------------------------------- */

static inline uint32_t combine_few(const uint8_t *p, uint64_t n) {
  return (uint32_t)p[n - 1] | (uint32_t)n << 8 | (uint32_t)p[0] << 16 | (uint32_t)p[n / 2] << 24;
}

static uint64_t short_64(const uint8_t *p, uint64_t n) {
  if (n == 0) return avalanche_xxh64(secret64_pair(56));
  if (n <= 3) return avalanche_xxh64(secret32_pair(0) ^ combine_few(p, n));
  if (n <= 8) {
    uint64_t x = secret64_pair(8) ^ ((uint64_t)load_le32(p) << 32 | load_le32(p + n - 4));
    x = (x ^ rotate64(x, 49) ^ rotate64(x, 24)) * PRIME_MX2;
    x = (x ^ ((x >> 35) + n)) * PRIME_MX2;
    return x ^ x >> 28;
  }
  uint64_t low = secret64_pair(24) ^ load_le64(p);
  uint64_t high = secret64_pair(40) ^ load_le64(p + n - 8);
  return avalanche(n + __builtin_bswap64(low) + high + folded(low, high));
}

static struct xxh128 short_128(const uint8_t *p, uint64_t n) {
  if (n == 0)
    return (struct xxh128){avalanche_xxh64(secret64_pair(64)), avalanche_xxh64(secret64_pair(80))};
  if (n <= 3) {
    uint32_t few = combine_few(p, n), swapped = __builtin_bswap32(few);
    return (struct xxh128){
        avalanche_xxh64(secret32_pair(0) ^ few),
        avalanche_xxh64(secret32_pair(8) ^ (swapped << 13 | swapped >> 19)),
    };
  }
  if (n <= 8) {
    uint64_t x = secret64_pair(16) ^ (load_le32(p) | (uint64_t)load_le32(p + n - 4) << 32);
    struct xxh128 m = multiply(x, PRIME64_1 + (n << 2));
    m.high += m.low << 1;
    m.low ^= m.high >> 3;
    m.low = (m.low ^ m.low >> 35) * PRIME_MX2;
    return (struct xxh128){m.low ^ m.low >> 28, avalanche(m.high)};
  }
  uint64_t first = load_le64(p), last = load_le64(p + n - 8);
  uint64_t y = secret64_pair(48) ^ last;
  struct xxh128 m = multiply(secret64_pair(32) ^ first ^ last, PRIME64_1);
  m.low += (n - 1) << 54;
  m.high += (y >> 32 << 32) + (uint32_t)y * PRIME32_2;
  m.low ^= __builtin_bswap64(m.high);
  struct xxh128 r = multiply(m.low, PRIME64_2);
  return (struct xxh128){avalanche(r.low), avalanche(r.high + m.high * PRIME64_2)};
}

/* --- 17 to 240 bytes --------------------------------------------------------------------- */

static inline uint64_t mix(const uint8_t *p, size_t key) {
  return folded(load_le64(p) ^ secret64(key), load_le64(p + 8) ^ secret64(key + 8));
}

static inline void mix_two(uint64_t acc[2], const uint8_t *a, const uint8_t *b, size_t key) {
  acc[0] = (acc[0] + mix(a, key)) ^ (load_le64(b) + load_le64(b + 8));
  acc[1] = (acc[1] + mix(b, key + 16)) ^ (load_le64(a) + load_le64(a + 8));
}

static uint64_t medium_64(const uint8_t *p, uint64_t n) {
  uint64_t acc = n * PRIME64_1;
  if (n <= 128) {
    for (size_t i = (n - 1) / 32 + 1; i-- > 0;)
      acc += mix(p + 16 * i, 32 * i) + mix(p + n - 16 * i - 16, 32 * i + 16);
    return avalanche(acc);
  }
  for (size_t i = 0; i < 8; i++) acc += mix(p + 16 * i, 16 * i);
  acc = avalanche(acc);
  for (size_t i = 8; i < n / 16; i++) acc += mix(p + 16 * i, 16 * (i - 8) + 3);
  return avalanche(acc + mix(p + n - 16, 119));
}

static struct xxh128 medium_128(const uint8_t *p, uint64_t n) {
  uint64_t acc[2] = {n * PRIME64_1, 0};
  if (n <= 128) {
    for (size_t i = (n - 1) / 32 + 1; i-- > 0;)
      mix_two(acc, p + 16 * i, p + n - 16 * i - 16, 32 * i);
  } else {
    for (size_t i = 0; i < 4; i++) mix_two(acc, p + 32 * i, p + 32 * i + 16, 32 * i);
    acc[0] = avalanche(acc[0]);
    acc[1] = avalanche(acc[1]);
    for (size_t i = 4; i < n / 32; i++) mix_two(acc, p + 32 * i, p + 32 * i + 16, 32 * (i - 4) + 3);
    mix_two(acc, p + n - 16, p + n - 32, 103);
  }
  uint64_t high = acc[0] * PRIME64_1 + acc[1] * PRIME64_4 + n * PRIME64_2;
  return (struct xxh128){avalanche(acc[0] + acc[1]), -avalanche(high)};
}
