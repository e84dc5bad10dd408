/* `hash-test bench`: MB/s (10^6 bytes) of each kind at each level of kernels,
 * best of several. */
#define _POSIX_C_SOURCE 200809L
#include "../../native/hash-kernels.h"
#include "../../native/hash.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SIZE = 256 * 1024, MOST = 20 };

static uint8_t *data[MOST];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double speed(unsigned kinds, int streams, size_t size) {
  static hasher hashers[MOST];
  hasher *h[MOST];
  const void *at[MOST];
  size_t n[MOST];
  for (int i = 0; i < streams; i++) {
    hasher_init(&hashers[i], kinds);
    h[i] = &hashers[i], at[i] = data[i], n[i] = size;
  }

  double best = 1e9, end = now() + 0.15;
  do {
    double start = now();
    int times = (int)(SIZE / size);
    for (int i = 0; i < times; i++) {
      hasher_update_many(h, at, n, streams);
    }
    double took = (now() - start) / times;
    if (took < best)
      best = took;
  } while (now() < end);
  return (double)streams * (double)size / best / 1e6;
}

void hash_bench(void) {
  static const char *const levels[] = {"portable", "SHA, PCLMUL, AVX2",
                                       "AVX-512"};
  static const struct {
    const char *name;
    unsigned kinds;
  } rows[] = {
      {"MD5", HASH_MD5},
      {"SHA1", HASH_SHA1},
      {"SHA256", HASH_SHA256},
      {"CRC32", HASH_CRC32},
      {"CRC32C", HASH_CRC32C},
      {"CRC64NVME", HASH_CRC64NVME},
      {"SHA512", HASH_SHA512},
      {"XXH64", HASH_XXH64},
      {"XXH3", HASH_XXH3},
      {"XXH128", HASH_XXH128},
      {"MD5 + CRC64NVME", HASH_MD5 | HASH_CRC64NVME},
  };
  static const int streams[] = {2, 3, 4, 8, 9, 10, 11, 12, 16, 17, 20};

  for (int i = 0; i < MOST; i++) {
    data[i] = malloc(SIZE);
    if (!data[i])
      abort();
    memset(data[i], i + 1, SIZE);
  }
  for (int level = HASH_PORTABLE; level <= HASH_AVX512; level++) {
    hash_force_level((enum hash_level)level);
    printf("%s\n  %-22s %8s %8s\n", levels[level], "", "256 KiB", "4 KiB");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
      printf("  %-22s %8.0f %8.0f\n", rows[i].name,
             speed(rows[i].kinds, 1, SIZE), speed(rows[i].kinds, 1, 4096));
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
      printf("  %-15s * %4d %8.0f %8.0f\n", "MD5", streams[i],
             speed(HASH_MD5, streams[i], SIZE),
             speed(HASH_MD5, streams[i], 4096));
    printf("  %-15s * %4d %8.0f %8.0f\n", "MD5 + CRC64NVME", 16,
           speed(HASH_MD5 | HASH_CRC64NVME, 16, SIZE),
           speed(HASH_MD5 | HASH_CRC64NVME, 16, 4096));
  }
  for (int i = 0; i < MOST; i++)
    free(data[i]);
}
