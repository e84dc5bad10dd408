/* XXH64 with the seed 0, after "xxHash fast digest algorithm" 0.1.1, whose steps are named here. */
#include "hash-kernels.h"
#include "xxh-arithmetic.h"

static inline uint64_t round_of(uint64_t acc, uint64_t lane);
static uint64_t merge(const uint64_t acc[4]);

/* Step 1. */
void xxh64_init(uint64_t acc[4]) {
  acc[0] = PRIME64_1 + PRIME64_2;
  acc[1] = PRIME64_2;
  acc[2] = 0;
  acc[3] = -PRIME64_1;
}

/* Step 2: two stripes a block. */
void xxh64_blocks(uint64_t acc[4], const uint8_t *p, size_t blocks) {
  uint64_t a = acc[0], b = acc[1], c = acc[2], d = acc[3];
  for (size_t stripes = 2 * blocks; stripes > 0; stripes--, p += 32) {
    a = round_of(a, load_le64(p));
    b = round_of(b, load_le64(p + 8));
    c = round_of(c, load_le64(p + 16));
    d = round_of(d, load_le64(p + 24));
  }
  acc[0] = a, acc[1] = b, acc[2] = c, acc[3] = d;
}

uint64_t xxh64_digest(const uint64_t acc[4], const uint8_t *tail, uint64_t length) {
  uint64_t all[4] = {acc[0], acc[1], acc[2], acc[3]};
  size_t left = length % HASH_BLOCK;
  const uint8_t *p = tail;
  if (left >= 32) {
    for (int i = 0; i < 4; i++) all[i] = round_of(all[i], load_le64(p + 8 * i));
    p += 32;
    left -= 32;
  }

  uint64_t sum = (length < 32 ? PRIME64_5 : merge(all)) + length; /* steps 3 and 4 */
  /* Step 5. */
  for (; left >= 8; left -= 8, p += 8)
    sum = rotate64(sum ^ round_of(0, load_le64(p)), 27) * PRIME64_1 + PRIME64_4;
  if (left >= 4) {
    sum = rotate64(sum ^ load_le32(p) * PRIME64_1, 23) * PRIME64_2 + PRIME64_3;
    left -= 4;
    p += 4;
  }
  for (; left > 0; left--, p++) sum = rotate64(sum ^ *p * PRIME64_5, 11) * PRIME64_1;
  return avalanche_xxh64(sum); /* step 6 */
}

static inline uint64_t round_of(uint64_t acc, uint64_t lane) {
  return rotate64(acc + lane * PRIME64_2, 31) * PRIME64_1;
}

/* Step 3. */
static uint64_t merge(const uint64_t acc[4]) {
  uint64_t sum =
      rotate64(acc[0], 1) + rotate64(acc[1], 7) + rotate64(acc[2], 12) + rotate64(acc[3], 18);
  for (int i = 0; i < 4; i++) sum = (sum ^ round_of(0, acc[i])) * PRIME64_1 + PRIME64_4;
  return sum;
}
