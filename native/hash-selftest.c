#include "hash-kernels.h"
#include "hash.h"
#include <stdio.h>

struct vector {
  enum hash_kind kind;
  const char *text; /* NULL: the bytes 0, 1, … 250, 0, 1, … */
  size_t length;
  const char *digest;
};

/* The short ones stand in RFC 1321 (A.5), in NIST's examples for FIPS 180-4 and in the catalogue of
 * parametrised CRC algorithms. The long ones, for the vector code, come from Python's hashlib and
 * zlib, from Amazon's awscrt and, of XXH, from the xxhash package: each of its algorithms decides
 * by the length. */
static const struct vector vectors[] = {
    {HASH_MD5, "abc", 3, "900150983cd24fb0d6963f7d28e17f72"},
    {HASH_SHA1, "abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {HASH_SHA256, "abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {HASH_CRC32, "123456789", 9, "cbf43926"},
    {HASH_CRC32C, "123456789", 9, "e3069283"},
    {HASH_CRC64NVME, "123456789", 9, "ae8b14860a799888"},
    {HASH_MD5, NULL, 1027, "358147ead04e6854b7e5cef22dbea41f"},
    {HASH_SHA1, NULL, 1027, "789989427e854b71c910ec9951de27b184b22475"},
    {HASH_SHA256, NULL, 1027, "8d8d2280da90510766e8f3c576a1b12e11c69b7955e9494657e7ebf708fbdee0"},
    {HASH_CRC32, NULL, 1027, "0b414b01"},
    {HASH_CRC32C, NULL, 1027, "055f0149"},
    {HASH_CRC64NVME, NULL, 1027, "f41f45d97e054484"},
    {HASH_SHA512, "abc", 3,
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    {HASH_SHA512, NULL, 1027,
     "c9b7dc7f14d9cc1f3015d85772e8459beb8f824b86d5bc17c2fb841f92e03767"
     "d8939b08d9414df44d73821547826801586576f565f5d9fdc93451d41534fd62"},
    {HASH_XXH64, "abc", 3, "44bc2cf5ad770999"},
    {HASH_XXH64, NULL, 1027, "1e5531b40e3f60cf"},
    {HASH_XXH3, NULL, 0, "2d06800538d394c2"},
    {HASH_XXH3, "abc", 3, "78af5f94892f3950"},
    {HASH_XXH3, NULL, 8, "3a1c2d7c85af88f8"},
    {HASH_XXH3, NULL, 16, "8355e3a6f61770db"},
    {HASH_XXH3, NULL, 100, "004e4f921a64bd1c"},
    {HASH_XXH3, NULL, 200, "f42a8864feaf0703"},
    {HASH_XXH3, NULL, 1027, "3f87b94c9011af8a"},
    {HASH_XXH128, NULL, 0, "99aa06d3014798d86001c324468d497f"},
    {HASH_XXH128, "abc", 3, "06b05ab6733a618578af5f94892f3950"},
    {HASH_XXH128, NULL, 8, "e1e4432a62217fe4cfd50c61c8bb98c1"},
    {HASH_XXH128, NULL, 16, "72950631827607e2842812cc870dcae2"},
    {HASH_XXH128, NULL, 100, "da95ef16fd9566f329b20ba5f03ec01e"},
    {HASH_XXH128, NULL, 200, "cb0395310643ba0edd97e9af3609d9f5"},
    {HASH_XXH128, NULL, 1027, "865e92d5793dedcf3f87b94c9011af8a"},
};
enum { VECTORS = sizeof vectors / sizeof vectors[0], LONGEST = 1027, MOST = 17 };

static int is_right(const struct vector *v, int streams);

int hash_selftest(void) {
  /* Enough streams at once for every kernel of MD5, and one more than its lanes. */
  static const int streams[] = {1, 2, 9, MOST};
  for (int i = 0; i < VECTORS; i++)
    for (int j = 0; j < 4; j++)
      if (!is_right(&vectors[i], streams[j])) return i + 1;
  return 0;
}

static int is_right(const struct vector *v, int streams) {
  uint8_t message[LONGEST];
  for (int i = 0; i < LONGEST; i++) message[i] = (uint8_t)(i % 251);
  if (v->text) memcpy(message, v->text, v->length);

  hasher hashers[MOST], *h[MOST];
  const void *data[MOST];
  size_t n[MOST];
  for (int i = 0; i < MOST; i++) {
    hasher_init(&hashers[i], v->kind);
    h[i] = &hashers[i], data[i] = message, n[i] = v->length;
  }
  hasher_update_many(h, data, n, streams);

  for (int i = 0; i < streams; i++) {
    uint8_t digest[HASH_LONGEST];
    char hex[2 * HASH_LONGEST + 1] = "";
    size_t length = hasher_digest(h[i], v->kind, digest);
    for (size_t j = 0; j < length; j++) snprintf(hex + 2 * j, 3, "%02x", digest[j]);
    if (strcmp(hex, v->digest) != 0) return 0;
  }
  return 1;
}
