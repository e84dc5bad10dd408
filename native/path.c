#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RACES = 128 };

static int walk(struct sys *s, int dir, char *path, int flags, uint32_t mode);
static int walk_into(struct sys *s, int dir, const char *name);

int path_open(struct sys *s, int dir, const char *path, int flags, uint32_t mode) {
  if (path[0] == '/') return -EXDEV;
  if (path[0] == '\0') path = ".";
  flags |= O_CLOEXEC;
  if (s->follow_symlinks) return sys_openat(s, dir, path, flags, mode);

  if (!atomic_load_explicit(s->no_openat2, memory_order_relaxed)) {
    int fd;
    /* EAGAIN: a rename or mount raced with the resolution; it may have left `dir` for a moment. */
    for (int i = 0; (fd = sys_open_beneath(s, dir, path, (uint64_t)flags, mode)) == -EAGAIN; i++)
      if (i == MAX_RACES) return fd;
    if (fd != -ENOSYS && fd != -EPERM) return fd;
    /* EPERM is also what an immutable directory answers to O_CREAT. */
    if (fd == -EPERM) {
      int probe = sys_open_beneath(s, dir, ".", O_PATH | O_CLOEXEC, 0);
      if (probe >= 0) {
        sys_close(s, probe);
        return fd;
      }
    }
    /* Docker before 20.10 and old gVisor: the filter knows no openat2. */
    atomic_store(s->no_openat2, true);
  }

  char *copy = strdup(path);
  if (copy == NULL) return -ENOMEM;
  int fd = walk(s, dir, copy, flags, mode);
  free(copy);
  return fd;
}

/* openat2's answer from openat alone: each component is opened without following links, so that a
 * directory swapped for a link in between is an error and never a detour. Cuts `path` up. */
static int walk(struct sys *s, int dir, char *path, int flags, uint32_t mode) {
  int at = dir;
  for (char *name = path;;) {
    while (*name == '/') name++;
    char *end = strchrnul(name, '/');
    char *next = end;
    while (*next == '/') next++;
    bool last = *next == '\0';
    if (last && *end == '/') flags |= O_DIRECTORY;
    *end = '\0';

    int fd;
    if (strcmp(name, "..") == 0) {
      fd = -EXDEV;
    } else if (last) {
      fd = sys_openat(s, at, *name ? name : ".", flags | O_NOFOLLOW, mode);
      struct stat st;
      if (fd == -ENOTDIR && sys_fstatat(s, at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
          S_ISLNK(st.st_mode))
        fd = -ELOOP;
    } else {
      fd = walk_into(s, at, name);
    }
    if (at != dir) sys_close(s, at);
    if (last || fd < 0) return fd;
    at = fd;
    name = next;
  }
}

static int walk_into(struct sys *s, int dir, const char *name) {
  int fd = sys_openat(s, dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  struct stat st;
  if (fd == -ENOTDIR && sys_fstatat(s, dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISLNK(st.st_mode))
    return -ELOOP;
  return fd;
}

int path_parent(struct sys *s, int dir, const char *path, const char **name, bool *opened) {
  *opened = false;
  const char *slash = strrchr(path, '/');
  if (slash == NULL) {
    *name = path;
    return dir;
  }
  *name = slash + 1;
  char *parent = strndup(path, (size_t)(slash - path));
  if (parent == NULL) return -ENOMEM;
  int fd = path_open(s, dir, parent, O_PATH | O_DIRECTORY, 0);
  free(parent);
  *opened = fd >= 0;
  return fd;
}

int path_stat(struct sys *s, int dir, const char *path, struct stat *st) {
  if (path[0] == '\0') return sys_fstatat(s, dir, "", st, AT_EMPTY_PATH);
  if (strchr(path, '/') == NULL)
    return sys_fstatat(s, dir, path, st, s->follow_symlinks ? 0 : AT_SYMLINK_NOFOLLOW);
  int fd = path_open(s, dir, path, O_PATH | (s->follow_symlinks ? 0 : O_NOFOLLOW), 0);
  if (fd < 0) return fd;
  int err = sys_fstat(s, fd, st);
  sys_close(s, fd);
  return err;
}
