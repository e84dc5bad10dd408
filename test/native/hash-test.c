/* Every digest against every way of computing it: each level of kernels, any
 * cut of the input, alone or among other streams. `hash-test` says nothing and
 * returns 0 if all is well; `hash-test bench` prints speeds. Build it with
 * -fsanitize=address,undefined too: inputs lie in blocks of their exact size,
 * so that a kernel that reads too far is caught. */
#include "../../native/hash-kernels.h"
#include "../../native/hash.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

void hash_bench(void);

enum { KINDS = 10, ALL = (1 << KINDS) - 1, LONGEST = 5000, STREAMS = 130 };

static const char *const names[KINDS] = {"MD5",       "SHA1",   "SHA256", "CRC32", "CRC32C",
                                         "CRC64NVME", "SHA512", "XXH64",  "XXH3",  "XXH128"};
static int level;

static void test_all_lengths(void);
static void test_cuts(void);
static void test_many(void);
static void test_digest_is_repeatable(void);
static void test_combine(void);

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "bench") == 0) {
    hash_bench();
    return 0;
  }
  for (level = HASH_PORTABLE; level <= HASH_AVX512; level++) {
    hash_force_level((enum hash_level)level);
    int wrong = hash_selftest();
    if (wrong != 0) {
      fprintf(stderr, "level %d: known answer %d is wrong\n", level, wrong);
      return 1;
    }
    test_all_lengths();
    test_cuts();
    test_many();
    test_digest_is_repeatable();
    test_combine();
  }
  return 0;
}

static void require(bool holds, const char *what, int kind, size_t length) {
  if (holds)
    return;
  fprintf(stderr, "level %d: %s: %s of %zu bytes is wrong\n", level, what,
          names[kind], length);
  exit(1);
}

/* The same numbers on every run: a failure can be repeated. */
static uint32_t random_below(uint32_t limit) {
  static uint64_t state = 1;
  state =
      state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
  return (uint32_t)((state >> 32) % limit);
}

static uint8_t *exact_block(size_t n) {
  uint8_t *block = malloc(n > 0 ? n : 1);
  if (!block)
    abort();
  for (size_t i = 0; i < n; i++)
    block[i] = (uint8_t)random_below(256);
  return block;
}

static void require_equal(const hasher *a, const hasher *b, const char *what) {
  for (int k = 0; k < KINDS; k++) {
    uint8_t x[HASH_LONGEST], y[HASH_LONGEST];
    size_t length = hasher_digest(a, 1 << k, x);
    bool same =
        hasher_digest(b, 1 << k, y) == length && memcmp(x, y, length) == 0;
    require(same && (length > 0) == !!(a->kinds & 1u << k), what, k,
            (size_t)a->length);
  }
}

/* SHA-256 of the digests of the first 0, 1, … 5000 bytes of 0, 1, … 250, 0, 1,
 * …, as computed with Python's hashlib, zlib and xxhash and Amazon's awscrt. */
static const char *const all_lengths[KINDS] = {
    "b66fbd7ff266dceaeb371a25812c756db4a428ec935868108dae3958018913a1",
    "2db08a071089e3f833c3541ad329b734b60e523a9c07a877665e40967bf8e770",
    "8cedddd596ae3088408e2d7ed00aef47a8db1382791926be6071a1101b2412e3",
    "4493a753b0c3e7baea9efb3ec82079a7355302d24b2b62f378ca0481c5dd1655",
    "5f915b20648a6ffc0f7e751f266349ecd3ef56723ec0bfc65156508d03959714",
    "4523f2320d3bc06ed03e8768d150ee82f3934f1d93ec0691107706db5029d17f",
    "705f0d053a3c88e14f5318b36c370d109dc306ce3359716f979375c54f6e93c6",
    "70217dec9a0f27e306f38f3fc6817d70c44e7b0ee9577821741ced0a4dbfd38b",
    "6c0b205ca63a3bc9200951d63c4e6d791f85a132803f0c8d8cf927a4fe1cb4d7",
    "1704de17fa3aa6cfc5eaede6af82714ef46661551831791b84a908fb2d1020b3",
};

static void test_all_lengths(void) {
  hasher digests[KINDS];
  for (int k = 0; k < KINDS; k++)
    hasher_init(&digests[k], HASH_SHA256);
  for (size_t n = 0; n <= LONGEST; n++) {
    uint8_t *message = exact_block(n);
    for (size_t i = 0; i < n; i++)
      message[i] = (uint8_t)(i % 251);
    hasher h;
    hasher_init(&h, ALL);
    hasher_update(&h, message, n);
    for (int k = 0; k < KINDS; k++) {
      uint8_t digest[HASH_LONGEST];
      hasher_update(&digests[k], digest, hasher_digest(&h, 1 << k, digest));
    }
    free(message);
  }
  for (int k = 0; k < KINDS; k++) {
    uint8_t digest[HASH_LONGEST];
    char hex[2 * HASH_LONGEST + 1];
    hasher_digest(&digests[k], HASH_SHA256, digest);
    for (int i = 0; i < 32; i++)
      snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    require(strcmp(hex, all_lengths[k]) == 0, "lengths from 0", k, LONGEST);
  }
}

static void test_cuts(void) {
  for (int round = 0; round < 600; round++) {
    /* Some longer than the piece that hasher_update takes at a time. */
    size_t n = random_below(round % 10 == 0 ? 100000 : LONGEST);
    unsigned kinds = round % 2 == 0 ? ALL : random_below(ALL + 1);
    uint8_t *message = exact_block(n);
    hasher whole, cut;
    hasher_init(&whole, kinds);
    hasher_init(&cut, kinds);
    hasher_update(&whole, message, n);
    for (size_t at = 0; at < n;) {
      uint32_t left = (uint32_t)(n - at);
      uint32_t part =
          random_below((left > 300 && random_below(2) ? 300 : left) + 1);
      hasher_update(&cut, message + at, part);
      at += part;
    }
    require_equal(&whole, &cut, "cut into pieces");
    free(message);
  }
}

static void test_many(void) {
  static hasher alone[STREAMS], among[STREAMS];
  hasher *h[STREAMS];
  uint8_t *blocks[STREAMS];
  const void *data[STREAMS];
  size_t n[STREAMS];

  for (int round = 0; round < 250; round++) {
    int count = (int)random_below(round % 5 == 0 ? STREAMS + 1 : 20);
    uint32_t limit = round % 7 == 0 ? 70000 : LONGEST;
    for (int i = 0; i < count; i++) {
      hasher_init(&alone[i], random_below(3) ? ALL : random_below(ALL + 1));
      among[i] = alone[i];
      h[i] = &among[i];
    }
    for (int piece = 0; piece < 3; piece++) {
      size_t same = random_below(limit);
      for (int i = 0; i < count; i++) {
        n[i] = piece == 1 ? same : random_below(limit);
        data[i] = blocks[i] = exact_block(n[i]);
        hasher_update(&alone[i], blocks[i], n[i]);
      }
      hasher_update_many(h, data, n, count);
      for (int i = 0; i < count; i++)
        free(blocks[i]);
    }
    for (int i = 0; i < count; i++)
      require_equal(&alone[i], &among[i], "among many");
  }
}

static void test_digest_is_repeatable(void) {
  uint8_t *message = exact_block(300);
  for (size_t first = 0; first <= 300; first++) {
    hasher asked, silent;
    hasher_init(&asked, ALL);
    hasher_init(&silent, ALL);
    hasher_update(&asked, message, first);
    hasher copy = asked;
    require_equal(&asked, &copy, "asked twice");
    hasher_update(&asked, message + first, 300 - first);
    hasher_update(&silent, message, 300);
    hasher_update(&silent, NULL, 0);
    require_equal(&asked, &silent, "asked in between");
  }
  free(message);
}

static uint64_t crc_number(const uint8_t *p, size_t n, enum hash_kind kind) {
  hasher h;
  hasher_init(&h, kind);
  hasher_update(&h, p, n);
  uint8_t digest[HASH_LONGEST];
  uint64_t number = 0;
  size_t length = hasher_digest(&h, kind, digest);
  for (size_t i = 0; i < length; i++)
    number = number << 8 | digest[i];
  return number;
}

static void test_combine(void) {
  for (int round = 0; round < 300; round++) {
    size_t n = random_below(LONGEST), cut = random_below((uint32_t)n + 1);
    uint8_t *message = exact_block(n);
    for (int k = 3; k < 6; k++) {
      uint64_t a = crc_number(message, cut, 1 << k);
      uint64_t b = crc_number(message + cut, n - cut, 1 << k);
      uint64_t whole = crc_number(message, n, 1 << k);
      require(crc_combine(1 << k, a, b, n - cut) == whole, "combined", k, n);

      /* Lengths too large to compute directly: (A B) C is A (B C). */
      uint64_t b_length = (uint64_t)random_below(UINT32_MAX) << 30 | 7;
      uint64_t c_length = (uint64_t)random_below(UINT32_MAX) << 28 | 3;
      uint64_t ab = crc_combine(1 << k, a, b, b_length),
               bc = crc_combine(1 << k, b, a, c_length);
      require(crc_combine(1 << k, ab, a, c_length) ==
                  crc_combine(1 << k, a, bc, b_length + c_length),
              "combined in another order", k, n);
    }
    require(crc_combine(HASH_MD5, 1, 2, 3) == 0, "combined", 0, 0);
    free(message);
  }
}
