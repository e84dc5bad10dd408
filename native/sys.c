#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

const char *const sys_names[SYS_NAMES] = {
#define X(name) #name,
    SYSCALLS(X)
#undef X
};

static bool sys_begin(struct sys *s, enum sys_name name);
static int64_t sys_end(struct sys *s, int fd, int64_t offset, int64_t result);

/* Signals are blocked in the pool's threads, but a stop and continue, or an NFS mount with `intr`,
 * interrupts all the same. The bound is for tests that refuse every call with EINTR. */
enum { MAX_INTERRUPTIONS = 100 };

/* `fd` and `offset` are what the record shows; `r` may stand for the result. */
#define CALL(type, name, fd, offset, call)                                                         \
  do {                                                                                             \
    int64_t r;                                                                                     \
    int tries = 0;                                                                                 \
    do {                                                                                           \
      r = sys_begin(s, SYS_NAME_##name) ? (int64_t)(call) : -1;                                    \
      r = sys_end(s, (int)(fd), (offset), r);                                                      \
    } while (r == -EINTR && ++tries < MAX_INTERRUPTIONS);                                          \
    return (type)r;                                                                                \
  } while (0)

double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A process can die at any time, but whether before or after one of these nobody can tell. */
static bool leaves_no_mark(enum sys_name name) {
  switch (name) {
  case SYS_NAME_close:
  case SYS_NAME_fstat:
  case SYS_NAME_fstatat:
  case SYS_NAME_flistxattr:
  case SYS_NAME_fgetxattr:
  case SYS_NAME_pread:
  case SYS_NAME_getdents64:
  case SYS_NAME_fsync:
  case SYS_NAME_fdatasync:
  case SYS_NAME_sync_file_range:
    return true;
  default:
    return false;
  }
}

static bool fault_matches(struct faults *f, const struct sys *s, enum sys_name name) {
  if (atomic_load(&f->whole_step)) return false;
  int step = atomic_load(&f->step), wanted = atomic_load(&f->name);
  if (step >= 0 && step != s->step) return false;
  if (wanted >= 0 && wanted != (int)name) return false;
  if (atomic_fetch_sub(&f->left, 1) > 0) return false;
  return atomic_fetch_sub(&f->times, 1) > 0;
}

static bool sys_begin(struct sys *s, enum sys_name name) {
  s->name = name;
  if (s->records != NULL) s->started = now_ns();
  struct faults *f = s->faults;
  if (f == NULL || !atomic_load_explicit(&f->armed, memory_order_relaxed)) return true;
  bool kills = atomic_load(&f->err) == FAULT_KILL;
  if (kills ? leaves_no_mark(name) : s->cleaning_up) return true;
  if (!fault_matches(f, s, name)) return true;
  if (kills) raise(SIGKILL);
  if (atomic_load(&f->delay_us) > 0) usleep((useconds_t)atomic_load(&f->delay_us));
  errno = atomic_load(&f->err);
  return errno == 0;
}

static int64_t sys_end(struct sys *s, int fd, int64_t offset, int64_t result) {
  int err = result < 0 ? errno : 0;
  if (err != 0 && !s->cleaning_up) s->failed_name = s->name;
  if (s->records != NULL) {
    if (s->count == s->capacity) {
      s->lost++;
    } else {
      double *r = s->records + (size_t)s->count++ * SYS_RECORD_DOUBLES;
      r[0] = s->name;
      r[1] = fd;
      r[2] = (double)offset;
      r[3] = err ? 0 : (double)result;
      r[4] = err;
      r[5] = s->started;
      r[6] = now_ns();
      r[7] = s->step;
    }
  }
  return err ? -err : result;
}

static int sys_openat2(struct sys *s, int dir, const char *path, const struct open_how *how) {
  CALL(int, openat2, r, -1, syscall(SYS_openat2, dir, path, how, sizeof *how));
}

int sys_open_beneath(struct sys *s, int dir, const char *path, uint64_t flags, uint32_t mode) {
  struct open_how how = {
      .flags = flags,
      .mode = mode,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  return sys_openat2(s, dir, path, &how);
}

int sys_openat(struct sys *s, int dir, const char *path, int flags, uint32_t mode) {
  CALL(int, openat, r, -1, openat(dir, path, flags, mode));
}

int sys_close(struct sys *s, int fd) {
  /* A refused close must still close: the number would be lost. */
  bool allowed = sys_begin(s, SYS_NAME_close);
  int err = errno;
  int64_t r = close(fd);
  if (!allowed) {
    r = -1;
    errno = err;
  }
  return (int)sys_end(s, fd, -1, r);
}

int sys_fstat(struct sys *s, int fd, struct stat *st) { CALL(int, fstat, fd, -1, fstat(fd, st)); }

int sys_fstatat(struct sys *s, int dir, const char *name, struct stat *st, int flags) {
  CALL(int, fstatat, dir, -1, fstatat(dir, name, st, flags));
}

int64_t sys_flistxattr(struct sys *s, int fd, char *list, size_t size) {
  if (s->no_attributes) return 0;
  CALL(int64_t, flistxattr, fd, -1, flistxattr(fd, list, size));
}

int64_t sys_fgetxattr(struct sys *s, int fd, const char *name, void *value, size_t size) {
  if (s->no_attributes) return -ENODATA;
  CALL(int64_t, fgetxattr, fd, -1, fgetxattr(fd, name, value, size));
}

int sys_fsetxattr(struct sys *s, int fd, const char *name, const void *value, size_t size) {
  if (s->no_attributes) return 0;
  CALL(int, fsetxattr, fd, -1, fsetxattr(fd, name, value, size, 0));
}

int sys_fremovexattr(struct sys *s, int fd, const char *name) {
  if (s->no_attributes) return 0;
  CALL(int, fremovexattr, fd, -1, fremovexattr(fd, name));
}

int64_t sys_pread(struct sys *s, int fd, void *data, size_t size, int64_t offset) {
  CALL(int64_t, pread, fd, offset, pread(fd, data, size, offset));
}

int64_t sys_pwritev(struct sys *s, int fd, const struct iovec *pieces, int count, int64_t offset) {
  CALL(int64_t, pwritev, fd, offset, pwritev(fd, pieces, count, offset));
}

int sys_fallocate(struct sys *s, int fd, int mode, int64_t offset, int64_t length) {
  CALL(int, fallocate, fd, offset, fallocate(fd, mode, offset, length));
}

int sys_ftruncate(struct sys *s, int fd, int64_t size) {
  CALL(int, ftruncate, fd, size, ftruncate(fd, size));
}

int sys_futimens(struct sys *s, int fd, const struct timespec times[2]) {
  CALL(int, utimensat, fd, -1, futimens(fd, times));
}

int sys_fsync(struct sys *s, int fd) { CALL(int, fsync, fd, -1, fsync(fd)); }

int sys_fdatasync(struct sys *s, int fd) { CALL(int, fdatasync, fd, -1, fdatasync(fd)); }

int sys_sync_file_range(struct sys *s, int fd, int64_t offset, int64_t length, unsigned flags) {
  CALL(int, sync_file_range, fd, offset, sync_file_range(fd, offset, length, flags));
}

int sys_linkat(struct sys *s, int from_dir, const char *from, int to_dir, const char *to,
               int flags) {
  CALL(int, linkat, to_dir, -1, linkat(from_dir, from, to_dir, to, flags));
}

int sys_renameat2(struct sys *s, int from_dir, const char *from, int to_dir, const char *to,
                  unsigned flags) {
  CALL(int, renameat2, to_dir, -1, syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
}

int sys_unlinkat(struct sys *s, int dir, const char *name, int flags) {
  CALL(int, unlinkat, dir, -1, unlinkat(dir, name, flags));
}

int sys_mkdirat(struct sys *s, int dir, const char *name, uint32_t mode) {
  CALL(int, mkdirat, dir, -1, mkdirat(dir, name, mode));
}

int64_t sys_getdents64(struct sys *s, int fd, void *entries, size_t size) {
  CALL(int64_t, getdents64, fd, -1, syscall(SYS_getdents64, fd, entries, size));
}

int sys_ficlonerange(struct sys *s, int from, int64_t from_offset, int to, int64_t to_offset,
                     int64_t length) {
  struct file_clone_range range = {
      .src_fd = from,
      .src_offset = (uint64_t)from_offset,
      .src_length = (uint64_t)length,
      .dest_offset = (uint64_t)to_offset,
  };
  CALL(int, ficlonerange, to, to_offset, ioctl(to, FICLONERANGE, &range));
}

int64_t sys_copy_file_range(struct sys *s, int from, int64_t from_offset, int to, int64_t to_offset,
                            size_t length) {
  loff_t in, out;
  CALL(int64_t, copy_file_range, to, to_offset,
       (in = from_offset, out = to_offset, copy_file_range(from, &in, to, &out, length, 0)));
}

int64_t sys_sendfile(struct sys *s, int socket, int file, int64_t offset, size_t length) {
  off_t position;
  CALL(int64_t, sendfile, file, offset,
       (position = offset, sendfile(socket, file, &position, length)));
}

int sys_ofd_setlk(struct sys *s, int fd, short type) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
  CALL(int, ofd_setlk, fd, -1, fcntl(fd, F_OFD_SETLK, &lock));
}

int sys_fchown(struct sys *s, int fd, uid_t uid, gid_t gid) {
  CALL(int, fchown, fd, -1, fchown(fd, uid, gid));
}

int sys_fchmod(struct sys *s, int fd, uint32_t mode) {
  CALL(int, fchmod, fd, -1, fchmod(fd, mode));
}
