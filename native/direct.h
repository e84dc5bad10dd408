/* Reading and writing past the page cache (O_DIRECT), where the file system allows it. */
#ifndef DIRECT_H
#define DIRECT_H

#include "chain.h"

/* As pread and pwritev of everything; shortens the pieces. Whole blocks go past the cache, what
 * stands before and behind them through it; where the file system refuses, all does. */
int64_t direct_read(struct chain *c, int fd, uint8_t *data, size_t size, int64_t offset);
int64_t direct_write(struct chain *c, int fd, struct iovec *pieces, uint32_t count, int64_t offset);

#endif
