/* Digests and checksums of a byte stream, several at once, with the memory read once.
 *
 * A hasher owns nothing: it may be copied with memcpy and dropped at any time. Calls on
 * different hashers may run in different threads. */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

enum hash_kind {
  HASH_MD5 = 1,
  HASH_SHA1 = 2,
  HASH_SHA256 = 4,
  HASH_CRC32 = 8,
  HASH_CRC32C = 16,
  HASH_CRC64NVME = 32,
  HASH_SHA512 = 64,
  HASH_XXH64 = 128,
  HASH_XXH3 = 256,   /* of 64 bits */
  HASH_XXH128 = 512, /* XXH3 of 128 bits */
};

/* SHA has no lanes: beside streams that share theirs it would only make them wait. */
enum { HASH_SLOW = HASH_SHA1 | HASH_SHA256 | HASH_SHA512 };

enum { HASH_LONGEST = 64 /* bytes of a digest */ };

typedef struct hasher {
  unsigned kinds;
  uint64_t length;
  uint32_t md5[4], sha1[5], sha256[8];
  uint64_t crc[3]; /* CRC32, CRC32C, CRC64NVME, before the final inversion */
  uint8_t
      tail[64]; /* the last length % 64 bytes: MD5, SHA-1, SHA-256 and XXH64 take 64 at a time */

  /* What follows is rarely asked for, and set up only then. */
  struct sha512 {
    uint64_t state[8];
    uint8_t half[64]; /* where has_half: the first half of its block, which is 128 bytes */
    int has_half;
  } sha512;
  uint64_t xxh64[4];
  struct xxh3 {
    uint64_t acc[8];
    int stripes; /* of the block begun */
    unsigned held;
    /* The bytes that are not in `acc` yet, one at least, since the last ones are treated apart.
     * Where they are fewer than 64, the ones before them are still at the end. */
    uint8_t last[256];
  } xxh3; /* both widths: they differ in the end only */
} hasher;

/* `kinds` is an OR of hash_kind. */
void hasher_init(hasher *h, unsigned kinds);

void hasher_update(hasher *h, const void *data, size_t n);

/* Writes the digest of everything so far, in the byte order in which S3 shows it, and returns its
 * length; 0 if `k` was not asked for in hasher_init. The hasher can go on afterwards. */
size_t hasher_digest(const hasher *h, enum hash_kind k, uint8_t out[HASH_LONGEST]);

/* hasher_update on `count` different hashers, but with the MD5 of up to sixteen of them computed
 * side by side in SIMD lanes: MD5 is one long chain of dependent operations, so a core that has a
 * single stream to work on is mostly waiting. */
void hasher_update_many(hasher *const *h, const void *const *data, const size_t *n, int count);

/* The CRC of A followed by B, from their CRCs as numbers and the length of B in bytes, without the
 * data; 0 if `k` is no CRC. */
uint64_t crc_combine(enum hash_kind k, uint64_t crc_a, uint64_t crc_b, uint64_t len_b);

/* Known answers, for this machine's own code paths: 0, or the number of the one that is wrong. */
int hash_selftest(void);

#endif
