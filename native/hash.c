#include "hash.h"
#include "hash-kernels.h"

/* Each kind goes over a piece before the next piece is touched: small enough that the second kind
 * finds it in the first-level cache, large enough that the calls do not count. */
enum { PIECE = 16 * 1024 };

enum {
  RARE_BLOCK_KINDS = HASH_SHA512 | HASH_XXH64,
  BLOCK_KINDS = HASH_MD5 | HASH_SHA1 | HASH_SHA256 | RARE_BLOCK_KINDS,
  XXH3_KINDS = HASH_XXH3 | HASH_XXH128,
};

static void update_piece(hasher *h, const uint8_t *p, size_t n);
static void update_blocks(hasher *h, const uint8_t *p, size_t blocks);
static size_t pad(const hasher *h, enum hash_kind k, uint8_t out[2 * HASH_BLOCK]);
static void store_be(uint8_t *out, uint64_t value, unsigned bytes);

/* RFC 1321, section 3.3; FIPS 180-4, sections 5.3.1 and 5.3.3. */
static const uint32_t start[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
static const uint32_t sha256_start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

void hasher_init(hasher *h, unsigned kinds) {
  h->kinds = kinds;
  h->length = 0;
  memcpy(h->md5, start, sizeof h->md5);
  memcpy(h->sha1, start, sizeof h->sha1);
  memcpy(h->sha256, sha256_start, sizeof h->sha256);
  h->crc[0] = h->crc[1] = UINT32_MAX;
  h->crc[2] = UINT64_MAX;
  if (!(kinds & (RARE_BLOCK_KINDS | XXH3_KINDS))) return;
  sha512_init(&h->sha512);
  xxh64_init(h->xxh64);
  xxh3_init(&h->xxh3);
}

void hasher_update(hasher *h, const void *data, size_t n) {
  for (const uint8_t *p = data; n > 0;) {
    size_t piece = n < PIECE ? n : PIECE;
    update_piece(h, p, piece);
    p += piece;
    n -= piece;
  }
}

static void update_piece(hasher *h, const uint8_t *p, size_t n) {
  for (int i = 0; i < 3; i++)
    if (h->kinds & (HASH_CRC32 << i)) h->crc[i] = hash_kernels.crc(&hash_crc[i], h->crc[i], p, n);
  if (h->kinds & XXH3_KINDS) xxh3_update(&h->xxh3, p, n);

  size_t filled = h->length % HASH_BLOCK;
  h->length += n;
  if (!(h->kinds & BLOCK_KINDS)) return;

  if (filled > 0) {
    size_t missing = HASH_BLOCK - filled;
    size_t part = n < missing ? n : missing;
    memcpy(h->tail + filled, p, part);
    if (part < missing) return;
    update_blocks(h, h->tail, 1);
    p += part;
    n -= part;
  }
  update_blocks(h, p, n / HASH_BLOCK);
  memcpy(h->tail, p + n / HASH_BLOCK * HASH_BLOCK, n % HASH_BLOCK);
}

static void update_blocks(hasher *h, const uint8_t *p, size_t blocks) {
  if (h->kinds & HASH_MD5) md5_blocks(h->md5, p, blocks);
  if (h->kinds & HASH_SHA1) hash_kernels.sha1(h->sha1, p, blocks);
  if (h->kinds & HASH_SHA256) hash_kernels.sha256(h->sha256, p, blocks);
  if (h->kinds & HASH_SHA512) sha512_update(&h->sha512, p, blocks);
  if (h->kinds & HASH_XXH64) xxh64_blocks(h->xxh64, p, blocks);
}

size_t hasher_digest(const hasher *h, enum hash_kind k, uint8_t out[HASH_LONGEST]) {
  if (!(h->kinds & k)) return 0;

  uint8_t last[2 * HASH_BLOCK];
  uint32_t s[8];
  uint64_t wide[8];
  struct xxh128 sum;
  switch (k) {
  case HASH_MD5:
    memcpy(s, h->md5, sizeof h->md5);
    md5_blocks(s, last, pad(h, k, last));
    for (int i = 0; i < 4; i++) store_be(out + 4 * i, __builtin_bswap32(s[i]), 4);
    return 16;
  case HASH_SHA1:
    memcpy(s, h->sha1, sizeof h->sha1);
    hash_kernels.sha1(s, last, pad(h, k, last));
    for (int i = 0; i < 5; i++) store_be(out + 4 * i, s[i], 4);
    return 20;
  case HASH_SHA256:
    memcpy(s, h->sha256, sizeof h->sha256);
    hash_kernels.sha256(s, last, pad(h, k, last));
    for (int i = 0; i < 8; i++) store_be(out + 4 * i, s[i], 4);
    return 32;
  case HASH_CRC32:
    store_be(out, ~h->crc[0], 4);
    return 4;
  case HASH_CRC32C:
    store_be(out, ~h->crc[1], 4);
    return 4;
  case HASH_CRC64NVME:
    store_be(out, ~h->crc[2], 8);
    return 8;
  case HASH_SHA512:
    sha512_digest(&h->sha512, h->tail, h->length, wide);
    for (int i = 0; i < 8; i++) store_be(out + 8 * i, wide[i], 8);
    return 64;
  case HASH_XXH64:
    store_be(out, xxh64_digest(h->xxh64, h->tail, h->length), 8);
    return 8;
  case HASH_XXH3:
    store_be(out, xxh3_digest(&h->xxh3, h->length), 8);
    return 8;
  case HASH_XXH128:
    sum = xxh128_digest(&h->xxh3, h->length);
    store_be(out, sum.high, 8);
    store_be(out + 8, sum.low, 8);
    return 16;
  }
  return 0;
}

/* RFC 1321, sections 3.1 and 3.2, and FIPS 180-4, section 5.1.1: a one bit, zeros, and the length
 * in bits, little-endian for MD5 and big-endian for SHA. Returns how many blocks that makes. */
static size_t pad(const hasher *h, enum hash_kind k, uint8_t out[2 * HASH_BLOCK]) {
  size_t filled = h->length % HASH_BLOCK;
  size_t end = filled + 1 + 8 <= HASH_BLOCK ? HASH_BLOCK : 2 * HASH_BLOCK;
  memcpy(out, h->tail, filled);
  memset(out + filled, 0, end - filled);
  out[filled] = 0x80;
  uint64_t bits = h->length * 8;
  store_be(out + end - 8, k == HASH_MD5 ? __builtin_bswap64(bits) : bits, 8);
  return end / HASH_BLOCK;
}

static void store_be(uint8_t *out, uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}
