/* Which streams share the SIMD lanes of MD5, and for how long.
 *
 * A round runs the same number of blocks on every lane: as many as the shortest of its streams
 * has left, so that a lane is free at the end, but no more than stay in the second-level cache
 * until the other kinds have read them too. The streams with the most left go first. That keeps
 * them level, so that the last rounds still have many lanes instead of one long straggler. */
#include "hash.h"
#include "hash-kernels.h"

enum { BATCH = 64, LANES = 16, ROUND_BLOCKS = 256 };

struct stream {
  hasher *h;
  const uint8_t *data;
  size_t left;
};

static void update_batch(hasher *const *h, const void *const *data, const size_t *n, int count);
static void sort_streams(struct stream *s, int count);
static const struct md5_lanes *choose_lanes(int count);
static void run_round(const struct md5_lanes *kernel, struct stream *s, int count, size_t blocks);

void hasher_update_many(hasher *const *h, const void *const *data, const size_t *n, int count) {
  for (; count > BATCH; count -= BATCH, h += BATCH, data += BATCH, n += BATCH)
    update_batch(h, data, n, BATCH);
  update_batch(h, data, n, count);
}

static void update_batch(hasher *const *h, const void *const *data, const size_t *n, int count) {
  struct stream streams[BATCH];
  int aligned = 0;
  for (int i = 0; i < count; i++) {
    size_t head = -h[i]->length % HASH_BLOCK; /* completes the block begun earlier */
    if (!(h[i]->kinds & HASH_MD5) || n[i] < head + HASH_BLOCK) head = n[i];
    hasher_update(h[i], data[i], head);
    if (head < n[i])
      streams[aligned++] = (struct stream){h[i], (const uint8_t *)data[i] + head, n[i] - head};
  }

  for (int live = aligned;;) {
    sort_streams(streams, live);
    while (live > 0 && streams[live - 1].left < HASH_BLOCK) live--;
    if (live == 0) break;

    const struct md5_lanes *kernel = choose_lanes(live);
    int used = live < kernel->lanes ? live : kernel->lanes;
    size_t blocks = streams[used - 1].left / HASH_BLOCK;
    run_round(kernel, streams, used, blocks < ROUND_BLOCKS ? blocks : ROUND_BLOCKS);
  }

  for (int i = 0; i < aligned; i++) hasher_update(streams[i].h, streams[i].data, streams[i].left);
}

/* Most left first. By insertion: between rounds the order hardly changes. */
static void sort_streams(struct stream *s, int count) {
  for (int i = 1; i < count; i++) {
    struct stream moved = s[i];
    int j = i;
    for (; j > 0 && s[j - 1].left < moved.left; j--) s[j] = s[j - 1];
    s[j] = moved;
  }
}

static const struct md5_lanes *choose_lanes(int count) {
  const struct md5_lanes *kernel = hash_kernels.md5;
  while (kernel->from > count) kernel++;
  return kernel;
}

static void run_round(const struct md5_lanes *kernel, struct stream *s, int count, size_t blocks) {
  /* Lanes without a stream of their own repeat the first one's data into a state nobody reads. */
  uint32_t unused[4] = {0};
  uint32_t *state[LANES];
  const uint8_t *data[LANES];
  for (int i = 0; i < kernel->lanes; i++) {
    state[i] = i < count ? s[i].h->md5 : unused;
    data[i] = s[i < count ? i : 0].data;
  }
  kernel->run(state, data, blocks);

  for (int i = 0; i < count; i++) {
    /* MD5 is done and, between whole blocks, depends on nothing that an update without it moves. */
    s[i].h->kinds ^= HASH_MD5;
    hasher_update(s[i].h, s[i].data, blocks * HASH_BLOCK);
    s[i].h->kinds ^= HASH_MD5;
    s[i].data += blocks * HASH_BLOCK;
    s[i].left -= blocks * HASH_BLOCK;
  }
}
