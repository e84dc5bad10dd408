/* MD5 (RFC 1321), one stream at a time and, on vectors that every machine has, four. */
#include "hash-kernels.h"
#include "hash-md5-steps.h"

void md5_blocks(uint32_t *state, const uint8_t *data, size_t blocks) {
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  for (; blocks > 0; blocks--, data += HASH_BLOCK) {
    uint32_t w[16];
    for (int i = 0; i < 16; i++) w[i] = load_le32(data + 4 * i);

    uint32_t a0 = a, b0 = b, c0 = c, d0 = d;
    MD5_STEPS;
    a += a0, b += b0, c += c0, d += d0;
  }
  state[0] = a, state[1] = b, state[2] = c, state[3] = d;
}

void md5_lane1(uint32_t *const *state, const uint8_t *const *data, size_t blocks) {
  md5_blocks(state[0], data[0], blocks);
}

#define MD5_LANES_NAME md5_lanes4
#define MD5_LANES 4
#define MD5_LOAD_WORDS(w, data, at) load_words(w, data, at)
typedef uint32_t quad __attribute__((vector_size(16)));

static inline void load_words(quad w[16], const uint8_t *const *data, size_t at) {
  for (size_t i = 0; i < 16; i++)
    w[i] = (quad){load_le32(data[0] + at + 4 * i), load_le32(data[1] + at + 4 * i),
                  load_le32(data[2] + at + 4 * i), load_le32(data[3] + at + 4 * i)};
}

#include "hash-md5-lanes.h"
