/* Attributes in a sidecar directory: written, in their place or for a file that has no name yet. */
#include "sidecar.h"

#include "attributes.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A mode as VersityGW's, under the umask; values are the gateway's own business. */
enum { DIRECTORY_MODE = 0777, VALUE_MODE = 0600, MAX_RACES = 16, PREFIX = 5 };

int sidecar_new_slot(char name[33]) {
  uint8_t bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return -EIO;
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(name + 2 * i, 3, "%02x", bytes[i]);
  return 0;
}

static int enter(struct chain *c, int at, const char *name, bool sync) {
  int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int next = sys_openat(&c->sys, at, name, flags, 0);
  if (next != -ENOENT) return next;
  int err = sys_mkdirat(&c->sys, at, name, DIRECTORY_MODE);
  if (err == 0 && sync) err = sys_fsync(&c->sys, at);
  return err == 0 || err == -EEXIST ? sys_openat(&c->sys, at, name, flags, 0) : err;
}

static int make_path(struct chain *c, int root, char *path, bool sync) {
  int at = sys_openat(&c->sys, root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  for (char *name = path, *end; at >= 0 && *name != '\0'; name = end) {
    end = strchrnul(name, '/');
    if (*end == '/') *end++ = '\0';
    int next = enter(c, at, name, sync);
    sys_close(&c->sys, at);
    at = next;
  }
  return at;
}

int sidecar_make_directory(struct chain *c, struct sidecar at, const char *below, bool sync) {
  int dir = -ENOENT;
  for (int i = 0; dir == -ENOENT && i < MAX_RACES; i++) {
    char path[PATH_MAX];
    int err = sidecar_path(at, below, path);
    if (err != 0) return err;
    dir = make_path(c, at.root, path, sync);
  }
  return dir;
}

/* Whoever reads sees the old value or the new one. */
static int write_value(struct chain *c, int dir, const struct change *change, bool sync) {
  char temporary[8 + 33] = ".sgwtmp.";
  int err = sidecar_new_slot(temporary + 8);
  if (err != 0) return err;
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  int fd = sys_openat(&c->sys, dir, temporary, flags, VALUE_MODE);
  if (fd < 0) return fd;
  size_t done = 0;
  while (err == 0 && done < change->size) {
    struct iovec piece = {(void *)(change->value + done), change->size - done};
    int64_t n = sys_pwritev(&c->sys, fd, &piece, 1, (int64_t)done);
    if (n <= 0)
      err = n < 0 ? (int)n : -EIO;
    else
      done += (size_t)n;
  }
  if (err == 0 && sync) err = sys_fsync(&c->sys, fd);
  sys_close(&c->sys, fd);
  if (err == 0) err = sys_renameat2(&c->sys, dir, temporary, dir, change->name + PREFIX, 0);
  if (err != 0) sys_unlinkat(&c->sys, dir, temporary, 0);
  return err;
}

static int write_changes(struct chain *c, int dir, const uint8_t *at, bool sync) {
  struct change change;
  int more, err = 0;
  while (err == 0 && (more = next_change(c, &at, &change)) != 0) {
    if (more < 0) return more;
    if (!change.removes)
      err = write_value(c, dir, &change, sync);
    else
      err = sys_unlinkat(&c->sys, dir, change.name + PREFIX, 0);
    if (change.removes && err == -ENOENT) err = 0;
  }
  return err;
}

static int write_stamp(struct chain *c, int dir, const struct stat *st, bool sync) {
  char stamp[STAMP_BYTES], name[PREFIX + 16];
  sidecar_stamp(st, stamp);
  snprintf(name, sizeof name, "user.%s", SIDECAR_STAMP);
  struct change change = {.name = name, .value = (const uint8_t *)stamp, .size = strlen(stamp)};
  return write_value(c, dir, &change, sync);
}

static bool sets_something(struct chain *c, const uint8_t *at) {
  struct change change;
  while (next_change(c, &at, &change) > 0)
    if (!change.removes) return true;
  return false;
}

static int write_in_place(struct chain *c, struct sidecar at, int file, bool sync,
                          const uint8_t *changes) {
  struct stat st;
  int err = sys_fstat(&c->sys, file, &st);
  if (err != 0) return err;
  bool stamped;
  int dir = sidecar_attributes(c, at, &st, &stamped);
  bool made = dir == -ENOENT;
  if (made && !sets_something(c, changes)) return 0;
  if (made) dir = sidecar_make_directory(c, at, "meta", sync);
  if (dir < 0) return dir;
  err = write_changes(c, dir, changes, sync);
  if (err == 0 && sync) err = sys_fsync(&c->sys, dir);
  sys_close(&c->sys, dir);
  /* Of a file that was removed meanwhile, by somebody who found nothing to remove here. */
  if (made && sys_fstat(&c->sys, file, &st) == 0 && st.st_nlink == 0)
    sidecar_forget(c, at, -1, NULL, false);
  return err;
}

struct copying {
  int to;
  bool sync;
};

static int copy_value(struct chain *c, int from, const char *name, void *context) {
  const struct copying *copying = context;
  char full[NAME_MAX + PREFIX + 1];
  struct buffer value = {0};
  if (strcmp(name, SIDECAR_STAMP) == 0 || strncmp(name, ".sgwtmp", 7) == 0) return 0;
  int err = sidecar_value(c, from, name, &value);
  snprintf(full, sizeof full, "user.%s", name);
  struct change change = {.name = full, .value = value.data, .size = value.size};
  if (err == 0) err = write_value(c, copying->to, &change, copying->sync);
  buffer_free(&value);
  return err == -ENOENT ? 0 : err;
}

/* What a file has under one name goes with it to the other. */
static int copy_values(struct chain *c, struct sidecar from, const struct stat *st,
                       struct copying to) {
  bool stamped;
  int dir = sidecar_attributes(c, from, st, &stamped);
  if (dir < 0) return dir == -ENOENT ? 0 : dir;
  int err = each_name(c, dir, copy_value, &to);
  sys_close(&c->sys, dir);
  return err;
}

static int add_pending(struct chain *c, struct sidecar at, int file, bool sync) {
  struct pending *p = calloc(1, sizeof *p);
  char *place = strdup(at.place);
  if (p == NULL || place == NULL) {
    free(p);
    free(place);
    return -ENOMEM;
  }
  *p = (struct pending){.at = {at.root, place}, .file = file, .sync = sync, .next = c->pending};
  c->pending = p;
  return sidecar_new_slot(p->slot);
}

static int write_pending(struct chain *c, struct sidecar at, int file, uint32_t flags,
                         const uint8_t *changes) {
  bool sync = flags & WRITE_SYNC;
  const struct pending *p = c->pending;
  char below[8 + 33] = ".sgwtmp/";
  memcpy(below + 8, p->slot, sizeof p->slot);
  int dir = sidecar_make_directory(c, at, below, sync);
  if (dir < 0) return dir;
  struct stat st;
  int err = sys_fstat(&c->sys, file, &st);
  if (err == 0 && (flags & WRITE_COPY))
    err = copy_values(c, (struct sidecar){at.root, sidecar_next(at.place)}, &st,
                      (struct copying){dir, sync});
  if (err == 0) err = write_changes(c, dir, changes, sync);
  /* Last: what has no stamp is not whole. */
  if (err == 0) err = write_stamp(c, dir, &st, sync);
  if (err == 0 && sync) err = sys_fsync(&c->sys, dir);
  sys_close(&c->sys, dir);
  return err;
}

/* A directory may vanish while it is filled: what there is of a bucket goes with the bucket, which
 * may be there again already. */
int sidecar_write(struct chain *c, struct sidecar at, int file, uint32_t flags,
                  const uint8_t *changes) {
  bool sync = flags & WRITE_SYNC;
  int err = flags & WRITE_PENDING ? add_pending(c, at, file, sync) : 0;
  if (err != 0) return err;
  err = -ENOENT;
  for (int i = 0; err == -ENOENT && i < MAX_RACES; i++)
    err = flags & WRITE_PENDING ? write_pending(c, at, file, flags, changes)
                                : write_in_place(c, at, file, sync, changes);
  return err;
}
