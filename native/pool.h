/* Threads that run jobs, and wake as seldom as they can.
 *
 * Waking a thread costs more than a small job does. So jobs can be queued together and a thread
 * is woken once, if none is going to pick them up; see the note in pool.c. Two lanes: metadata goes
 * before bulk, and bulk never takes the last two threads. */
#ifndef POOL_H
#define POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job {
  struct job *next;
  uint32_t id; /* of the owner's choice */
  bool bulk;
  bool lendable; /* while it waits another job may do a part of its work: see pool_borrow */
  bool crowded;  /* out: when it was queued no thread was free for it */
  double queued_ns;
  /* Runs on a pool thread. Whoever runs a job owns it: `run` hands it on (completion list, event
   * thread, or the queue again) before it returns. */
  void (*run)(struct job *);
};

struct pool;

/* Starts `threads` threads; NULL when that fails. `flush` is called with `owner` by a thread that
 * is about to sleep or to run a bulk job, and now and then while one is busy: what was held back to
 * go out together goes out then. */
struct pool *pool_new(int threads, void (*flush)(void *owner), void *owner);

/* Whether a job waits that will be run soon. */
bool pool_has_more(const struct pool *p);

/* Queues a job and sees to it that a thread comes for it. */
void pool_submit(struct pool *p, struct job *job);

/* Queues a job for whoever runs already. The caller promises a pool_kick when it has no more: that
 * wakes a thread if none is going to find what waits. */
void pool_put(struct pool *p, struct job *job);
void pool_kick(struct pool *p);

/* Wakes a thread, if none is awake, for a job that is about to be submitted, and that finds it
 * awake for so long. */
void pool_announce(struct pool *p, double ns);

/* Whether others wait for a thread. */
bool pool_is_crowded(const struct pool *p);

/* For a job that runs: takes those that are next, as far as they are lendable, `most` of them at
 * most. They are nobody else's until they are given back, soon, to where they were. Each is lent
 * once. */
int pool_borrow(struct pool *p, struct job **jobs, int most);
void pool_give_back(struct pool *p, struct job *const *jobs, int count);

/* From now on pool_stopping is true; jobs still run, and are expected to end soon. */
void pool_stop(struct pool *p);
bool pool_stopping(const struct pool *p);

/* Runs what is queued, joins the threads, frees. */
void pool_free(struct pool *p);

struct pool_stats {
  int threads, queued, running;
  unsigned long wakes, takeovers, jobs;
};
struct pool_stats pool_stats(struct pool *p);

#endif
