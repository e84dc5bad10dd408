/* Extended attributes. */
#include "attributes.h"
#include "sidecar.h"

#include <errno.h>
#include <string.h>

/* The kernel allocates as much as it is offered, so a small buffer is tried before the largest. */
enum { SMALL_LIST = 1024, SMALL_VALUE = 512, LARGEST = 64 * 1024 };

struct found {
  uint32_t name, name_size; /* index of the wanted name and 0; or where the name stands */
  uint32_t value, value_size;
};

static int read_named(struct chain *c, int fd, const char *names, size_t size, struct buffer *out);
static int read_listed(struct chain *c, int fd, const char *names, size_t size, struct buffer *out);

static int read_beside(struct chain *c, const struct step *s, const int fd[3], struct buffer *out) {
  struct sidecar at = sidecar_place(c, s, fd[2]);
  struct found_by by = {fd[1], fd[1] == FD_NONE ? NULL : sidecar_next(at.place)};
  return sidecar_read(c, at, by, fd[0], s, out);
}

/* Output: u32 count, u32 0, then that many `struct found`; offsets count from its start. */
int64_t step_read_attributes(struct chain *c, const struct step *s, const int fd[3],
                             struct result *r) {
  const char *names = chain_text(c, s);
  struct buffer out = {0};
  int err = fd[2] == FD_NONE ? attributes_read(c, fd[0], names, s->text_size, &out)
                             : read_beside(c, s, fd, &out);
  if (err != 0) {
    buffer_free(&out);
    return err;
  }
  uint32_t count;
  memcpy(&count, out.data, sizeof count);
  err = buffer_output(&out, c, r);
  return err != 0 ? err : (int64_t)count;
}

int attributes_read(struct chain *c, int fd, const char *names, size_t size, struct buffer *out) {
  size_t wanted = 0;
  for (size_t i = 0; i < size; i++) wanted += names[i] == '\0';
  /* One or two are asked for as quickly as they are looked up in the list. */
  return wanted > 0 && wanted <= 2 ? read_named(c, fd, names, size, out)
                                   : read_listed(c, fd, names, size, out);
}

int collection_add(struct collection *to, const char *name, uint32_t index, const void *value,
                   size_t size) {
  struct found f = {.name = index};
  int err = 0;
  if (index == UINT32_MAX) {
    f.name = (uint32_t)to->values.size;
    f.name_size = (uint32_t)strlen(name);
    err = buffer_append(&to->values, name, f.name_size);
  }
  f.value = (uint32_t)to->values.size;
  f.value_size = (uint32_t)size;
  if (err == 0) err = buffer_append(&to->values, value, size);
  if (err == 0) err = buffer_append(&to->table, &f, sizeof f);
  if (err == 0) to->count++;
  return err;
}

static int collect(struct chain *c, int fd, const char *name, uint32_t index,
                   struct collection *to) {
  uint8_t small[SMALL_VALUE], large[LARGEST], *value = small;
  int64_t n = sys_fgetxattr(&c->sys, fd, name, small, sizeof small);
  if (n == -ERANGE) n = sys_fgetxattr(&c->sys, fd, name, value = large, sizeof large);
  if (n < 0) return n == -ENODATA ? 0 : (int)n;
  return collection_add(to, name, index, value, (size_t)n);
}

int collection_finish(struct collection *from, int err, struct buffer *out) {
  uint32_t head[2] = {from->count, 0};
  uint32_t base = (uint32_t)(sizeof head + from->table.size);
  struct found *found = (struct found *)from->table.data;
  for (uint32_t i = 0; i < from->count; i++) {
    found[i].value += base;
    if (found[i].name_size > 0) found[i].name += base;
  }
  if (err == 0) err = buffer_append(out, head, sizeof head);
  if (err == 0) err = buffer_append(out, from->table.data, from->table.size);
  if (err == 0) err = buffer_append(out, from->values.data, from->values.size);
  buffer_free(&from->table);
  buffer_free(&from->values);
  return err;
}

static int read_named(struct chain *c, int fd, const char *names, size_t size, struct buffer *out) {
  struct collection found = {0};
  uint32_t index = 0;
  int err = 0;
  for (const char *n = names; err == 0 && n < names + size; n += strlen(n) + 1)
    err = collect(c, fd, n, index++, &found);
  return collection_finish(&found, err, out);
}

uint32_t names_index(const char *name, const char *names, size_t size) {
  uint32_t i = 0;
  for (const char *n = names; n < names + size; n += strlen(n) + 1, i++)
    if (strcmp(n, name) == 0) return i;
  return UINT32_MAX;
}

static int read_listed(struct chain *c, int fd, const char *names, size_t size,
                       struct buffer *out) {
  char small[SMALL_LIST], large[LARGEST], *list = small;
  int64_t n = sys_flistxattr(&c->sys, fd, small, sizeof small);
  if (n == -ERANGE) n = sys_flistxattr(&c->sys, fd, list = large, sizeof large);
  if (n < 0) return (int)n;

  struct collection found = {0};
  int err = 0;
  for (const char *name = list; err == 0 && name < list + n; name += strlen(name) + 1) {
    uint32_t index = names_index(name, names, size);
    if (size > 0 ? index != UINT32_MAX : strncmp(name, "user.", 5) == 0)
      err = collect(c, fd, name, index, &found);
  }
  return collection_finish(&found, err, out);
}

enum { END, SET, REMOVE };
enum { VALUE_IN_PIECE = 0x80000000u };
enum { HEX, BASE64 };

int64_t step_write_attributes(struct chain *c, const struct step *s, const int fd[3],
                              struct result *r) {
  (void)r;
  const uint8_t *at = (const uint8_t *)chain_text(c, s);
  if (fd[2] != FD_NONE) return sidecar_write(c, sidecar_place(c, s, fd[2]), fd[0], s->flags, at);
  struct change change;
  int more;
  while ((more = next_change(c, &at, &change)) > 0) {
    int err = change.removes
                  ? sys_fremovexattr(&c->sys, fd[0], change.name)
                  : sys_fsetxattr(&c->sys, fd[0], change.name, change.value, change.size);
    if (err != 0 && !(change.removes && err == -ENODATA)) return err;
  }
  return more;
}

static uint32_t read_u32(const uint8_t **at) {
  uint32_t value;
  memcpy(&value, *at, sizeof value);
  *at += sizeof value;
  return value;
}

static size_t encode_hex(const uint8_t *digest, size_t size, uint8_t *out) {
  for (size_t i = 0; i < size; i++) {
    *out++ = (uint8_t) "0123456789abcdef"[digest[i] >> 4];
    *out++ = (uint8_t) "0123456789abcdef"[digest[i] & 15];
  }
  return size * 2;
}

static size_t encode_base64(const uint8_t *digest, size_t size, uint8_t *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t *start = out;
  for (size_t i = 0; i < size; i += 3) {
    uint32_t bits = (uint32_t)digest[i] << 16;
    if (i + 1 < size) bits |= (uint32_t)digest[i + 1] << 8;
    if (i + 2 < size) bits |= digest[i + 2];
    *out++ = (uint8_t)digits[bits >> 18];
    *out++ = (uint8_t)digits[bits >> 12 & 63];
    *out++ = i + 1 < size ? (uint8_t)digits[bits >> 6 & 63] : '=';
    *out++ = i + 2 < size ? (uint8_t)digits[bits & 63] : '=';
  }
  return (size_t)(out - start);
}

/* A hole: u32 offset in the value, u32 encoding, u32 hasher, u32 kind. */
static int fill_hole(struct chain *c, uint8_t *value, size_t size, const uint8_t **at) {
  uint32_t offset = read_u32(at), encoding = read_u32(at), id = read_u32(at), kind = read_u32(at);
  hasher *h = chain_hasher(c, id);
  uint8_t digest[HASH_LONGEST], text[2 * HASH_LONGEST];
  size_t n = h == NULL ? 0 : hasher_digest(h, (enum hash_kind)kind, digest);
  if (n == 0) return -EINVAL;
  n = encoding == HEX ? encode_hex(digest, n, text) : encode_base64(digest, n, text);
  if (offset + n > size) return -EINVAL;
  memcpy(value + offset, text, n);
  return 0;
}

/* u8 SET or REMOVE, the name and a NUL; SET: u32 size (or VALUE_IN_PIECE and a piece), the value,
 * u32 holes and those. */
int next_change(struct chain *c, const uint8_t **at, struct change *change) {
  uint8_t kind = **at;
  if (kind == END) return 0;
  (*at)++;
  *change = (struct change){.removes = kind == REMOVE, .name = (const char *)*at};
  *at += strlen(change->name) + 1;
  if (change->removes) return 1;
  size_t size = read_u32(at);
  uint8_t *value = (uint8_t *)*at; /* ours: the slot's text, or a piece made for this step */
  if (size & VALUE_IN_PIECE) {
    const struct iovec *piece = &c->pieces[size & ~(size_t)VALUE_IN_PIECE];
    value = piece->iov_base;
    size = piece->iov_len;
  } else {
    *at += size;
  }
  for (uint32_t holes = read_u32(at); holes > 0; holes--) {
    int err = fill_hole(c, value, size, at);
    if (err != 0) return err;
  }
  change->value = value;
  change->size = size;
  return 1;
}
