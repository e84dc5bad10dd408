/* slow-fs SOURCE DELAYS MOUNTPOINT [fuse options]: shows the directory SOURCE at MOUNTPOINT, as slow
 * as DELAYS says: a file of five native 32-bit numbers, the milliseconds that each read, write, sync,
 * reading of a directory, and operation on a name takes. They may change at any time.
 *
 * libfuse's high-level interface, version 3: no O_TMPFILE, no locks but the kernel's own. */
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { READ, WRITE, SYNC, LIST, NAME, DELAYS };

static const volatile uint32_t *delays;
static int source;

static void wait_for(int kind) {
  uint32_t ms = delays[kind];
  struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
  if (ms > 0) nanosleep(&time, NULL);
}

/* libfuse's paths begin with a slash; ours are below `source`. */
static const char *below(const char *path) { return path[1] == 0 ? "." : path + 1; }

/* Extended attributes have no call that takes a directory and a name. */
struct place {
  char path[4200];
};
static struct place place_of(const char *path) {
  struct place p;
  snprintf(p.path, sizeof p.path, "/proc/self/fd/%d/%s", source, below(path));
  return p;
}

static int result(long n) { return n < 0 ? -errno : (int)n; }

static int fs_getattr(const char *path, struct stat *st, struct fuse_file_info *fi) {
  if (fi != NULL) return result(fstat((int)fi->fh, st));
  wait_for(NAME);
  return result(fstatat(source, below(path), st, AT_SYMLINK_NOFOLLOW));
}

static int fs_readlink(const char *path, char *text, size_t size) {
  ssize_t n = readlinkat(source, below(path), text, size - 1);
  if (n < 0) return -errno;
  text[n] = 0;
  return 0;
}

static int fs_mkdir(const char *path, mode_t mode) {
  wait_for(NAME);
  return result(mkdirat(source, below(path), mode));
}

static int fs_unlink(const char *path) {
  wait_for(NAME);
  return result(unlinkat(source, below(path), 0));
}

static int fs_rmdir(const char *path) {
  wait_for(NAME);
  return result(unlinkat(source, below(path), AT_REMOVEDIR));
}

static int fs_symlink(const char *text, const char *path) {
  return result(symlinkat(text, source, below(path)));
}

static int fs_rename(const char *from, const char *to, unsigned flags) {
  wait_for(NAME);
  return result(renameat2(source, below(from), source, below(to), flags));
}

static int fs_link(const char *from, const char *to) {
  wait_for(NAME);
  return result(linkat(source, below(from), source, below(to), 0));
}

static int fs_chmod(const char *path, mode_t mode, struct fuse_file_info *fi) {
  (void)fi;
  return result(fchmodat(source, below(path), mode, 0));
}

static int fs_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi) {
  (void)fi;
  return result(fchownat(source, below(path), uid, gid, AT_SYMLINK_NOFOLLOW));
}

static int fs_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *fi) {
  if (fi != NULL) return result(futimens((int)fi->fh, times));
  return result(utimensat(source, below(path), times, AT_SYMLINK_NOFOLLOW));
}

static int fs_truncate(const char *path, off_t size, struct fuse_file_info *fi) {
  if (fi != NULL) return result(ftruncate((int)fi->fh, size));
  struct place p = place_of(path);
  return result(truncate(p.path, size));
}

static int opened(struct fuse_file_info *fi, int fd) {
  if (fd < 0) return -errno;
  fi->fh = (uint64_t)fd;
  return 0;
}

static int fs_open(const char *path, struct fuse_file_info *fi) {
  wait_for(NAME);
  return opened(fi, openat(source, below(path), fi->flags | O_NOFOLLOW));
}

static int fs_create(const char *path, mode_t mode, struct fuse_file_info *fi) {
  wait_for(NAME);
  return opened(fi, openat(source, below(path), fi->flags | O_CREAT | O_NOFOLLOW, mode));
}

static int fs_read(const char *path, char *bytes, size_t size, off_t at, struct fuse_file_info *fi) {
  (void)path;
  wait_for(READ);
  return result(pread((int)fi->fh, bytes, size, at));
}

static int fs_write(const char *path, const char *bytes, size_t size, off_t at,
                    struct fuse_file_info *fi) {
  (void)path;
  wait_for(WRITE);
  return result(pwrite((int)fi->fh, bytes, size, at));
}

static int fs_release(const char *path, struct fuse_file_info *fi) {
  (void)path;
  return result(close((int)fi->fh));
}

static int fs_fsync(const char *path, int only_data, struct fuse_file_info *fi) {
  (void)path;
  wait_for(SYNC);
  return result(only_data ? fdatasync((int)fi->fh) : fsync((int)fi->fh));
}

static int fs_opendir(const char *path, struct fuse_file_info *fi) {
  return opened(fi, openat(source, below(path), O_RDONLY | O_DIRECTORY));
}

/* The whole directory in one go, as libfuse likes it. */
static int fs_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t at,
                      struct fuse_file_info *fi, enum fuse_readdir_flags flags) {
  (void)path, (void)at, (void)flags;
  wait_for(LIST);
  int copy = openat((int)fi->fh, ".", O_RDONLY | O_DIRECTORY);
  DIR *dir = copy < 0 ? NULL : fdopendir(copy);
  if (dir == NULL) return -errno;
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    struct stat st = {.st_ino = entry->d_ino, .st_mode = DTTOIF(entry->d_type)};
    if (fill(buffer, entry->d_name, &st, 0, 0) != 0) break;
  }
  closedir(dir);
  return 0;
}

static int fs_setxattr(const char *path, const char *name, const char *value, size_t size,
                       int flags) {
  struct place p = place_of(path);
  return result(lsetxattr(p.path, name, value, size, flags));
}

static int fs_getxattr(const char *path, const char *name, char *value, size_t size) {
  wait_for(NAME);
  struct place p = place_of(path);
  return result(lgetxattr(p.path, name, value, size));
}

static int fs_listxattr(const char *path, char *names, size_t size) {
  wait_for(NAME);
  struct place p = place_of(path);
  return result(llistxattr(p.path, names, size));
}

static int fs_removexattr(const char *path, const char *name) {
  struct place p = place_of(path);
  return result(lremovexattr(p.path, name));
}

static int fs_statfs(const char *path, struct statvfs *st) {
  (void)path;
  return result(fstatvfs(source, st));
}

static const struct fuse_operations operations = {
    .getattr = fs_getattr,   .readlink = fs_readlink,   .mkdir = fs_mkdir,
    .unlink = fs_unlink,     .rmdir = fs_rmdir,         .symlink = fs_symlink,
    .rename = fs_rename,     .link = fs_link,           .chmod = fs_chmod,
    .chown = fs_chown,       .truncate = fs_truncate,   .open = fs_open,
    .read = fs_read,         .write = fs_write,         .statfs = fs_statfs,
    .release = fs_release,   .fsync = fs_fsync,         .setxattr = fs_setxattr,
    .getxattr = fs_getxattr, .listxattr = fs_listxattr, .removexattr = fs_removexattr,
    .opendir = fs_opendir,   .readdir = fs_readdir,     .releasedir = fs_release,
    .fsyncdir = fs_fsync,    .create = fs_create,       .utimens = fs_utimens,
};

int main(int count, char **arguments) {
  if (count < 4) return 2;
  source = open(arguments[1], O_PATH | O_DIRECTORY);
  int file = open(arguments[2], O_RDONLY);
  if (source < 0 || file < 0) return 1;
  delays = mmap(NULL, DELAYS * sizeof *delays, PROT_READ, MAP_SHARED, file, 0);
  if (delays == MAP_FAILED) return 1;
  umask(0);
  arguments[2] = arguments[0];
  return fuse_main(count - 2, arguments + 2, &operations, NULL);
}
