/* Steps that look at many names: a whole directory in S3's order, and many files' attributes. */
#include "buffer.h"
#include "path.h"
#include "sidecar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_READ = 64 * 1024, LATER_READS = 1024 * 1024, STAT_DOUBLES = 12, ENTRY_DOUBLES = 14 };

struct entry {
  uint64_t key; /* the first bytes that may differ, big-endian: most comparisons end here */
  uint32_t name;
  uint16_t length; /* with the slash that a directory has here */
  uint8_t type;
};

struct listing {
  struct buffer names, entries;
  size_t count, reads;
};

void stat_doubles(const struct stat *st, double out[STAT_DOUBLES]);

static int read_directory(struct chain *c, int fd, struct listing *l);
static int add_entries(struct chain *c, int fd, const uint8_t *data, int64_t size,
                       struct listing *l);
static int add_entry(struct chain *c, int fd, const char *name, uint8_t type, struct listing *l);
static int sort_entries(struct listing *l);
static int output_listing(struct chain *c, struct result *r, struct listing *l);
static bool own_directory(const struct chain *c, int fd);

/* Output: u32 count, u32 reads, u32 offsets[count + 1], u8 types[count], names. */
int64_t step_list(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  (void)s;
  /* The position of a descriptor that others use too is not ours to move. */
  bool own = own_directory(c, fd[0]);
  int dir = own ? fd[0] : sys_openat(&c->sys, fd[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (dir < 0) return dir;
  if (own) lseek(dir, 0, SEEK_SET);

  struct listing l = {0};
  int err = read_directory(c, dir, &l);
  if (err == 0) err = sort_entries(&l);
  if (err == 0) err = output_listing(c, r, &l);
  buffer_free(&l.names);
  buffer_free(&l.entries);
  if (!own) sys_close(&c->sys, dir);
  return err != 0 ? err : (int64_t)l.count;
}

static bool own_directory(const struct chain *c, int fd) {
  for (uint32_t i = 0; i < c->opened_count; i++)
    if (c->opened[i].fd == fd) return (fcntl(fd, F_GETFL) & O_PATH) == 0;
  return false;
}

static int read_directory(struct chain *c, int fd, struct listing *l) {
  uint8_t *data = malloc(FIRST_READ);
  size_t size = FIRST_READ;
  if (data == NULL) return -ENOMEM;
  int64_t n;
  int err = 0;
  while (err == 0 && (n = sys_getdents64(&c->sys, fd, data, size)) != 0) {
    /* The directory has been removed since it was opened: there is nothing in it. */
    if (n == -ENOENT) break;
    err = n < 0 ? (int)n : add_entries(c, fd, data, n, l);
    l->reads++;
    if (pool_stopping(c->shared->pool)) err = -ECANCELED;
    if (size == FIRST_READ && n > FIRST_READ / 2) {
      uint8_t *larger = realloc(data, LATER_READS);
      if (larger != NULL) {
        data = larger;
        size = LATER_READS;
      }
    }
  }
  free(data);
  return err;
}

static int add_entries(struct chain *c, int fd, const uint8_t *data, int64_t size,
                       struct listing *l) {
  struct head {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
  };
  for (int64_t at = 0; at < size;) {
    const struct head *e = (const void *)(data + at);
    at += e->size;
    int err = add_entry(c, fd, e->name, e->type, l);
    if (err != 0) return err;
  }
  return 0;
}

static uint8_t type_of(mode_t mode) { return (uint8_t)((mode & S_IFMT) >> 12); }

static int add_entry(struct chain *c, int fd, const char *name, uint8_t type, struct listing *l) {
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return 0;
  struct stat st;
  /* Some file systems (old xfs, some FUSE) do not tell the type. */
  if (type == DT_UNKNOWN) {
    int err = sys_fstatat(&c->sys, fd, name, &st, AT_SYMLINK_NOFOLLOW);
    if (err == -ENOENT) return 0;
    if (err != 0) return err;
    type = type_of(st.st_mode);
  }
  if (type == DT_LNK && c->sys.follow_symlinks && sys_fstatat(&c->sys, fd, name, &st, 0) == 0)
    type = type_of(st.st_mode);

  size_t length = strlen(name);
  struct entry e = {.name = (uint32_t)l->names.size, .type = type};
  e.length = (uint16_t)(length + (type == DT_DIR));
  if (l->names.size + length + 1 > UINT32_MAX) return -EFBIG;
  int err = buffer_append(&l->names, name, length);
  if (err == 0 && type == DT_DIR) err = buffer_append(&l->names, "/", 1);
  if (err == 0) err = buffer_append(&l->entries, &e, sizeof e);
  l->count++;
  return err;
}

static size_t common_prefix(const struct listing *l) {
  const struct entry *e = (const struct entry *)l->entries.data;
  const uint8_t *first = l->names.data + e[0].name;
  size_t common = e[0].length;
  for (size_t i = 1; i < l->count && common > 0; i++) {
    const uint8_t *name = l->names.data + e[i].name;
    if (e[i].length < common) common = e[i].length;
    size_t n = 0;
    while (n < common && name[n] == first[n]) n++;
    common = n;
  }
  return common;
}

static uint64_t key_of(const uint8_t *bytes, size_t size) {
  uint64_t key = 0;
  for (size_t i = 0; i < sizeof key; i++) key = key << 8 | (i < size ? bytes[i] : 0);
  return key;
}

static bool comes_after(const struct entry *a, const struct entry *b, const uint8_t *names) {
  if (a->key != b->key) return a->key > b->key;
  size_t shorter = a->length < b->length ? a->length : b->length;
  int order = memcmp(names + a->name, names + b->name, shorter);
  return order != 0 ? order > 0 : a->length > b->length;
}

static void merge(const struct entry *from, size_t middle, size_t end, struct entry *to,
                  const uint8_t *names) {
  size_t left = 0, right = middle;
  while (left < middle && right < end)
    *to++ = comes_after(&from[left], &from[right], names) ? from[right++] : from[left++];
  memcpy(to, from + left, (middle - left) * sizeof *to);
  memcpy(to + (middle - left), from + right, (end - right) * sizeof *to);
}

/* A merge sort: qsort would compare through a pointer, and these comparisons are the whole cost. */
static int sort_entries(struct listing *l) {
  if (l->count < 2) return 0;
  struct entry *entries = (struct entry *)l->entries.data;
  size_t common = common_prefix(l);
  for (size_t i = 0; i < l->count; i++)
    entries[i].key = key_of(l->names.data + entries[i].name + common, entries[i].length - common);

  struct entry *other = malloc(l->count * sizeof *other);
  if (other == NULL) return -ENOMEM;
  struct entry *from = entries, *to = other;
  for (size_t width = 1; width < l->count; width *= 2) {
    for (size_t at = 0; at < l->count; at += 2 * width) {
      size_t end = l->count - at < 2 * width ? l->count - at : 2 * width;
      merge(from + at, end < width ? end : width, end, to + at, l->names.data);
    }
    struct entry *swap = from;
    from = to;
    to = swap;
  }
  if (from != entries) memcpy(entries, from, l->count * sizeof *entries);
  free(other);
  return 0;
}

static int output_listing(struct chain *c, struct result *r, struct listing *l) {
  const struct entry *e = (const struct entry *)l->entries.data;
  size_t size = (3 + l->count) * sizeof(uint32_t) + l->count + l->names.size;
  uint8_t *out = chain_output(c, r, size);
  if (out == NULL) return -ENOMEM;
  uint32_t *head = (uint32_t *)out, *offsets = head + 2;
  uint8_t *types = (uint8_t *)(offsets + l->count + 1), *names = types + l->count;
  head[0] = (uint32_t)l->count;
  head[1] = (uint32_t)l->reads;
  uint32_t at = 0;
  for (size_t i = 0; i < l->count; i++) {
    uint32_t length = e[i].length - (e[i].type == DT_DIR);
    offsets[i] = at;
    types[i] = e[i].type;
    memcpy(names + at, l->names.data + e[i].name, length);
    at += length;
  }
  offsets[l->count] = at;
  return 0;
}

struct lookup {
  const struct step *step;
  int dir;
  const char *path, *names;
  size_t names_size;
  struct sidecar place; /* without a place: attributes are the file's own */
};

static int stat_one(struct chain *c, const struct lookup *l, double *entry, struct buffer *values);
static int read_one(struct chain *c, const struct lookup *l, int *fd, struct stat *st,
                    struct buffer *values);
static int open_one(struct chain *c, int dir, const char *path, struct stat *st);

/* `text`: the paths, `b` of them, each with its NUL; `text2`: the attributes' names likewise.
 * Output: `b` times {errno, where its attributes stand or 0, 12 doubles of stat, ns}, then the
 * attributes, each in the form of step_read_attributes. */
int64_t step_stat_batch(struct chain *c, const struct step *s, const int fd[3], struct result *r) {
  size_t count = (size_t)s->b;
  struct buffer out = {0};
  int err = buffer_grow(&out, count * (ENTRY_DOUBLES + 1) * sizeof(double));
  struct lookup l = {.step = s,
                     .dir = fd[0],
                     .path = chain_text(c, s),
                     .names = chain_text2(c, s),
                     .names_size = s->text2_size};
  if (fd[2] != FD_NONE) l.place = sidecar_place(c, s, fd[2]);
  for (size_t i = 0; err == 0 && i < count; i++, l.path += strlen(l.path) + 1) {
    double entry[ENTRY_DOUBLES + 1] = {0};
    double start = now_ns();
    err = stat_one(c, &l, entry, &out);
    entry[ENTRY_DOUBLES] = now_ns() - start;
    memcpy(out.data + i * sizeof entry, entry, sizeof entry);
    if (l.place.place != NULL) l.place.place = sidecar_next(l.place.place);
    if (pool_stopping(c->shared->pool)) err = -ECANCELED;
  }
  if (err == 0) err = buffer_output(&out, c, r);
  buffer_free(&out);
  return err != 0 ? err : (int64_t)count;
}

/* An error of one name is its entry's; only what concerns them all is returned. */
static int stat_one(struct chain *c, const struct lookup *l, double *entry, struct buffer *values) {
  struct stat st;
  if (l->names_size == 0) {
    int err = path_stat(&c->sys, l->dir, l->path, &st);
    entry[0] = -err;
    if (err == 0) stat_doubles(&st, entry + 2);
    return err == -EMFILE || err == -ENFILE || err == -ENOMEM ? err : 0;
  }
  int fd = open_one(c, l->dir, l->path, &st);
  if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM) return fd;
  /* No file to read from: a link, a socket, or one we may not read. */
  if (fd < 0 && fd != -ENOENT && fd != -ENOTDIR && path_stat(&c->sys, l->dir, l->path, &st) == 0) {
    stat_doubles(&st, entry + 2);
    return 0;
  }
  if (fd < 0) {
    entry[0] = -fd;
    return 0;
  }
  while (values->size % 8 != 0)
    if (buffer_append(values, "", 1) != 0) break;
  entry[1] = (double)values->size;
  int err = read_one(c, l, &fd, &st, values);
  stat_doubles(&st, entry + 2);
  if (fd >= 0) sys_close(&c->sys, fd);
  if (err == 0) return 0;
  entry[1] = 0;
  if (err == -ENOMEM) return err;
  if (err != -EOPNOTSUPP) entry[0] = -err;
  return 0;
}

/* Attributes beside the file are found missing where it has been replaced: then of the new one. */
static int read_one(struct chain *c, const struct lookup *l, int *fd, struct stat *st,
                    struct buffer *values) {
  enum { MAX_RACES = 16 };
  if (l->place.place == NULL) return attributes_read(c, *fd, l->names, l->names_size, values);
  int err = -ESTALE;
  for (int i = 0; err == -ESTALE && i < MAX_RACES; i++) {
    if (i > 0) {
      sys_close(&c->sys, *fd);
      *fd = open_one(c, l->dir, l->path, st);
      if (*fd < 0) return *fd;
    }
    err = sidecar_read(c, l->place, (struct found_by){l->dir, l->path}, *fd, l->step, values);
  }
  return err;
}

static int open_one(struct chain *c, int dir, const char *path, struct stat *st) {
  int fd = path_open(&c->sys, dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  if (fd < 0) return fd;
  int err = sys_fstat(&c->sys, fd, st);
  if (err == 0) return fd;
  sys_close(&c->sys, fd);
  return err;
}
