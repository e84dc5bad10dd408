/* Attributes on their way: read into a table, or written one by one. */
#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

#include "buffer.h"

/* Attributes that were found. Values are kept apart from the table before them, which is as long as
 * there are values. */
struct collection {
  struct buffer table, values;
  uint32_t count;
};

/* `index` is that of a wanted name, or UINT32_MAX: then `name` (with its `user.`) is told too. */
int collection_add(struct collection *to, const char *name, uint32_t index, const void *value,
                   size_t size);
/* Appends it to `out` in the form of step_read_attributes, unless `err`, and frees it. */
int collection_finish(struct collection *from, int err, struct buffer *out);

/* Where `name` stands in a list of names, or UINT32_MAX. */
uint32_t names_index(const char *name, const char *names, size_t size);

struct change {
  bool removes;
  const char *name; /* with its `user.` */
  const uint8_t *value;
  size_t size;
};

/* The next of a step's changes, its holes filled: 1, 0 at the end, or -errno. */
int next_change(struct chain *c, const uint8_t **at, struct change *change);

#endif
