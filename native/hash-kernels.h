/* What the hash sources share: the inner loops and which of them this machine runs. */
#ifndef HASH_KERNELS_H
#define HASH_KERNELS_H

#include "hash.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_BLOCK 64 /* bytes that are handed on at a time to what takes whole blocks */

/* Goes over whole blocks. */
typedef void block_fn(uint32_t *state, const uint8_t *data, size_t blocks);

/* The same for several MD5 streams, each with its own state and data. */
typedef void lanes_fn(uint32_t *const *state, const uint8_t *const *data, size_t blocks);

/* One reflected CRC whose initial value and final xor are all ones. */
struct crc {
  uint64_t poly; /* reflected: the lowest bit is the highest power */
  unsigned bits;
  uint64_t table[8][256];
  struct crc_fold {
    uint64_t low, high;
  } fold16, fold64, fold256; /* factors that carry 16 bytes over that many bytes */
};
typedef uint64_t crc_fn(const struct crc *c, uint64_t state, const uint8_t *data, size_t n);

struct hash_kernels {
  block_fn *sha1, *sha256;
  crc_fn *crc;
  struct md5_lanes {
    int lanes;
    int from; /* the number of streams from which on this kernel is the fastest */
    lanes_fn *run;
  } md5[3]; /* widest first; the last one is `from` 1 */
};
extern struct hash_kernels hash_kernels;

/* Rebuilds the table for tests and benchmarks; no hasher may be in use meanwhile. */
enum hash_level { HASH_PORTABLE, HASH_SHA_AVX2, HASH_AVX512 };
void hash_force_level(enum hash_level most);

block_fn md5_blocks, sha1_blocks, sha256_blocks;
void sha512_init(struct sha512 *h);
void sha512_update(struct sha512 *h, const uint8_t *data, size_t blocks);
/* `tail`: the last length % 64 bytes. */
void sha512_digest(const struct sha512 *h, const uint8_t *tail, uint64_t length, uint64_t out[8]);
void xxh64_init(uint64_t acc[4]);
void xxh64_blocks(uint64_t acc[4], const uint8_t *data, size_t blocks);
uint64_t xxh64_digest(const uint64_t acc[4], const uint8_t *tail, uint64_t length);
void xxh3_init(struct xxh3 *h);
void xxh3_update(struct xxh3 *h, const uint8_t *data, size_t n); /* any number of bytes */
uint64_t xxh3_digest(const struct xxh3 *h, uint64_t length);
struct xxh128 {
  uint64_t low, high;
} xxh128_digest(const struct xxh3 *h, uint64_t length);
lanes_fn md5_lane1, md5_lanes4;
crc_fn crc_table;
extern const uint32_t sha256_k[64];

extern struct crc hash_crc[3]; /* in the order of hash_kind */
void crc_build(void);
uint64_t crc_multiply(const struct crc *c, uint64_t a, uint64_t b);
uint64_t crc_power(const struct crc *c, uint64_t base, uint64_t n);

#if defined(__x86_64__)
block_fn sha1_ni, sha256_ni;
lanes_fn md5_lanes8_avx2, md5_lanes8_avx512, md5_lanes16_avx512;
crc_fn crc_pclmul, crc_vpclmul;
#endif

/* Written byte by byte so that neither alignment nor the machine's byte order matters;
 * compilers make one instruction of each. */
static inline uint32_t load_le32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t load_le64(const uint8_t *p) {
  return (uint64_t)load_le32(p) | (uint64_t)load_le32(p + 4) << 32;
}
static inline uint32_t load_be32(const uint8_t *p) { return __builtin_bswap32(load_le32(p)); }
static inline uint64_t load_be64(const uint8_t *p) { return __builtin_bswap64(load_le64(p)); }

#endif
