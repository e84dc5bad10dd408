/* Bytes that grow. */
#ifndef BUFFER_H
#define BUFFER_H

#include "chain.h"

struct buffer {
  uint8_t *data;
  size_t size, capacity;
};

/* Adds room for `size` bytes at the end; 0 or -ENOMEM. */
int buffer_grow(struct buffer *b, size_t size);
int buffer_append(struct buffer *b, const void *data, size_t size);
void buffer_free(struct buffer *b);

/* Makes the bytes a step's output and frees the buffer in every case. */
int buffer_output(struct buffer *b, struct chain *c, struct result *r);

/* Appends the attributes named in `names` (NUL-terminated, one after the other; all of `user.` when
 * `size` is 0) in the form of step_read_attributes. */
int attributes_read(struct chain *c, int fd, const char *names, size_t size, struct buffer *out);

#endif
