/* What XXH64 and XXH3 share: their primes and the way they mix. */
#ifndef XXH_ARITHMETIC_H
#define XXH_ARITHMETIC_H

#include <stdint.h>

#define PRIME32_1 0x9e3779b1ull
#define PRIME32_2 0x85ebca77ull
#define PRIME32_3 0xc2b2ae3dull
#define PRIME64_1 0x9e3779b185ebca87ull
#define PRIME64_2 0xc2b2ae3d27d4eb4full
#define PRIME64_3 0x165667b19e3779f9ull
#define PRIME64_4 0x85ebca77c2b2ae63ull
#define PRIME64_5 0x27d4eb2f165667c5ull
#define PRIME_MX1 0x165667919e3779f9ull
#define PRIME_MX2 0x9fb21c651e98df25ull

static inline uint64_t rotate64(uint64_t x, unsigned n) { return x << n | x >> (64 - n); }

static inline uint64_t avalanche_xxh64(uint64_t x) {
  x = (x ^ x >> 33) * PRIME64_2;
  x = (x ^ x >> 29) * PRIME64_3;
  return x ^ x >> 32;
}

#endif
