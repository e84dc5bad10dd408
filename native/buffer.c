#include "buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int buffer_grow(struct buffer *b, size_t size) {
  size_t wanted = b->size + size;
  if (wanted > b->capacity) {
    size_t capacity = b->capacity == 0 ? 512 : b->capacity;
    while (capacity < wanted) capacity *= 2;
    void *data = realloc(b->data, capacity);
    if (data == NULL) return -ENOMEM;
    b->data = data;
    b->capacity = capacity;
  }
  b->size = wanted;
  return 0;
}

int buffer_append(struct buffer *b, const void *data, size_t size) {
  if (size == 0) return 0;
  if (buffer_grow(b, size) != 0) return -ENOMEM;
  memcpy(b->data + b->size - size, data, size);
  return 0;
}

void buffer_free(struct buffer *b) {
  free(b->data);
  *b = (struct buffer){0};
}

int buffer_output(struct buffer *b, struct chain *c, struct result *r) {
  size_t room = SLOT_BYTES - sizeof(struct slot) - c->data_used;
  if (b->size > room) {
    void *data = b->data;
    size_t size = b->size;
    *b = (struct buffer){0};
    return chain_output_blob(c, r, data, size);
  }
  void *output = chain_output(c, r, b->size);
  if (output != NULL && b->size > 0) memcpy(output, b->data, b->size);
  buffer_free(b);
  return output == NULL ? -ENOMEM : 0;
}
