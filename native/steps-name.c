/* Steps on names in a directory: link, rename, remove, make, lock. */
#include "chain.h"
#include "path.h"
#include "sidecar.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>

enum { LINKED, RENAMED };

/* A name one level below a directory descriptor that may have to be closed again. */
struct place {
  int dir;
  bool opened;
  const char *name;
};

static int find_place(struct chain *c, int dir, const char *path, struct place *p);
static void leave_place(struct chain *c, const struct place *p);
/* What is to be at the name that is taken: with LINK_ONLY_OVER one file, else anything or nothing.
 */
struct goal {
  const struct place *to;
  bool replace, expect;
  double ino, dev;
};

static int64_t link_unnamed(struct chain *c, int file, const struct goal *goal, int tmp_dir);
static bool expects_taken(struct chains *shared);
static void remember_taken(struct chains *shared, bool taken);
static int64_t link_named(struct chain *c, int file, int tmp_dir, const char *from,
                          const struct goal *goal);
static int replace(struct chain *c, int tmp_dir, const char *from, const struct goal *goal);
static int give_back(struct chain *c, int tmp_dir, const char *name, const struct place *to,
                     struct stat given, struct stat taken);
static bool is_same(const struct stat *a, const struct stat *b);
static int link_file(struct chain *c, int file, int dir, const char *name);
static int remove_only(struct chain *c, const struct goal *goal, int tmp_dir, const char *aside);
static int check_retransmission(struct chain *c, int file, const struct place *to);
static void private_name(struct chains *shared, char name[33]);

int64_t step_link(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  struct place to;
  int err = find_place(c, fd[1], chain_text(c, s), &to);
  if (err != 0) return err;
  struct goal goal = {.to = &to,
                      .replace = s->flags & LINK_REPLACE,
                      .expect = s->flags & LINK_ONLY_OVER,
                      .ino = s->a,
                      .dev = s->b};
  int64_t value = s->text2_size > 0 ? link_named(c, fd[0], fd[2], chain_text2(c, s), &goal)
                                    : link_unnamed(c, fd[0], &goal, fd[2]);
  if (value >= 0 && c->pending != NULL) err = sidecar_publish(c, fd[0], to.dir, to.name);
  leave_place(c, &to);
  return err != 0 ? err : value;
}

/* linkat cannot replace a name and rename cannot name an O_TMPFILE, so an overwrite links to a
 * private name and renames that: readers see the old file or the new one. */
static int64_t link_unnamed(struct chain *c, int file, const struct goal *goal, int tmp_dir) {
  const struct place *to = goal->to;
  bool taken = goal->expect || (goal->replace && expects_taken(c->shared));
  int err = taken ? -EEXIST : link_file(c, file, to->dir, to->name);
  if (goal->replace && !taken) remember_taken(c->shared, err == -EEXIST);
  if (err == -EEXIST && !goal->replace) err = check_retransmission(c, file, to);
  if (err != -EEXIST || !goal->replace) return err != 0 ? err : LINKED;

  char name[33];
  private_name(c->shared, name);
  err = link_file(c, file, tmp_dir, name);
  if (err != 0) return err;
  err = replace(c, tmp_dir, name, goal);
  if (err == 0) return RENAMED;
  c->sys.cleaning_up = true;
  sys_unlinkat(&c->sys, tmp_dir, name, 0);
  c->sys.cleaning_up = false;
  return err;
}

/* Whether to spare a linkat that is bound to fail: in a row of overwrites another one is likely.
 * One in PROBE is tried all the same, and ends the row where its name was free; a new name that is
 * made by rename is none the worse for it. */
enum { TAKEN_ROW = 32, PROBE = 16 };

static bool expects_taken(struct chains *shared) {
  atomic_uint *row = &shared->taken_row;
  if (atomic_load_explicit(row, memory_order_relaxed) < TAKEN_ROW) return false;
  return atomic_fetch_add_explicit(row, 1, memory_order_relaxed) % PROBE != 0;
}

static void remember_taken(struct chains *shared, bool taken) {
  atomic_uint *row = &shared->taken_row;
  if (!taken)
    atomic_store_explicit(row, 0, memory_order_relaxed);
  else if (atomic_load_explicit(row, memory_order_relaxed) < TAKEN_ROW)
    atomic_fetch_add_explicit(row, 1, memory_order_relaxed);
}

static int64_t link_named(struct chain *c, int file, int tmp_dir, const char *from,
                          const struct goal *goal) {
  const struct place *to = goal->to;
  int err;
  if (goal->replace) {
    err = replace(c, tmp_dir, from, goal);
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

/* Renames over what is there, which no system call compares with what the caller found there
 * before.
 *
 * So where that matters the two names are exchanged, and what came out is looked at. If it is not
 * the file that was expected, somebody who asked for no lock has written in between, and gets his
 * name back: nothing that was acknowledged is lost. The look beforehand leaves but microseconds to
 * that, in which a reader may see what will be taken back. Where names cannot be exchanged (NFS,
 * some FUSE file systems) it is all there is. */
static int replace(struct chain *c, int tmp_dir, const char *from, const struct goal *goal) {
  const struct place *to = goal->to;
  if (!goal->expect) return sys_renameat2(&c->sys, tmp_dir, from, to->dir, to->name, 0);

  struct stat there, ours;
  int err = sys_fstatat(&c->sys, to->dir, to->name, &there, AT_SYMLINK_NOFOLLOW);
  if (err == -ENOENT) return -EALREADY;
  if (err == 0 && ((double)there.st_ino != goal->ino || (double)there.st_dev != goal->dev))
    return -EALREADY;
  if (err == 0) err = sys_fstatat(&c->sys, tmp_dir, from, &ours, AT_SYMLINK_NOFOLLOW);
  if (err != 0) return err;

  err = sys_renameat2(&c->sys, tmp_dir, from, to->dir, to->name, RENAME_EXCHANGE);
  if (err == -EINVAL || err == -ENOSYS || err == -EOPNOTSUPP)
    return sys_renameat2(&c->sys, tmp_dir, from, to->dir, to->name, 0);
  if (err == -ENOENT) return -EALREADY;
  struct stat taken;
  if (err == 0) err = sys_fstatat(&c->sys, tmp_dir, from, &taken, AT_SYMLINK_NOFOLLOW);
  if (err != 0) return err;
  if (!is_same(&taken, &there)) return give_back(c, tmp_dir, from, to, ours, taken);
  c->sys.cleaning_up = true;
  /* The old file under a private name is litter, not a failure. */
  sys_unlinkat(&c->sys, tmp_dir, from, 0);
  c->sys.cleaning_up = false;
  return 0;
}

/* More may be written meanwhile. While what comes out is not what was put in last, it is newer, and
 * goes in again. Whoever removes the name has the last word. */
static int give_back(struct chain *c, int tmp_dir, const char *name, const struct place *to,
                     struct stat given, struct stat taken) {
  enum { MAX_EXCHANGES = 1000 };
  c->sys.cleaning_up = true;
  for (int i = 0; i < MAX_EXCHANGES; i++) {
    struct stat out;
    if (sys_renameat2(&c->sys, tmp_dir, name, to->dir, to->name, RENAME_EXCHANGE) != 0) break;
    if (sys_fstatat(&c->sys, tmp_dir, name, &out, AT_SYMLINK_NOFOLLOW) != 0) break;
    if (is_same(&out, &given)) break;
    given = taken;
    taken = out;
  }
  c->sys.cleaning_up = false;
  return -EALREADY;
}

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Linux lets whoever opened a file link its descriptor since 6.10, before that only who has
 * CAP_DAC_READ_SEARCH; to others it says ENOENT, and for them there is the longer way by /proc. */
static int link_file(struct chain *c, int file, int dir, const char *name) {
  atomic_bool *by_proc = &c->shared->link_by_proc;
  bool known = atomic_load_explicit(by_proc, memory_order_relaxed);
  int err = known ? -ENOENT : sys_linkat(&c->sys, file, "", dir, name, AT_EMPTY_PATH);
  if (err != -ENOENT) return err;
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  err = sys_linkat(&c->sys, AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
  if (err == 0 && !known) atomic_store(by_proc, true);
  return err;
}

/* NFS may answer EEXIST to a link that it made when the request was first sent. */
static int check_retransmission(struct chain *c, int file, const struct place *to) {
  struct stat ours, theirs;
  if (sys_fstat(&c->sys, file, &ours) != 0 || ours.st_nlink < 1) return -EEXIST;
  if (sys_fstatat(&c->sys, to->dir, to->name, &theirs, AT_SYMLINK_NOFOLLOW) != 0) return -EEXIST;
  return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino ? 0 : -EEXIST;
}

/* One that no other thread, process or host makes: the random part was drawn once, the rest counts.
 */
static void private_name(struct chains *shared, char name[33]) {
  uint64_t halves[2] = {shared->names, atomic_fetch_add(&shared->next_name, 1)};
  for (int i = 0; i < 32; i++)
    name[i] = "0123456789abcdef"[halves[i / 16] >> (60 - i % 16 * 4) & 15];
  name[32] = '\0';
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

static int rename_with_place(struct chain *c, struct sidecar at, const struct place *from,
                             const struct place *to, unsigned flags) {
  const struct name names[2] = {{from->dir, from->name}, {to->dir, to->name}};
  return sidecar_rename(c, at, sidecar_next(at.place), names, flags);
}

int64_t step_rename(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)r;
  struct place from, to;
  int err = find_place(c, fd[0], chain_text(c, s), &from);
  if (err != 0) return err;
  err = find_place(c, fd[1], chain_text2(c, s), &to);
  if (err == 0) {
    unsigned flags = s->flags & RENAME_NO_REPLACE ? RENAME_NOREPLACE : 0;
    err = fd[2] == FD_NONE ? sys_renameat2(&c->sys, from.dir, from.name, to.dir, to.name, flags)
                           : rename_with_place(c, sidecar_place(c, s, fd[2]), &from, &to, flags);
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
  if (s->flags & REMOVE_ONLY) {
    struct goal goal = {.to = &p, .expect = true, .ino = s->a, .dev = s->b};
    err = remove_only(c, &goal, fd[1], chain_text2(c, s));
  } else {
    err = sys_unlinkat(&c->sys, p.dir, p.name, s->flags & REMOVE_DIRECTORY ? AT_REMOVEDIR : 0);
  }
  if (err == 0) chain_published(c, p.dir, p.name);
  if (err == 0 && fd[2] != FD_NONE)
    sidecar_forget(c, sidecar_place(c, s, fd[2]), p.dir, p.name, s->flags & REMOVE_DIRECTORY);
  leave_place(c, &p);
  return err;
}

/* Removes the name of one file. No unlink compares: so the name is moved aside, and what was moved
 * is looked at. Another file, which somebody who took no lock has put there since, gets its name
 * back, unless a newer one has it by then. ESTALE leaves it aside: its directory, empty for that
 * moment, was removed. The look beforehand leaves but microseconds to all this, in which a reader
 * may miss the object. Where renames cannot be told to replace nothing (NFS), or `tmp_dir` lies on
 * another file system, that look is all there is. */
static int remove_only(struct chain *c, const struct goal *goal, int tmp_dir, const char *aside) {
  const struct place *p = goal->to;
  struct stat there, taken;
  int err = sys_fstatat(&c->sys, p->dir, p->name, &there, AT_SYMLINK_NOFOLLOW);
  if (err != 0) return err;
  if ((double)there.st_ino != goal->ino || (double)there.st_dev != goal->dev) return -EALREADY;

  err = sys_renameat2(&c->sys, p->dir, p->name, tmp_dir, aside, RENAME_NOREPLACE);
  if (err == -EINVAL || err == -ENOSYS || err == -EOPNOTSUPP || err == -EXDEV)
    return sys_unlinkat(&c->sys, p->dir, p->name, 0);
  if (err != 0) return err;
  c->sys.cleaning_up = true;
  err = sys_fstatat(&c->sys, tmp_dir, aside, &taken, AT_SYMLINK_NOFOLLOW);
  bool is_meant = err == 0 && is_same(&taken, &there);
  if (!is_meant) err = sys_renameat2(&c->sys, tmp_dir, aside, p->dir, p->name, RENAME_NOREPLACE);
  /* The file under a private name is litter, not a failure. */
  if (is_meant || err == -EEXIST) sys_unlinkat(&c->sys, tmp_dir, aside, 0);
  c->sys.cleaning_up = false;
  if (is_meant) return 0;
  return err == 0 || err == -EEXIST ? -EALREADY : -ESTALE;
}

/* Tries again and again, because a thread that slept in F_OFD_SETLKW could be the one that whoever
 * holds the lock needs; in between the thread is free. */
int64_t step_lock(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  enum { FIRST_WAIT_NS = 500000, LONGEST_WAIT_NS = 10000000 };
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
  if (c->waiting) r->io_ns = now_ns() - c->waiting_since;
  if (err == 0) return c->waiting_fd;
  if (err != -EAGAIN) return err;
  if (!c->waiting) c->waiting_since = now_ns();
  double left = c->wait_until - now_ns();
  if (left <= 0) return -ETIMEDOUT;
  c->wait_ns = c->wait_ns * 2 < LONGEST_WAIT_NS ? c->wait_ns * 2 : LONGEST_WAIT_NS;
  if (c->wait_ns > left) c->wait_ns = left;
  return STEP_WAITS;
}
