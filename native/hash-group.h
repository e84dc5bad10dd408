/* Streams that are hashed at the same time, hashed side by side.
 *
 * MD5 of one stream keeps a core busy and mostly waiting; of several at once it is several times
 * as fast (hash.h). So of the threads that have something long to hash, a few lead: each takes
 * what the others brought along with its own, and they sleep until theirs is done. */
#ifndef HASH_GROUP_H
#define HASH_GROUP_H

#include "hash.h"

#include <pthread.h>
#include <sys/uio.h>

struct hash_request;

struct hash_group {
  pthread_mutex_t lock;
  struct hash_request *first, **last; /* nobody leads these yet */
  int leaders, max_leaders;
  const hasher *latest; /* whose request came last, and when */
  double latest_ns;
  int misses; /* waits for company in a row for which none came */
};

void hash_group_init(struct hash_group *g);
void hash_group_destroy(struct hash_group *g);

/* hasher_update with the pieces in their order. */
void hash_group_update(struct hash_group *g, hasher *h, const struct iovec *pieces, size_t count);

#endif
