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
 * zlib and from Amazon's awscrt. */
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
    uint8_t digest[32];
    char hex[65] = "";
    size_t length = hasher_digest(h[i], v->kind, digest);
    for (size_t j = 0; j < length; j++) snprintf(hex + 2 * j, 3, "%02x", digest[j]);
    if (strcmp(hex, v->digest) != 0) return 0;
  }
  return 1;
}
