/* Copying between files, in the kernel where it can be. */
#include "chain.h"

#include <errno.h>
#include <stdlib.h>

/* Small enough that a gateway that is asked to stop does so soon. */
enum { RANGE_BYTES = 64 * 1024 * 1024, LEAST_BUFFER = 4096 };
enum method { REFLINK, RANGE, READ_WRITE };

struct copy {
  struct chain *chain;
  int from, to;
  int64_t from_offset, to_offset, left;
  hasher *hasher;
  double hash_ns;
};

static int reflink(struct copy *c);
static int copy_range(struct copy *c);
static int read_write(struct copy *c, bool write);
static bool refused(int err);

/* Output: method and whether another was refused before it, as doubles. */
int64_t step_copy(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  static int (*const methods[])(struct copy *) = {reflink, copy_range};
  struct copy copy = {
      .chain = c,
      .from = fd[0],
      .to = fd[1],
      .from_offset = (int64_t)s->a,
      .to_offset = (int64_t)s->b,
      .left = (int64_t)s->c,
      .hasher = s->hasher == HASHER_NONE ? NULL : chain_hasher(c, s->hasher),
  };
  if (s->hasher != HASHER_NONE && copy.hasher == NULL) return -EINVAL;
  double *out = chain_output(c, r, 2 * sizeof(double));
  if (out == NULL) return -ENOMEM;
  c->stat_fd = -1;

  int err = -EOPNOTSUPP, tried = 0, method;
  for (method = REFLINK; method <= READ_WRITE && refused(err); method++) {
    if (!(s->flags & (uint32_t)(COPY_REFLINK << method))) continue;
    tried++;
    err = method == READ_WRITE ? read_write(&copy, true) : methods[method](&copy);
    if (err == 0) break;
  }
  if (err != 0) return err;
  if (copy.hasher != NULL && method != READ_WRITE) {
    copy.from_offset = (int64_t)s->a;
    copy.left = (int64_t)s->c;
    err = read_write(&copy, false);
    if (err != 0) return err;
  }
  r->hash_ns = copy.hash_ns;
  out[0] = method;
  out[1] = tried > 1;
  return (int64_t)s->c;
}

/* What a file system answers when it cannot do it this way, but perhaps another. */
static bool refused(int err) {
  switch (-err) {
  case EOPNOTSUPP:
  case EXDEV:
  case EINVAL: /* offsets that are no multiple of a block; in-kernel copy of odd files */
  case ENOTTY:
  case ENOSYS:
  case EPERM:
  case ETXTBSY:
  case EBADF: /* copy_file_range on an append-only file or before 5.19 across file systems */
    return true;
  default:
    return false;
  }
}

static int reflink(struct copy *c) {
  if (c->left == 0) return 0; /* a length of 0 would mean "to the end" */
  return sys_ficlonerange(&c->chain->sys, c->from, c->from_offset, c->to, c->to_offset, c->left);
}

static int copy_range(struct copy *c) {
  while (c->left > 0) {
    size_t size = c->left < RANGE_BYTES ? (size_t)c->left : RANGE_BYTES;
    int64_t n =
        sys_copy_file_range(&c->chain->sys, c->from, c->from_offset, c->to, c->to_offset, size);
    if (n < 0) return (int)n;
    /* The end of the file; or a file system that pretends (FUSE, procfs): reading tells. */
    if (n == 0) return -EOPNOTSUPP;
    c->from_offset += n;
    c->to_offset += n;
    c->left -= n;
    if (pool_stopping(c->chain->shared->pool)) return -ECANCELED;
  }
  return 0;
}

static int write_out(struct copy *c, uint8_t *data, size_t size) {
  while (size > 0) {
    struct iovec piece = {data, size};
    int64_t n = sys_pwritev(&c->chain->sys, c->to, &piece, 1, c->to_offset);
    if (n < 0) return (int)n;
    if (n == 0) return -EIO;
    data += n;
    size -= (size_t)n;
    c->to_offset += n;
  }
  return 0;
}

static int read_write(struct copy *c, bool write) {
  size_t most = c->chain->shared->copy_buffer;
  if (most < LEAST_BUFFER) most = LEAST_BUFFER;
  if ((int64_t)most > c->left) most = c->left > 0 ? (size_t)c->left : 1;
  uint8_t *data = malloc(most);
  if (data == NULL) return -ENOMEM;
  int err = 0;
  while (err == 0 && c->left > 0) {
    size_t size = (size_t)c->left < most ? (size_t)c->left : most;
    int64_t n = sys_pread(&c->chain->sys, c->from, data, size, c->from_offset);
    if (n <= 0) {
      err = n < 0 ? (int)n : -EIO; /* shorter than the caller was told */
      break;
    }
    c->from_offset += n;
    c->left -= n;
    if (c->hasher != NULL) {
      double start = now_ns();
      hasher_update(c->hasher, data, (size_t)n);
      c->hash_ns += now_ns() - start;
    }
    if (write) err = write_out(c, data, (size_t)n);
    if (pool_stopping(c->chain->shared->pool)) err = -ECANCELED;
  }
  free(data);
  return err;
}
