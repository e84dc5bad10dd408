/* Steps on one file: open, read, write, hash, check. */
#include "chain.h"
#include "direct.h"
#include "path.h"
#include "sidecar.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { STAT_DOUBLES = 12 };

static int open_flags(uint32_t flags);
static int open_follow_last(struct sys *s, int dir, const char *path, int flags);
static int64_t output_stat(struct chain *c, struct result *r, const struct stat *st);
static int known_stat(struct chain *c, int fd);
static int64_t read_all(struct chain *c, int fd, uint8_t *data, size_t size, int64_t offset);
static int64_t write_all(struct chain *c, int fd, struct iovec *pieces, uint32_t count,
                         int64_t offset);
static int hash_pieces(struct chain *c, const struct step *s, struct result *r);
static int has_attribute(struct chain *c, const struct step *s, const int fd[3], const char *name);

int64_t step_open(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  const char *path = chain_text(c, s);
  int flags = open_flags(s->flags);
  int opened = s->flags & OPEN_FOLLOW_LAST ? open_follow_last(&c->sys, fd[0], path, flags)
                                           : path_open(&c->sys, fd[0], path, flags, s->mode);
  if (opened < 0) return opened;
  int err = chain_opened(c, opened, s->flags & OPEN_KEEP);
  return err != 0 ? err : opened;
}

static int open_flags(uint32_t flags) {
  if (flags & OPEN_DIRECTORY) return O_DIRECTORY | (flags & OPEN_PATH ? O_PATH : O_RDONLY);
  /* O_NONBLOCK: a FIFO under an object's name must not hold up a thread. */
  if (flags & OPEN_CREATE) return O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_NOCTTY;
  return (flags & OPEN_WRITE ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY;
}

static int open_follow_last(struct sys *s, int dir, const char *path, int flags) {
  const char *name;
  bool opened;
  int parent = path_parent(s, dir, path, &name, &opened);
  if (parent < 0) return parent;
  int fd = strcmp(name, "..") == 0 ? -EXDEV : sys_openat(s, parent, name, flags | O_CLOEXEC, 0);
  if (opened) sys_close(s, parent);
  return fd;
}

int64_t step_stat(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)s;
  c->stat_fd = -1;
  int err = known_stat(c, fd[0]);
  return err != 0 ? err : output_stat(c, r, &c->stat);
}

int64_t step_stat_at(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  struct stat st;
  int err = path_stat(&c->sys, fd[0], chain_text(c, s), &st);
  return err != 0 ? err : output_stat(c, r, &st);
}

static int known_stat(struct chain *c, int fd) {
  if (c->stat_fd == fd) return 0;
  int err = sys_fstat(&c->sys, fd, &c->stat);
  c->stat_fd = err == 0 ? fd : -1;
  return err;
}

void stat_doubles(const struct stat *st, double out[STAT_DOUBLES]) {
  out[0] = st->st_mode;
  out[1] = (double)st->st_size;
  out[2] = (double)st->st_mtim.tv_sec;
  out[3] = (double)st->st_mtim.tv_nsec;
  out[4] = (double)st->st_ctim.tv_sec;
  out[5] = (double)st->st_ctim.tv_nsec;
  out[6] = (double)st->st_ino;
  out[7] = (double)st->st_dev;
  out[8] = (double)st->st_nlink;
  out[9] = st->st_uid;
  out[10] = st->st_gid;
  out[11] = (double)st->st_blocks;
}

static int64_t output_stat(struct chain *c, struct result *r, const struct stat *st) {
  double *out = chain_output(c, r, STAT_DOUBLES * sizeof(double));
  if (out == NULL) return -ENOMEM;
  stat_doubles(st, out);
  return 0;
}

int64_t step_read(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  size_t size = (size_t)s->b;
  uint8_t *data;
  if (s->piece_count > 0) {
    data = c->pieces[s->piece].iov_base;
    if (c->pieces[s->piece].iov_len < size) return -EINVAL;
  } else {
    data = chain_output(c, r, size);
    if (data == NULL) return -ENOMEM;
  }
  double start = now_ns();
  int64_t n = s->flags & DATA_DIRECT ? direct_read(c, fd[0], data, size, (int64_t)s->a)
                                     : read_all(c, fd[0], data, size, (int64_t)s->a);
  r->io_ns = now_ns() - start;
  r->out_size = n < 0 ? 0 : (uint32_t)n;
  return n;
}

/* 1: read; 0: too long, or no regular file, and the descriptor is the caller's from now on. */
int64_t step_read_whole(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  int err = known_stat(c, fd[0]);
  if (err != 0) return err;
  if (!S_ISREG(c->stat.st_mode) || (double)c->stat.st_size > s->a) {
    for (uint32_t i = 0; i < c->opened_count; i++)
      if (c->opened[i].fd == fd[0]) c->opened[i].keep = true;
    return 0;
  }
  size_t size = (size_t)c->stat.st_size;
  uint8_t *data = chain_output(c, r, size);
  if (data == NULL) return -ENOMEM;
  double start = now_ns();
  int64_t n = read_all(c, fd[0], data, size, 0);
  r->io_ns = now_ns() - start;
  if (n < 0) return n;
  /* The size is already promised to a client. */
  return (size_t)n == size ? 1 : -EIO;
}

static int64_t read_all(struct chain *c, int fd, uint8_t *data, size_t size, int64_t offset) {
  size_t done = 0;
  while (done < size) {
    int64_t n = sys_pread(&c->sys, fd, data + done, size - done, offset + (int64_t)done);
    if (n < 0) return n;
    if (n == 0) break;
    done += (size_t)n;
  }
  return (int64_t)done;
}

int64_t step_open_tmp(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  const char *name = chain_text(c, s);
  int flags = O_RDWR | O_CLOEXEC;
  bool named = s->text_size > 0;
  if (named && strchr(name, '/') != NULL) return -EINVAL;
  int file;
  if (named)
    file = sys_openat(&c->sys, fd[0], name, flags | O_CREAT | O_EXCL | O_NOFOLLOW, s->mode);
  else if (s->text2_size > 0)
    file = path_open(&c->sys, fd[0], chain_text2(c, s), flags | O_TMPFILE, s->mode);
  else
    file = sys_openat(&c->sys, fd[0], ".", flags | O_TMPFILE, s->mode);
  if (file < 0) return file;
  int err = chain_opened(c, file, s->flags & OPEN_KEEP);
  if (named && err == 0) err = chain_temporary(c, fd[0], name, false);
  if (err == 0 && (s->flags & TMP_PREALLOCATE) && s->a > 0) {
    err = sys_fallocate(&c->sys, file, FALLOC_FL_KEEP_SIZE, 0, (int64_t)s->a);
    if (err == -EOPNOTSUPP || err == -ENOSYS) err = 0;
  }
  return err != 0 ? err : file;
}

int64_t step_write(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  c->stat_fd = -1;
  int err = s->hasher == HASHER_NONE ? 0 : hash_pieces(c, s, r);
  if (err != 0) return err;
  double start = now_ns();
  struct iovec *pieces = c->pieces + s->piece;
  int64_t n = s->flags & DATA_DIRECT ? direct_write(c, fd[0], pieces, s->piece_count, (int64_t)s->a)
                                     : write_all(c, fd[0], pieces, s->piece_count, (int64_t)s->a);
  r->io_ns = now_ns() - start;
  return n;
}

/* Shortens `pieces` as they are written. */
static int64_t write_all(struct chain *c, int fd, struct iovec *pieces, uint32_t count,
                         int64_t offset) {
  int64_t start = offset;
  while (count > 0) {
    if (pieces->iov_len == 0) {
      pieces++;
      count--;
      continue;
    }
    int64_t n = sys_pwritev(&c->sys, fd, pieces, count < IOV_MAX ? (int)count : IOV_MAX, offset);
    if (n < 0) return n;
    if (n == 0) return -EIO;
    offset += n;
    for (size_t left = (size_t)n; left > 0;) {
      size_t part = left < pieces->iov_len ? left : pieces->iov_len;
      pieces->iov_base = (uint8_t *)pieces->iov_base + part;
      pieces->iov_len -= part;
      left -= part;
      if (pieces->iov_len == 0) {
        pieces++;
        count--;
      }
    }
  }
  return offset - start;
}

int64_t step_hash(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)fd;
  return hash_pieces(c, s, r);
}

static int hash_pieces(struct chain *c, const struct step *s, struct result *r) {
  hasher *h = chain_hasher(c, s->hasher);
  if (h == NULL) return -EINVAL;
  double start = now_ns();
  if (s->hasher == HASHER_JOB)
    hash_along(c, s);
  else
    hash_group_update(&c->shared->hashing, h, c->pieces + s->piece, s->piece_count);
  r->hash_ns = now_ns() - start;
  return 0;
}

int64_t step_digest(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)fd;
  hasher *h = chain_hasher(c, s->hasher);
  uint8_t *out = h == NULL ? NULL : chain_output(c, r, HASH_LONGEST);
  if (out == NULL) return h == NULL ? -EINVAL : -ENOMEM;
  r->out_size = (uint32_t)hasher_digest(h, (enum hash_kind)s->mode, out);
  return r->out_size == 0 ? -EINVAL : (int64_t)r->out_size;
}

int64_t step_verify_digest(struct chain *c, const struct step *s, const int fd[3],
                           struct result *r) {
  int64_t size = step_digest(c, s, fd, r);
  if (size < 0) return size;
  const uint8_t *computed = (uint8_t *)c->slot + r->out;
  if (r->is_blob) computed = c->blobs[r->out].data;
  bool equal =
      (uint32_t)size == s->text_size && memcmp(computed, chain_text(c, s), (size_t)size) == 0;
  return equal ? size : -EBADMSG;
}

int64_t step_verify_size(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  int err = known_stat(c, fd[0]);
  if (err != 0) return err;
  return (double)c->stat.st_size == s->a ? 0 : -EBADMSG;
}

/* Text: names of attributes that must be there; text2: of those that must not. */
int64_t step_verify_file(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  int err = s->flags & VERIFY_REGULAR ? known_stat(c, fd[0]) : 0;
  if (err != 0) return err;
  if (s->flags & VERIFY_REGULAR && !S_ISREG(c->stat.st_mode)) return -ENOENT;
  const char *name = chain_text(c, s);
  for (const char *end = name + s->text_size; name < end; name += strlen(name) + 1) {
    int has = has_attribute(c, s, fd, name);
    if (has <= 0) return has < 0 ? has : -ENOENT;
  }
  name = chain_text2(c, s);
  for (const char *end = name + s->text2_size; name < end; name += strlen(name) + 1) {
    int has = has_attribute(c, s, fd, name);
    if (has != 0) return has < 0 ? has : -ENOENT;
  }
  return 0;
}

static int has_attribute(struct chain *c, const struct step *s, const int fd[3], const char *name) {
  if (fd[2] != FD_NONE) return sidecar_has(c, sidecar_place(c, s, fd[2]), fd[0], name);
  int64_t size = sys_fgetxattr(&c->sys, fd[0], name, NULL, 0);
  if (size >= 0) return 1;
  return size == -ENODATA ? 0 : (int)size;
}

int64_t step_sync(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)s;
  (void)r;
  return sys_fsync(&c->sys, fd[0]);
}

int64_t step_writeback(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  enum { SYNC_WRITE = 2 /* SYNC_FILE_RANGE_WRITE */ };
  int err = sys_sync_file_range(&c->sys, fd[0], (int64_t)s->a, (int64_t)s->b, SYNC_WRITE);
  /* Only a hint: tmpfs and FUSE have nothing to start. */
  return err == -EINVAL || err == -ENOSYS || err == -EOPNOTSUPP || err == -ESPIPE ? 0 : err;
}

int64_t step_truncate(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  c->stat_fd = -1;
  return sys_ftruncate(&c->sys, fd[0], (int64_t)s->a);
}

int64_t step_times(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  c->stat_fd = -1;
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                              {.tv_sec = (time_t)s->a, .tv_nsec = (long)s->b}};
  return sys_futimens(&c->sys, fd[0], times);
}

int64_t step_owner(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  return sys_fchown(&c->sys, fd[0], (uid_t)s->a, (gid_t)s->b);
}

int64_t step_close(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)s;
  (void)r;
  c->stat_fd = -1;
  chain_forget(c, fd[0]);
  sys_close(&c->sys, fd[0]);
  return 0;
}
