/* Steps on more than one directory: parents made and pruned, trees removed. */
#include "buffer.h"
#include "path.h"
#include "sidecar.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_RACES = 128, MAX_DEPTH = 512, ENTRIES_BYTES = 32 * 1024 };

static int make_path(struct chain *c, const struct step *s, int dir, char *path,
                     struct buffer *syncs);
static int make_one(struct chain *c, const struct step *s, int dir, const char *name,
                    struct buffer *syncs);
static int has_attribute(struct chain *c, int fd, const char *name, struct sidecar place);
static int64_t remove_tree(struct chain *c, int dir, const char *name, int depth);
static int64_t empty_directory(struct chain *c, int fd, int depth);

static int open_directory(struct chain *c, int dir, const char *path) {
  return path_open(&c->sys, dir, path, O_RDONLY | O_DIRECTORY, 0);
}

/* Output: start and end (doubles) of each fsync. */
int64_t step_make_parents(struct chain *c, const struct step *s, const int fd[3],
                          struct result *r) {
  const char *path = chain_text(c, s);
  struct buffer syncs = {0};
  int made = open_directory(c, fd[0], path);
  /* ENOENT after the first time: someone pruned the directory that was just made or found. */
  for (int i = 0; made == -ENOENT && i < MAX_RACES; i++) {
    char *copy = strdup(path);
    made = copy == NULL ? -ENOMEM : make_path(c, s, fd[0], copy, &syncs);
    free(copy);
  }
  int err = made < 0 ? made : chain_opened(c, made, false);
  if (err == 0) return buffer_output(&syncs, c, r) != 0 ? -ENOMEM : made;
  buffer_free(&syncs);
  return err;
}

/* Goes up to the deepest directory that exists, then down again, making the rest. Cuts `path`. */
static int make_path(struct chain *c, const struct step *s, int dir, char *path,
                     struct buffer *syncs) {
  char *end = path + strlen(path);
  int at = -ENOENT;
  char *cut = end;
  while (at == -ENOENT) {
    while (cut > path && *--cut != '/') continue;
    char kept = *cut;
    *cut = '\0';
    at = open_directory(c, dir, cut == path ? "" : path);
    *cut = kept;
    if (cut == path) break;
  }
  if (at < 0) return at;
  for (char *name = cut == path ? path : cut + 1; name < end;) {
    char *slash = strchrnul(name, '/');
    *slash = '\0';
    int next = make_one(c, s, at, name, syncs);
    sys_close(&c->sys, at);
    if (next < 0) return next;
    at = next;
    name = slash + 1;
  }
  return at;
}

/* Syncs `dir` even if another request was quicker at making `name`: its sync may still be to come.
 */
static int make_one(struct chain *c, const struct step *s, int dir, const char *name,
                    struct buffer *syncs) {
  int err = sys_mkdirat(&c->sys, dir, name, s->mode);
  if (err != 0 && err != -EEXIST) return err;
  int made = open_directory(c, dir, name);
  if (made < 0) return made;
  if (err == 0 && (s->flags & MAKE_OWNER))
    err = sys_fchown(&c->sys, made, (uid_t)s->a, (gid_t)s->b);
  if (err == -EEXIST) err = 0;
  if (err == 0 && (s->flags & MAKE_SYNC)) {
    double times[2] = {now_ns()};
    err = sys_fsync(&c->sys, dir);
    times[1] = now_ns();
    if (err == 0) err = buffer_append(syncs, times, sizeof times);
  }
  if (err == 0) return made;
  sys_close(&c->sys, made);
  return err;
}

/* Output as of make_parents. Value: directories removed. */
int64_t step_prune(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  char *path = strdup(chain_text(c, s));
  if (path == NULL) return -ENOMEM;
  int64_t removed = 0;
  int err = 0;
  struct sidecar place = {fd[2], fd[2] == FD_NONE ? NULL : sidecar_place(c, s, fd[2]).place};
  int at = open_directory(c, fd[0], path);
  while (path[0] != '\0' && (at >= 0 || at == -ENOENT)) {
    char *slash = strrchr(path, '/');
    char *name = slash == NULL ? path : slash + 1;
    int parent;
    if (slash != NULL) *slash = '\0';
    parent = open_directory(c, fd[0], slash == NULL ? "" : path);
    if (parent < 0 && parent != -ENOENT) {
      err = parent;
      break;
    }
    /* Gone already: another request pruned it. */
    if (at >= 0 && parent >= 0) {
      int stop = has_attribute(c, at, chain_text2(c, s), place);
      if (stop == 0) stop = sys_unlinkat(&c->sys, parent, name, AT_REMOVEDIR);
      if (stop == 0) removed++;
      if (stop == 0 && place.place != NULL) sidecar_forget(c, place, parent, name, true);
      if (stop != 0 && stop != -ENOENT) {
        sys_close(&c->sys, parent);
        if (stop < 0 && stop != -ENOTEMPTY && stop != -EEXIST && stop != -EBUSY) err = stop;
        break;
      }
    }
    if (at >= 0) sys_close(&c->sys, at);
    at = parent;
    if (place.place != NULL) place.place = sidecar_next(place.place);
    if (slash == NULL) break;
  }
  free(path);
  if (at < 0 && at != -ENOENT && err == 0) err = at;
  if (err == 0 && at >= 0 && (s->flags & MAKE_SYNC)) {
    double *times = chain_output(c, r, 2 * sizeof(double));
    double start = now_ns();
    err = times == NULL ? -ENOMEM : sys_fsync(&c->sys, at);
    if (times != NULL) {
      times[0] = start;
      times[1] = now_ns();
    }
  }
  if (at >= 0) sys_close(&c->sys, at);
  return err != 0 ? err : removed;
}

/* 1, 0 or -errno. File systems without attributes have none. */
static int has_attribute(struct chain *c, int fd, const char *name, struct sidecar place) {
  if (name[0] == '\0') return 0;
  if (place.place != NULL) return sidecar_has(c, place, fd, name);
  int64_t n = sys_fgetxattr(&c->sys, fd, name, NULL, 0);
  if (n >= 0) return 1;
  return n == -ENODATA || n == -EOPNOTSUPP ? 0 : (int)n;
}

int64_t step_remove_tree(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  const char *name;
  bool opened;
  int parent = path_parent(&c->sys, fd[0], chain_text(c, s), &name, &opened);
  if (parent < 0) return parent;
  bool safe = name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
  int64_t removed = safe ? remove_tree(c, parent, name, 0) : -EINVAL;
  if (opened) sys_close(&c->sys, parent);
  if (removed >= 0 && fd[2] != FD_NONE) sidecar_forget_tree(c, sidecar_place(c, s, fd[2]));
  return removed;
}

int64_t tree_remove(struct chain *c, int dir, const char *name) {
  return remove_tree(c, dir, name, 0);
}

static int64_t remove_tree(struct chain *c, int dir, const char *name, int depth) {
  if (depth > MAX_DEPTH) return -ELOOP;
  if (pool_stopping(c->shared->pool)) return -ECANCELED;
  int64_t removed = 0;
  for (int i = 0; i < MAX_RACES; i++) {
    int fd = sys_openat(&c->sys, dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd == -ENOTDIR || fd == -ELOOP) {
      int err = sys_unlinkat(&c->sys, dir, name, 0);
      return err == 0 ? removed + 1 : err;
    }
    if (fd < 0) return fd;
    int64_t n = empty_directory(c, fd, depth);
    sys_close(&c->sys, fd);
    if (n < 0) return n;
    removed += n;
    int err = sys_unlinkat(&c->sys, dir, name, AT_REMOVEDIR);
    if (err == 0) return removed + 1;
    /* Something was put in meanwhile, or the file system skips entries while others go. */
    if (err != -ENOTEMPTY && err != -EEXIST) return err;
  }
  return -ENOTEMPTY;
}

struct dirent64_head {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

static int64_t remove_entry(struct chain *c, int fd, const struct dirent64_head *e, int depth) {
  if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0) return 0;
  if (e->type == DT_DIR || e->type == DT_UNKNOWN) return remove_tree(c, fd, e->name, depth + 1);
  int err = sys_unlinkat(&c->sys, fd, e->name, 0);
  if (err == -EISDIR) return remove_tree(c, fd, e->name, depth + 1);
  return err == 0 ? 1 : err;
}

static int64_t empty_directory(struct chain *c, int fd, int depth) {
  uint8_t *entries = malloc(ENTRIES_BYTES);
  if (entries == NULL) return -ENOMEM;
  int64_t removed = 0, n;
  while ((n = sys_getdents64(&c->sys, fd, entries, ENTRIES_BYTES)) > 0) {
    for (int64_t at = 0; at < n;) {
      const struct dirent64_head *e = (const void *)(entries + at);
      at += e->size;
      int64_t done = remove_entry(c, fd, e, depth);
      if (done < 0 && done != -ENOENT) {
        free(entries);
        return done;
      }
      if (done > 0) removed += done;
    }
  }
  free(entries);
  return n < 0 ? n : removed;
}
