/* System calls, each through one gate: timed, recorded, and refused where a test asks for it. */
#ifndef SYS_H
#define SYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The names' order is that of SYSCALL_NAMES in src/io/syscalls.ts. */
#define SYSCALLS(X)                                                                                \
  X(openat2)                                                                                       \
  X(openat)                                                                                        \
  X(close)                                                                                         \
  X(fstat)                                                                                         \
  X(fstatat)                                                                                       \
  X(flistxattr)                                                                                    \
  X(fgetxattr)                                                                                     \
  X(fsetxattr)                                                                                     \
  X(fremovexattr)                                                                                  \
  X(pread)                                                                                         \
  X(pwritev)                                                                                       \
  X(fallocate)                                                                                     \
  X(ftruncate)                                                                                     \
  X(fsync)                                                                                         \
  X(sync_file_range)                                                                               \
  X(linkat)                                                                                        \
  X(renameat2)                                                                                     \
  X(unlinkat)                                                                                      \
  X(mkdirat)                                                                                       \
  X(getdents64)                                                                                    \
  X(ficlonerange)                                                                                  \
  X(copy_file_range)                                                                               \
  X(sendfile)                                                                                      \
  X(ofd_setlk)                                                                                     \
  X(fchown)                                                                                        \
  X(fdatasync)                                                                                     \
  X(fchmod)                                                                                        \
  X(utimensat)

enum sys_name {
#define X(name) SYS_NAME_##name,
  SYSCALLS(X)
#undef X
      SYS_NAMES
};
extern const char *const sys_names[SYS_NAMES];

/* What a test wants to fail or to be slow: one thing at a time. Read by every thread, written by
 * JavaScript. */
struct faults {
  atomic_bool armed;
  atomic_bool whole_step; /* without running it, instead of a call in it */
  atomic_int step;        /* of a job, or -1 for all */
  atomic_int name;        /* an enum sys_name, or -1 for all */
  atomic_int left;        /* matching calls that still pass before one fails */
  atomic_int times;       /* how many fail then */
  atomic_int err; /* 0: the call is made all the same; FAULT_KILL: the process dies before it */
  atomic_int delay_us; /* before that */
};

enum { FAULT_KILL = -1 };

enum { SYS_RECORD_DOUBLES = 8 };

/* The calls of one job. A null `records` records nothing. */
struct sys {
  double *records; /* name, fd, offset, bytes, errno, start ns, end ns, step */
  uint32_t capacity, count, lost;
  int step;
  int name, failed_name; /* of the call being made, and of the last that failed */
  double started;
  bool cleaning_up; /* nothing is refused while a failed job tidies up */
  struct faults *faults;
  atomic_bool *no_openat2; /* the kernel, or a seccomp filter, refused it once */
  bool follow_symlinks;
  bool no_attributes;
};

/* CLOCK_MONOTONIC, the clock of src/trace/clock.ts. */
double now_ns(void);

/* Each returns what the system call returns, or -errno. */
int sys_open_beneath(struct sys *s, int dir, const char *path, uint64_t flags, uint32_t mode);
int sys_openat(struct sys *s, int dir, const char *path, int flags, uint32_t mode);
int sys_close(struct sys *s, int fd);
int sys_fstat(struct sys *s, int fd, struct stat *st);
int sys_fstatat(struct sys *s, int dir, const char *name, struct stat *st, int flags);
int64_t sys_flistxattr(struct sys *s, int fd, char *list, size_t size);
int64_t sys_fgetxattr(struct sys *s, int fd, const char *name, void *value, size_t size);
int sys_fsetxattr(struct sys *s, int fd, const char *name, const void *value, size_t size);
int sys_fremovexattr(struct sys *s, int fd, const char *name);
int64_t sys_pread(struct sys *s, int fd, void *data, size_t size, int64_t offset);
int64_t sys_pwritev(struct sys *s, int fd, const struct iovec *pieces, int count, int64_t offset);
int sys_fallocate(struct sys *s, int fd, int mode, int64_t offset, int64_t length);
int sys_ftruncate(struct sys *s, int fd, int64_t size);
int sys_futimens(struct sys *s, int fd, const struct timespec times[2]);
int sys_fsync(struct sys *s, int fd);
int sys_fdatasync(struct sys *s, int fd);
int sys_sync_file_range(struct sys *s, int fd, int64_t offset, int64_t length, unsigned flags);
int sys_linkat(struct sys *s, int from_dir, const char *from, int to_dir, const char *to,
               int flags);
int sys_renameat2(struct sys *s, int from_dir, const char *from, int to_dir, const char *to,
                  unsigned flags);
int sys_unlinkat(struct sys *s, int dir, const char *name, int flags);
int sys_mkdirat(struct sys *s, int dir, const char *name, uint32_t mode);
int64_t sys_getdents64(struct sys *s, int fd, void *entries, size_t size);
int sys_ficlonerange(struct sys *s, int from, int64_t from_offset, int to, int64_t to_offset,
                     int64_t length);
int64_t sys_copy_file_range(struct sys *s, int from, int64_t from_offset, int to, int64_t to_offset,
                            size_t length);
int64_t sys_sendfile(struct sys *s, int socket, int file, int64_t offset, size_t length);
int sys_ofd_setlk(struct sys *s, int fd, short type);
int sys_fchown(struct sys *s, int fd, uid_t uid, gid_t gid);
int sys_fchmod(struct sys *s, int fd, uint32_t mode);

#endif
