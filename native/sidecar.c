/* Attributes in a sidecar directory: finding and reading them. */
#include "sidecar.h"

#include "attributes.h"
#include "path.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Policies, websites and the ends of 10,000 parts are far smaller. */
enum { ENTRIES_BYTES = 8 * 1024, MAX_RACES = 16, PREFIX = 5 };
/* One look sees neither what is moved there and back meanwhile, by those who remove and those who
 * were overtaken: while any are at work it takes several in a row that find the same. */
enum { QUIET_LOOKS = 3 };

const char SIDECAR_STAMP[] = "sgw-file";

struct dirent64_head {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

struct sidecar sidecar_place(const struct chain *c, const struct step *s, int root) {
  return (struct sidecar){root, c->pieces[s->piece].iov_base};
}

const char *sidecar_next(const char *place) { return place + strlen(place) + 1; }

int sidecar_path(struct sidecar at, const char *below, char path[PATH_MAX]) {
  const char *slash = at.place[0] == '\0' || below[0] == '\0' ? "" : "/";
  int n = snprintf(path, PATH_MAX, "%s%s%s", at.place, slash, below);
  return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int sidecar_directory(struct chain *c, struct sidecar at, const char *below) {
  char path[PATH_MAX];
  int err = sidecar_path(at, below, path);
  return err != 0 ? err : path_open(&c->sys, at.root, path, O_RDONLY | O_DIRECTORY, 0);
}

void sidecar_stamp(const struct stat *st, char stamp[STAMP_BYTES]) {
  snprintf(stamp, STAMP_BYTES, "%llu %lld.%09ld %lld", (unsigned long long)st->st_ino,
           (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_size);
}

bool sidecar_stamped(struct chain *c, int dir, const char *stamp) {
  char found[STAMP_BYTES];
  int fd = sys_openat(&c->sys, dir, SIDECAR_STAMP, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
  if (fd < 0) return false;
  int64_t n = sys_pread(&c->sys, fd, found, sizeof found, 0);
  sys_close(&c->sys, fd);
  return n == (int64_t)strlen(stamp) && memcmp(found, stamp, (size_t)n) == 0;
}

struct looking {
  const char *stamp;
  bool seen;     /* some slot, of a request that is under way */
  bool vanished; /* a slot that was listed: what it held may lie in another, or at the place */
};

static int open_if_stamped(struct chain *c, int slots, const char *name, void *context) {
  struct looking *l = context;
  int dir = sys_openat(&c->sys, slots, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  l->seen = true;
  l->vanished |= dir == -ENOENT;
  if (dir < 0) return 0;
  if (sidecar_stamped(c, dir, l->stamp)) return dir;
  sys_close(&c->sys, dir);
  return 0;
}

/* Written, but not yet exchanged: by a request that is under way, or was when its process died. */
static int find_pending(struct chain *c, struct sidecar at, struct looking *l) {
  int slots = sidecar_directory(c, at, ".sgwtmp");
  if (slots < 0) return slots;
  int found = each_name(c, slots, open_if_stamped, l);
  sys_close(&c->sys, slots);
  return found == 0 ? -ENOENT : found;
}

static bool same_directory(struct chain *c, int a, int b) {
  struct stat one, other;
  return sys_fstat(&c->sys, a, &one) == 0 && sys_fstat(&c->sys, b, &other) == 0 &&
         one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

/* What is stamped for another file, or not at all, serves where nothing better is found: VersityGW
 * has no stamps, and who copies both trees to another disk has new inodes. */
int sidecar_attributes(struct chain *c, struct sidecar at, const struct stat *st, bool *stamped) {
  int dir = sidecar_directory(c, at, "meta");
  *stamped = false;
  if (!S_ISREG(st->st_mode)) return dir;
  char stamp[STAMP_BYTES];
  sidecar_stamp(st, stamp);
  int quiet = 0;
  for (int i = 0; i < MAX_RACES; i++) {
    *stamped = dir >= 0 && sidecar_stamped(c, dir, stamp);
    if (*stamped) return dir;
    struct looking looking = {.stamp = stamp};
    int pending = find_pending(c, at, &looking);
    *stamped = pending >= 0;
    int again = pending >= 0 ? pending : sidecar_directory(c, at, "meta");
    bool same = dir < 0 || again < 0 ? dir == again : same_directory(c, dir, again);
    quiet = same && !looking.vanished ? quiet + 1 : 0;
    bool settled = pending >= 0 || quiet >= (looking.seen ? QUIET_LOOKS : 1);
    if (dir >= 0) sys_close(&c->sys, dir);
    dir = again;
    if (settled) break;
  }
  return dir;
}

int sidecar_value(struct chain *c, int dir, const char *name, struct buffer *value) {
  int fd = sys_openat(&c->sys, dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  struct stat st;
  int err = sys_fstat(&c->sys, fd, &st);
  /* A directory: of a key that goes on with `meta`. */
  if (err == 0 && !S_ISREG(st.st_mode)) err = -ENOENT;
  if (err == 0 && st.st_size > LONGEST_VALUE) err = -EFBIG;
  if (err == 0) err = buffer_grow(value, (size_t)st.st_size);
  size_t done = 0;
  while (err == 0 && done < (size_t)st.st_size) {
    int64_t n =
        sys_pread(&c->sys, fd, value->data + done, (size_t)st.st_size - done, (int64_t)done);
    if (n <= 0) {
      err = (int)n;
      break;
    }
    done += (size_t)n;
  }
  value->size = done;
  sys_close(&c->sys, fd);
  return err;
}

/* `name` is without `user.`. */
static int collect_file(struct chain *c, int dir, const char *name, uint32_t index,
                        struct collection *to) {
  char full[NAME_MAX + PREFIX + 1];
  struct buffer value = {0};
  int err = sidecar_value(c, dir, name, &value);
  snprintf(full, sizeof full, "user.%s", name);
  if (err == 0) err = collection_add(to, full, index, value.data, value.size);
  buffer_free(&value);
  return err == -ENOENT || err == -ELOOP || err == -ENXIO ? 0 : err;
}

static int collect_any(struct chain *c, int dir, const char *name, void *to) {
  if (strcmp(name, SIDECAR_STAMP) == 0 || strncmp(name, ".sgwtmp", 7) == 0) return 0;
  return collect_file(c, dir, name, UINT32_MAX, to);
}

/* Stamped attributes are whole while their stamp is there, which goes first. Others are the file's
 * while it has its name, as far as anyone can tell. */
static int check_unchanged(struct chain *c, struct found_by by, int file, int stamped) {
  struct stat ours, theirs;
  if (stamped >= 0) {
    int err = sys_fstatat(&c->sys, stamped, SIDECAR_STAMP, &theirs, AT_SYMLINK_NOFOLLOW);
    return err == -ENOENT ? -ESTALE : err;
  }
  int err = sys_fstat(&c->sys, file, &ours);
  if (err != 0 || ours.st_nlink == 0) return err != 0 ? err : -ESTALE;
  if (by.dir < 0) return 0;
  err = path_stat(&c->sys, by.dir, by.path, &theirs);
  bool same = err == 0 && ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
  return same ? 0 : -ESTALE;
}

int sidecar_read(struct chain *c, struct sidecar at, struct found_by by, int file,
                 const struct step *s, struct buffer *out) {
  bool batch = s->op == OP_stat_batch;
  const char *names = batch ? chain_text2(c, s) : chain_text(c, s);
  size_t size = batch ? s->text2_size : s->text_size;
  struct collection found = {0};
  struct stat st;
  bool stamped = false;
  int err = sys_fstat(&c->sys, file, &st);
  int dir = err != 0 ? err : sidecar_attributes(c, at, &st, &stamped);
  uint32_t index = 0;
  if (dir >= 0 && size == 0) err = each_name(c, dir, collect_any, &found);
  for (const char *n = names; dir >= 0 && err == 0 && n < names + size; n += strlen(n) + 1)
    err = collect_file(c, dir, n + PREFIX, index++, &found);
  if (dir < 0 && dir != -ENOENT && dir != -ENOTDIR) err = dir;
  if (err == 0 && S_ISREG(st.st_mode)) err = check_unchanged(c, by, file, stamped ? dir : -1);
  if (dir >= 0) sys_close(&c->sys, dir);
  return collection_finish(&found, err, out);
}

int sidecar_has(struct chain *c, struct sidecar at, int file, const char *name) {
  struct stat st, value;
  int err = sys_fstat(&c->sys, file, &st);
  bool stamped;
  int dir = err != 0 ? err : sidecar_attributes(c, at, &st, &stamped);
  if (dir < 0) return dir == -ENOENT || dir == -ENOTDIR ? 0 : dir;
  err = sys_fstatat(&c->sys, dir, name + PREFIX, &value, AT_SYMLINK_NOFOLLOW);
  sys_close(&c->sys, dir);
  if (err != 0) return err == -ENOENT ? 0 : err;
  return S_ISREG(value.st_mode);
}

int each_name(struct chain *c, int dir, visit_fn *visit, void *context) {
  uint8_t *entries = malloc(ENTRIES_BYTES);
  if (entries == NULL) return -ENOMEM;
  int64_t n = 0;
  int result = 0;
  while (result == 0 && (n = sys_getdents64(&c->sys, dir, entries, ENTRIES_BYTES)) > 0) {
    for (int64_t at = 0; result == 0 && at < n;) {
      const struct dirent64_head *e = (const void *)(entries + at);
      at += e->size;
      if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0) continue;
      result = visit(c, dir, e->name, context);
    }
    if (pool_stopping(c->shared->pool)) result = -ECANCELED;
  }
  free(entries);
  /* A directory that has been removed: it holds nothing. */
  return result == 0 && n < 0 && n != -ENOENT ? (int)n : result;
}
