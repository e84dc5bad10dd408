/* One thread that waits for sockets to take more and for time to pass: the pool's need not. */
#ifndef EVENTS_H
#define EVENTS_H

#include "pool.h"

#include <stdint.h>

struct events;

/* A socket of a job's, between events_add and events_remove. */
struct wait {
  struct job *job; /* submitted to the pool when the wait is over, whatever ended it */
  int fd;
  double deadline;
  bool armed, timed_out;
  atomic_bool cancelled;
  uint32_t index, sequence;
};

/* The thread starts when it is first needed. NULL without memory or descriptors. */
struct events *events_new(struct pool *pool);

/* 0 or -errno; then `w` may be waited for again and again, until events_remove. */
int events_add(struct events *e, struct wait *w);
void events_remove(struct events *e, struct wait *w);

/* Submits w->job once w->fd is writable or broken, at w->deadline (then `timed_out` is set), or at
 * once after events_cancel or events_stop. 0 or -errno. */
int events_writable(struct events *e, struct wait *w);

/* Sets w->cancelled and ends a wait, the one to come included. */
void events_cancel(struct events *e, struct wait *w);

/* Submits `job` after `ns`, or at once after events_stop. */
void events_later(struct events *e, struct job *job, double ns);

/* Ends all waits and takes no more. */
void events_stop(struct events *e);
void events_free(struct events *e);

#endif
