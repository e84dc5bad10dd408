#include "direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Devices ask for 512 bytes or 4096; memory is aligned likewise. */
enum { BLOCK = 4096, BOUNCE_BYTES = 1024 * 1024 };

struct transfer {
  struct chain *chain;
  int fd, flags;
  bool is_direct, refused;
  uint8_t *bounce;
};

static int begin(struct transfer *t, struct chain *c, int fd) {
  *t = (struct transfer){.chain = c, .fd = fd, .flags = fcntl(fd, F_GETFL)};
  if (posix_memalign((void **)&t->bounce, BLOCK, BOUNCE_BYTES) != 0) return -ENOMEM;
  t->refused = t->flags < 0;
  return 0;
}

static void set_direct(struct transfer *t, bool direct) {
  if (t->is_direct == direct) return;
  if (fcntl(t->fd, F_SETFL, direct ? t->flags | O_DIRECT : t->flags & ~O_DIRECT) == 0)
    t->is_direct = direct;
  else if (direct)
    t->refused = true;
}

static void end(struct transfer *t) {
  set_direct(t, false);
  free(t->bounce);
}

static int64_t write_out(struct transfer *t, uint8_t *data, size_t size, int64_t offset) {
  size_t done = 0;
  while (done < size) {
    struct iovec piece = {data + done, size - done};
    int64_t n = sys_pwritev(&t->chain->sys, t->fd, &piece, 1, offset + (int64_t)done);
    if (n == -EINVAL && t->is_direct) {
      t->refused = true;
      set_direct(t, false);
      continue;
    }
    if (n <= 0) return n < 0 ? n : -EIO;
    done += (size_t)n;
    /* What is left of a short write may begin within a block. */
    if (done < size) set_direct(t, false);
  }
  return 0;
}

/* The next `size` bytes of the pieces; shortens them. */
static void gather(struct iovec *at, uint8_t *to, size_t size) {
  for (struct iovec *piece = at; size > 0; piece++) {
    size_t part = size < piece->iov_len ? size : piece->iov_len;
    memcpy(to, piece->iov_base, part);
    piece->iov_base = (uint8_t *)piece->iov_base + part;
    piece->iov_len -= part;
    to += part;
    size -= part;
  }
}

/* How many of `left` bytes at `offset` are moved next, and whether past the cache. */
static size_t next_size(struct transfer *t, int64_t offset, size_t left) {
  size_t within = (size_t)(offset % BLOCK);
  bool whole = within == 0 && left >= BLOCK && !t->refused;
  set_direct(t, whole);
  size_t most = within != 0 ? BLOCK - within : whole ? left - left % BLOCK : left;
  if (most > BOUNCE_BYTES) most = BOUNCE_BYTES;
  return most < left ? most : left;
}

int64_t direct_write(struct chain *c, int fd, struct iovec *pieces, uint32_t count,
                     int64_t offset) {
  size_t left = 0;
  for (uint32_t i = 0; i < count; i++) left += pieces[i].iov_len;
  int64_t total = (int64_t)left;
  struct transfer t;
  int64_t err = begin(&t, c, fd);
  if (err != 0) return err;
  struct iovec *at = pieces;
  while (err == 0 && left > 0) {
    while (at->iov_len == 0) at++;
    size_t size = next_size(&t, offset, left);
    gather(at, t.bounce, size);
    err = write_out(&t, t.bounce, size, offset);
    offset += (int64_t)size;
    left -= size;
    if (pool_stopping(c->shared->pool)) err = -ECANCELED;
  }
  end(&t);
  return err < 0 ? err : total;
}

int64_t direct_read(struct chain *c, int fd, uint8_t *data, size_t size, int64_t offset) {
  struct transfer t;
  int64_t err = begin(&t, c, fd);
  if (err != 0) return err;
  size_t done = 0;
  while (done < size) {
    int64_t at = offset + (int64_t)done;
    size_t skip = (size_t)(at % BLOCK);
    size_t wanted = (skip + (size - done) + BLOCK - 1) / BLOCK * BLOCK;
    if (wanted > BOUNCE_BYTES) wanted = BOUNCE_BYTES;
    if (!t.refused) set_direct(&t, true);
    int64_t n = sys_pread(&c->sys, fd, t.bounce, wanted, at - (int64_t)skip);
    if (n == -EINVAL && t.is_direct) {
      t.refused = true;
      set_direct(&t, false);
      continue;
    }
    if (n < 0) err = n;
    if (n <= (int64_t)skip) break;
    size_t got = (size_t)n - skip;
    if (got > size - done) got = size - done;
    memcpy(data + done, t.bounce + skip, got);
    done += got;
  }
  end(&t);
  return err < 0 ? err : (int64_t)done;
}
