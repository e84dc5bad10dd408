/* Attributes in a sidecar directory: published with their file, moved and removed with it. */
#include "sidecar.h"

#include "path.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_RACES = 16 };

static bool is_named(struct chain *c, int dir, const char *name, const char *stamp) {
  struct stat st;
  char current[STAMP_BYTES];
  if (sys_fstatat(&c->sys, dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
  sidecar_stamp(&st, current);
  return strcmp(current, stamp) == 0;
}

static bool is_absent(struct chain *c, int dir, const char *name) {
  struct stat st;
  return dir < 0 || sys_fstatat(&c->sys, dir, name, &st, AT_SYMLINK_NOFOLLOW) == -ENOENT;
}

/* The stamp first: who is reading them learns that he may have missed some. */
static void drop_slot(struct chain *c, int slots, const char *slot) {
  char path[64];
  snprintf(path, sizeof path, "%s/%s", slot, SIDECAR_STAMP);
  sys_unlinkat(&c->sys, slots, path, 0);
  tree_remove(c, slots, slot);
}

/* A place and its slots, open, and the name of one of them. */
struct held {
  int place, slots;
  const char *slot;
};

/* Puts the slot where attributes are found; what was there is in the slot then, or there is none.
 */
static int exchange(struct chain *c, struct held held) {
  int place = held.place, slots = held.slots;
  const char *slot = held.slot;
  int err = -ENOENT;
  for (int i = 0; i < MAX_RACES; i++) {
    err = sys_renameat2(&c->sys, slots, slot, place, "meta", RENAME_EXCHANGE);
    /* Nothing there yet; or names cannot be exchanged (NFS, many FUSE file systems). */
    bool absent = err == -ENOENT;
    if (!absent && err != -EINVAL && err != -ENOSYS && err != -EOPNOTSUPP) return err;
    err = sys_renameat2(&c->sys, slots, slot, place, "meta", 0);
    if (err != -ENOTEMPTY && err != -EEXIST) return err;
    if (absent) continue;
    char aside[33];
    err = sidecar_new_slot(aside);
    if (err == 0) err = sys_renameat2(&c->sys, place, "meta", slots, aside, 0);
    if (err == -ENOENT) continue;
    if (err != 0) return err;
    err = sys_renameat2(&c->sys, slots, slot, place, "meta", 0);
    if (err == 0) return sys_renameat2(&c->sys, slots, aside, slots, slot, 0);
    drop_slot(c, slots, aside);
  }
  return err;
}

static bool holds(struct chain *c, int slots, const char *slot, const char *stamp) {
  int held = sys_openat(&c->sys, slots, slot, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  if (held < 0) return false;
  bool is = sidecar_stamped(c, held, stamp);
  sys_close(&c->sys, held);
  return is;
}

/* Whether what a slot holds belongs to the file that has the name. */
static bool holds_named(struct chain *c, struct held held, struct name of) {
  struct stat st;
  char stamp[STAMP_BYTES];
  if (of.dir < 0 || sys_fstatat(&c->sys, of.dir, of.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return false;
  sidecar_stamp(&st, stamp);
  return holds(c, held.slots, held.slot, stamp);
}

/* Puts the slot where attributes are found, for the file of this stamp that has the name. What
 * comes out may be newer than what goes in, of one who was quicker behind us: it goes back, and so
 * does what another has put there meanwhile. */
static int put_in_place(struct chain *c, struct held held, struct name of, const char *stamp) {
  int err = exchange(c, held);
  for (int i = 0; err == 0 && i < MAX_RACES; i++) {
    if (is_named(c, of.dir, of.name, stamp) || !holds_named(c, held, of)) break;
    err = exchange(c, held);
  }
  return err;
}

/* Removes the place and those above it, up to the bucket's, as far as they are empty. */
static void prune(struct chain *c, struct sidecar at) {
  char path[PATH_MAX];
  if (sidecar_path(at, ".sgwtmp", path) != 0) return;
  while (strchr(path, '/') != NULL) {
    int err = sys_unlinkat(&c->sys, at.root, path, AT_REMOVEDIR);
    if (err != 0 && err != -ENOENT) return;
    *strrchr(path, '/') = '\0';
  }
}

/* What a process that died has left: nobody writes attributes for so long. */
enum { ABANDONED_S = 24 * 3600 };

static int remove_abandoned(struct chain *c, int slots, const char *slot, void *context) {
  (void)context;
  struct stat st;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (sys_fstatat(&c->sys, slots, slot, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
      st.st_mtim.tv_sec < now.tv_sec - ABANDONED_S && strlen(slot) == 32)
    drop_slot(c, slots, slot);
  return 0;
}

int sidecar_publish(struct chain *c, int file, int dir, const char *name) {
  struct pending *p = c->pending;
  while (p != NULL && (p->file != file || p->done)) p = p->next;
  if (p == NULL) return 0;
  struct stat st;
  char stamp[STAMP_BYTES];
  int place = -1, slots = -1;
  int err = sys_fstat(&c->sys, file, &st);
  if (err == 0) err = place = sidecar_directory(c, p->at, "");
  if (err >= 0) err = slots = sidecar_directory(c, p->at, ".sgwtmp");
  if (err >= 0) {
    err = 0;
    sidecar_stamp(&st, stamp);
    /* Else somebody else's file has the name by now: ours was there, and is gone. */
    if (is_named(c, dir, name, stamp)) {
      struct held held = {place, slots, p->slot};
      err = put_in_place(c, held, (struct name){dir, name}, stamp);
      if (err == 0 && p->sync) err = sys_fsync(&c->sys, place);
    }
  }
  c->sys.cleaning_up = true;
  if (err == 0) {
    drop_slot(c, slots, p->slot);
    p->done = true;
    each_name(c, slots, remove_abandoned, NULL);
    if (is_absent(c, dir, name))
      sidecar_forget(c, p->at, dir, name, false);
    else
      prune(c, p->at);
  }
  /* On failure the file has its name all the same, and finds its attributes in the slot. */
  p->done = true;
  c->sys.cleaning_up = false;
  if (slots >= 0) sys_close(&c->sys, slots);
  if (place >= 0) sys_close(&c->sys, place);
  return err;
}

void sidecar_drop_pending(struct chain *c) {
  while (c->pending != NULL) {
    struct pending *p = c->pending;
    c->pending = p->next;
    int slots = p->done ? -1 : sidecar_directory(c, p->at, ".sgwtmp");
    if (slots >= 0) {
      drop_slot(c, slots, p->slot);
      sys_close(&c->sys, slots);
      prune(c, p->at);
    }
    free((char *)p->at.place);
    free(p);
  }
}

static int remove_value(struct chain *c, int dir, const char *name, void *context) {
  (void)context;
  sys_unlinkat(&c->sys, dir, name, 0);
  return 0;
}

/* Leaves directories: they hold attributes of keys that go on with `meta`. */
static void forget_directory(struct chain *c, struct sidecar at) {
  char path[PATH_MAX];
  int dir = sidecar_directory(c, at, "meta");
  if (dir < 0) return;
  each_name(c, dir, remove_value, NULL);
  sys_close(&c->sys, dir);
  if (sidecar_path(at, "meta", path) == 0) sys_unlinkat(&c->sys, at.root, path, AT_REMOVEDIR);
}

static void forget_file(struct chain *c, struct sidecar at, int dir, const char *name) {
  char slot[33], path[PATH_MAX];
  int attributes = sidecar_directory(c, at, "meta");
  if (attributes < 0 || sidecar_new_slot(slot) != 0 || sidecar_path(at, "", path) != 0) return;
  sys_close(&c->sys, attributes);
  int slots = sidecar_make_directory(c, at, ".sgwtmp", false);
  int place = slots < 0 ? slots : sidecar_directory(c, at, "");
  if (place >= 0 && sys_renameat2(&c->sys, place, "meta", slots, slot, 0) == 0) {
    /* One who has put a new file there since, and had got this far: it stays his, also where
     * another has put there meanwhile what is of no file any more. */
    struct stat st;
    char stamp[STAMP_BYTES];
    int err = 0;
    if (dir >= 0 && sys_fstatat(&c->sys, dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
      sidecar_stamp(&st, stamp);
      if (holds(c, slots, slot, stamp))
        err = put_in_place(c, (struct held){place, slots, slot}, (struct name){dir, name}, stamp);
    }
    if (err == 0) drop_slot(c, slots, slot);
  }
  if (place >= 0) sys_close(&c->sys, place);
  if (slots >= 0) sys_close(&c->sys, slots);
}

void sidecar_forget(struct chain *c, struct sidecar at, int dir, const char *name, bool directory) {
  bool was = c->sys.cleaning_up;
  c->sys.cleaning_up = true;
  if (is_absent(c, dir, name)) {
    bool bucket = directory && strchr(at.place, '/') == NULL;
    if (bucket)
      sidecar_forget_tree(c, at);
    else if (directory)
      forget_directory(c, at);
    else
      forget_file(c, at, dir, name);
    prune(c, at);
  }
  c->sys.cleaning_up = was;
}

void sidecar_forget_tree(struct chain *c, struct sidecar at) {
  char path[PATH_MAX];
  bool was = c->sys.cleaning_up;
  c->sys.cleaning_up = true;
  if (at.place[0] != '\0' && sidecar_path(at, "", path) == 0) {
    const char *name;
    bool opened;
    int parent = path_parent(&c->sys, at.root, path, &name, &opened);
    if (parent >= 0) tree_remove(c, parent, name);
    if (opened) sys_close(&c->sys, parent);
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
      *slash = '\0';
      prune(c, (struct sidecar){at.root, path});
    }
  }
  c->sys.cleaning_up = was;
}

static int move_place(struct chain *c, struct sidecar from, struct sidecar to) {
  char source[PATH_MAX], target[PATH_MAX];
  int err = sidecar_path(from, "", source);
  if (err == 0) err = sidecar_path(to, "", target);
  if (err != 0) return err;
  char *slash = strrchr(target, '/');
  if (slash != NULL) {
    *slash = '\0';
    int parent = sidecar_make_directory(c, (struct sidecar){to.root, target}, "", false);
    if (parent < 0) return parent;
    sys_close(&c->sys, parent);
    *slash = '/';
  }
  sidecar_forget_tree(c, to);
  return sys_renameat2(&c->sys, from.root, source, to.root, target, 0);
}

/* Attributes go first: whoever sees the name sees what it says, also where we are killed between.
 * What lies at the target's place while nothing has its name is what such a death left. */
int sidecar_rename(struct chain *c, struct sidecar from, const char *to, const struct name names[2],
                   unsigned flags) {
  const struct name *a = &names[0], *b = &names[1];
  struct sidecar at = {from.root, to};
  int held = strcmp(from.place, to) == 0 ? -ENOENT : sidecar_directory(c, from, "");
  bool is_bucket = strchr(to, '/') == NULL && is_absent(c, b->dir, b->name);
  if (held < 0 && is_bucket) sidecar_forget_tree(c, at);
  if (held < 0) return sys_renameat2(&c->sys, a->dir, a->name, b->dir, b->name, flags);
  sys_close(&c->sys, held);
  if (!is_absent(c, b->dir, b->name) && (flags & RENAME_NOREPLACE)) return -EEXIST;
  int err = move_place(c, from, at);
  if (err != 0) return err;
  err = sys_renameat2(&c->sys, a->dir, a->name, b->dir, b->name, flags);
  if (err != 0) move_place(c, at, from);
  return err;
}
