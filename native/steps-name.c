/* Steps on names in a directory: link, rename, remove, make, lock. */
#include "chain.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { LINKED, RENAMED };

/* A name one level below a directory descriptor that may have to be closed again. */
struct place {
  int dir;
  bool opened;
  const char *name;
};

static int find_place(struct chain *c, int dir, const char *path, struct place *p);
static void leave_place(struct chain *c, const struct place *p);
static int64_t link_unnamed(struct chain *c, int file, const struct place *to, int tmp_dir,
                            bool replace);
static int64_t link_named(struct chain *c, int file, int tmp_dir, const char *from,
                          const struct place *to, bool replace);
static int link_file(struct chain *c, int file, int dir, const char *name);
static int check_retransmission(struct chain *c, int file, const struct place *to);
static int random_name(char name[33]);

int64_t step_link(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  struct place to;
  int err = find_place(c, fd[1], chain_text(c, s), &to);
  if (err != 0) return err;
  bool replace = s->flags & LINK_REPLACE;
  int64_t value = s->text2_size > 0 ? link_named(c, fd[0], fd[2], chain_text2(c, s), &to, replace)
                                    : link_unnamed(c, fd[0], &to, fd[2], replace);
  leave_place(c, &to);
  return value;
}

/* linkat cannot replace a name and rename cannot name an O_TMPFILE, so an overwrite links to a
 * private name and renames that: readers see the old file or the new one. */
static int64_t link_unnamed(struct chain *c, int file, const struct place *to, int tmp_dir,
                            bool replace) {
  int err = link_file(c, file, to->dir, to->name);
  if (err == -EEXIST && !replace) err = check_retransmission(c, file, to);
  if (err != -EEXIST || !replace) return err != 0 ? err : LINKED;

  char name[33];
  err = random_name(name);
  if (err == 0) err = link_file(c, file, tmp_dir, name);
  if (err != 0) return err;
  err = sys_renameat2(&c->sys, tmp_dir, name, to->dir, to->name, 0);
  if (err == 0) return RENAMED;
  c->sys.cleaning_up = true;
  sys_unlinkat(&c->sys, tmp_dir, name, 0);
  c->sys.cleaning_up = false;
  return err;
}

static int64_t link_named(struct chain *c, int file, int tmp_dir, const char *from,
                          const struct place *to, bool replace) {
  int err;
  if (replace) {
    err = sys_renameat2(&c->sys, tmp_dir, from, to->dir, to->name, 0);
    if (err != 0) return err;
    chain_published(c, tmp_dir, from);
    return RENAMED;
  }
  err = sys_linkat(&c->sys, tmp_dir, from, to->dir, to->name, 0);
  if (err == -EEXIST) err = check_retransmission(c, file, to);
  /* vfat, exFAT and some FUSE file systems have no hard links. */
  if (err == -EPERM || err == -EOPNOTSUPP || err == -ENOSYS) {
    err = sys_renameat2(&c->sys, tmp_dir, from, to->dir, to->name, RENAME_NOREPLACE);
    if (err != 0) return err;
    chain_published(c, tmp_dir, from);
    return RENAMED;
  }
  if (err != 0) return err;
  /* The file is published: a second name left behind is litter, not a failure. */
  chain_published(c, tmp_dir, from);
  if (sys_unlinkat(&c->sys, tmp_dir, from, 0) != 0) chain_temporary(c, tmp_dir, from, true);
  return LINKED;
}

static int link_file(struct chain *c, int file, int dir, const char *name) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  int err = sys_linkat(&c->sys, AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
  /* No /proc (a chroot): this way needs CAP_DAC_READ_SEARCH before Linux 6.10. */
  if (err == -ENOENT) err = sys_linkat(&c->sys, file, "", dir, name, AT_EMPTY_PATH);
  return err;
}

/* NFS may answer EEXIST to a link that it made when the request was first sent. */
static int check_retransmission(struct chain *c, int file, const struct place *to) {
  struct stat ours, theirs;
  if (sys_fstat(&c->sys, file, &ours) != 0 || ours.st_nlink < 1) return -EEXIST;
  if (sys_fstatat(&c->sys, to->dir, to->name, &theirs, AT_SYMLINK_NOFOLLOW) != 0) return -EEXIST;
  return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino ? 0 : -EEXIST;
}

static int random_name(char name[33]) {
  uint8_t bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return -EIO;
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(name + 2 * i, 3, "%02x", bytes[i]);
  return 0;
}

static int find_place(struct chain *c, int dir, const char *path, struct place *p) {
  p->dir = path_parent(&c->sys, dir, path, &p->name, &p->opened);
  if (p->dir < 0) return p->dir;
  if (p->name[0] != '\0' && strcmp(p->name, ".") != 0 && strcmp(p->name, "..") != 0) return 0;
  leave_place(c, p);
  return -EINVAL;
}

static void leave_place(struct chain *c, const struct place *p) {
  if (p->opened) sys_close(&c->sys, p->dir);
}

int64_t step_make_dir(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  struct place p;
  int err = find_place(c, fd[0], chain_text(c, s), &p);
  if (err != 0) return err;
  err = sys_mkdirat(&c->sys, p.dir, p.name, s->mode);
  leave_place(c, &p);
  return err;
}

int64_t step_rename(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  struct place from, to;
  int err = find_place(c, fd[0], chain_text(c, s), &from);
  if (err != 0) return err;
  err = find_place(c, fd[1], chain_text2(c, s), &to);
  if (err == 0) {
    unsigned flags = s->flags & RENAME_NO_REPLACE ? RENAME_NOREPLACE : 0;
    err = sys_renameat2(&c->sys, from.dir, from.name, to.dir, to.name, flags);
    leave_place(c, &to);
  }
  if (err == 0) chain_published(c, from.dir, from.name);
  leave_place(c, &from);
  return err;
}

int64_t step_remove(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  struct place p;
  int err = find_place(c, fd[0], chain_text(c, s), &p);
  if (err != 0) return err;
  err = sys_unlinkat(&c->sys, p.dir, p.name, s->flags & REMOVE_DIRECTORY ? AT_REMOVEDIR : 0);
  if (err == 0) chain_published(c, p.dir, p.name);
  leave_place(c, &p);
  return err;
}

/* Tries again and again, because a thread that slept in F_OFD_SETLKW could be the one that whoever
 * holds the lock needs; in between the thread is free. */
int64_t step_lock(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  enum { FIRST_WAIT_NS = 500000, LONGEST_WAIT_NS = 10000000 };
  (void)r;
  if (!c->waiting) {
    int file = path_open(&c->sys, fd[0], chain_text(c, s), O_RDWR | O_CREAT | O_NOCTTY, 0600);
    if (file < 0) return file;
    int err = chain_opened(c, file, s->flags & OPEN_KEEP);
    if (err != 0) return err;
    c->waiting_fd = file;
    c->wait_until = now_ns() + s->a * 1e6;
    c->wait_ns = FIRST_WAIT_NS / 2;
  }
  int err = sys_ofd_setlk(&c->sys, c->waiting_fd, s->flags & LOCK_EXCLUSIVE ? F_WRLCK : F_RDLCK);
  if (err == 0) return c->waiting_fd;
  if (err != -EAGAIN) return err;
  double left = c->wait_until - now_ns();
  if (left <= 0) return -ETIMEDOUT;
  c->wait_ns = c->wait_ns * 2 < LONGEST_WAIT_NS ? c->wait_ns * 2 : LONGEST_WAIT_NS;
  if (c->wait_ns > left) c->wait_ns = left;
  return STEP_WAITS;
}
