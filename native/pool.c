/* How few wake-ups can be enough.
 *
 * Waking a sleeping thread costs the one who wakes it 5 to 20 us, more than a small job takes, and
 * it is the event loop that pays. So the loop queues what a turn of it brings and wakes once, at
 * the end of the turn, and only if no thread runs that will come by: a thread that ends a job takes
 * the next one without sleeping, so under load one thread may do all the work. A second one is
 * woken when the queue is long, or when nothing has been started for STALL_NS, as behind a job that
 * waits for a disk. While jobs queue one idle thread, the watcher, looks every WATCH_NS for such a
 * stall, should the loop have nothing to say; KEEP_NS after the last that had to queue it sleeps as
 * the others.
 *
 * Of few clients, who wait for their answers, each job finds all threads asleep. There the loop
 * announces a job when its request begins to come: what the request needs before the job is ready,
 * a thread needs to wake. */
#include "pool.h"
#include "job-queue.h"
#include "sys.h"
#include "usage.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

enum { STALL_NS = 300000, WATCH_NS = 500000, KEEP_NS = 2000000 };
enum { LONG_QUEUE = 8, KEPT_FROM_BULK = 2 };
enum { STACK_BYTES = 512 * 1024 };

struct worker {
  struct pool *pool;
  pthread_t thread;
  pthread_cond_t wake;
  bool signalled;
  bool rested;        /* since its last job */
  double awake_until; /* for a job that was announced; 0 where none was */
  struct worker *next_idle;
};

struct pool {
  pthread_mutex_t lock;
  struct queue metadata, bulk;
  struct worker *idle;    /* asleep without a timeout, the most recent first */
  struct worker *watcher; /* asleep by the clock */
  int threads, running, running_bulk, waking, max_bulk;
  double last_start, last_queue; /* when a job had one before it */
  unsigned long starts, wakes, takeovers;
  bool announced; /* a thread is awake, or on the way, for a job that is about to come */
  atomic_bool stopping;
  atomic_int more, queued; /* metadata.length and that of both, to be read without the lock */
  bool closing;
  void (*flush)(void *owner);
  void *owner;
  struct worker workers[];
};

static void *work(void *argument);
static void enqueue(struct pool *p, struct job *job);
static bool is_full(const struct pool *p, bool bulk);
static void publish_lengths(struct pool *p);
static int ready(const struct pool *p);
static struct job *take(struct pool *p);
static void run(struct worker *w, struct job *job);
static void sleep_idle(struct worker *w);
static void watch(struct worker *w);
static void stay_awake(struct worker *w);
static bool may_queue(const struct pool *p);
static bool is_wake_needed(const struct pool *p);
static struct worker *choose(struct pool *p);
static void unlock_and_wake(struct pool *p, struct worker *w);

struct pool *pool_new(int threads, void (*flush)(void *owner), void *owner) {
  struct pool *p = calloc(1, sizeof *p + (size_t)threads * sizeof p->workers[0]);
  if (p == NULL) return NULL;
  p->flush = flush;
  p->owner = owner;
  pthread_mutex_init(&p->lock, NULL);
  p->metadata.last = &p->metadata.first;
  p->bulk.last = &p->bulk.first;
  p->max_bulk = threads > KEPT_FROM_BULK ? threads - KEPT_FROM_BULK : 1;

  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  sigset_t all, before;
  sigfillset(&all);
  /* Inherited by the threads: SIGPIPE must not end the process, nor Node's handlers run there. */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (; p->threads < threads; p->threads++) {
    struct worker *w = &p->workers[p->threads];
    w->pool = p;
    pthread_cond_init(&w->wake, &monotonic);
    if (pthread_create(&w->thread, &attributes, work, w) != 0) {
      pthread_cond_destroy(&w->wake);
      break;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  pthread_condattr_destroy(&monotonic);
  if (p->threads == threads) return p;
  pool_free(p);
  return NULL;
}

static void enqueue(struct pool *p, struct job *job) {
  job->crowded = is_full(p, job->bulk);
  if (p->running + p->metadata.length + p->bulk.length > 0) p->last_queue = job->queued_ns;
  push(job->bulk ? &p->bulk : &p->metadata, job);
  publish_lengths(p);
}

/* Whether a job that comes now has to wait for another to end. */
static bool is_full(const struct pool *p, bool bulk) {
  int ahead = p->running + p->metadata.length;
  return ahead >= p->threads || (bulk && p->running_bulk + p->bulk.length >= p->max_bulk);
}

void pool_put(struct pool *p, struct job *job) {
  job->queued_ns = now_ns();
  pthread_mutex_lock(&p->lock);
  enqueue(p, job);
  pthread_mutex_unlock(&p->lock);
}

void pool_kick(struct pool *p) {
  if (!pool_is_crowded(p)) return;
  pthread_mutex_lock(&p->lock);
  unlock_and_wake(p, is_wake_needed(p) ? choose(p) : NULL);
}

void pool_submit(struct pool *p, struct job *job) {
  job->queued_ns = now_ns();
  pthread_mutex_lock(&p->lock);
  enqueue(p, job);
  unlock_and_wake(p, p->waking == 0 && !p->announced ? choose(p) : NULL);
}

void pool_announce(struct pool *p, double ns) {
  pthread_mutex_lock(&p->lock);
  bool needed = !p->announced && p->waking == 0 && p->running == 0;
  struct worker *w = needed ? choose(p) : NULL;
  if (w != NULL) {
    p->announced = true;
    w->awake_until = now_ns() + ns;
  }
  unlock_and_wake(p, w);
}

int pool_borrow(struct pool *p, struct job **jobs, int most) {
  if (!pool_has_more(p)) return 0;
  int count = 0;
  pthread_mutex_lock(&p->lock);
  while (count < most && p->metadata.length > 0 && p->metadata.first->lendable)
    jobs[count++] = shift(&p->metadata);
  publish_lengths(p);
  pthread_mutex_unlock(&p->lock);
  return count;
}

void pool_give_back(struct pool *p, struct job *const *jobs, int count) {
  if (count == 0) return;
  pthread_mutex_lock(&p->lock);
  for (int i = count - 1; i >= 0; i--) {
    jobs[i]->lendable = false;
    unshift(&p->metadata, jobs[i]);
  }
  publish_lengths(p);
  /* A thread that looked meanwhile may have gone to sleep. */
  unlock_and_wake(p, is_wake_needed(p) ? choose(p) : NULL);
}

bool pool_is_crowded(const struct pool *p) {
  return atomic_load_explicit(&p->queued, memory_order_relaxed) > 0;
}

bool pool_has_more(const struct pool *p) {
  return atomic_load_explicit(&p->more, memory_order_relaxed) > 0;
}

void pool_stop(struct pool *p) { atomic_store(&p->stopping, true); }

bool pool_stopping(const struct pool *p) {
  return atomic_load_explicit(&p->stopping, memory_order_relaxed);
}

void pool_free(struct pool *p) {
  pool_stop(p);
  pthread_mutex_lock(&p->lock);
  p->closing = true;
  for (int i = 0; i < p->threads; i++) {
    p->workers[i].signalled = true;
    pthread_cond_signal(&p->workers[i].wake);
  }
  pthread_mutex_unlock(&p->lock);
  for (int i = 0; i < p->threads; i++) {
    pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->workers[i].wake);
  }
  pthread_mutex_destroy(&p->lock);
  free(p);
}

struct pool_stats pool_stats(struct pool *p) {
  pthread_mutex_lock(&p->lock);
  struct pool_stats s = {
      .threads = p->threads,
      .queued = p->metadata.length + p->bulk.length,
      .running = p->running,
      .wakes = p->wakes,
      .takeovers = p->takeovers,
      .jobs = p->starts,
  };
  pthread_mutex_unlock(&p->lock);
  return s;
}

static void *work(void *argument) {
  struct worker *w = argument;
  struct pool *p = w->pool;
  /* ns; the default of 50 us is a tenth of what the watcher sleeps. */
  prctl(PR_SET_TIMERSLACK, 1000);
  pthread_mutex_lock(&p->lock);
  for (bool flushed = true;;) {
    struct job *job = take(p);
    if (job != NULL) {
      run(w, job);
      flushed = false;
    } else if (!flushed) {
      pthread_mutex_unlock(&p->lock);
      p->flush(p->owner);
      pthread_mutex_lock(&p->lock);
      flushed = true;
    } else if (p->closing && p->metadata.length + p->bulk.length == 0) {
      break;
    } else {
      if (p->watcher == NULL && may_queue(p))
        watch(w);
      else
        sleep_idle(w);
      w->rested = true;
      if (w->awake_until > 0) stay_awake(w);
    }
  }
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

static void publish_lengths(struct pool *p) {
  int all = p->metadata.length + p->bulk.length;
  atomic_store_explicit(&p->more, p->metadata.length, memory_order_relaxed);
  atomic_store_explicit(&p->queued, all, memory_order_relaxed);
}

/* Queued jobs that a thread may start now. */
static int ready(const struct pool *p) {
  bool bulk_allowed = p->running_bulk < p->max_bulk;
  return p->metadata.length + (bulk_allowed ? p->bulk.length : 0);
}

static struct job *take(struct pool *p) {
  struct job *job = NULL;
  if (p->metadata.length > 0) job = shift(&p->metadata);
  /* While closing nothing can be starved any more, and the last thread must empty both queues. */
  else if (p->bulk.length > 0 && (p->running_bulk < p->max_bulk || p->closing))
    job = shift(&p->bulk);
  publish_lengths(p);
  return job;
}

static void run(struct worker *w, struct job *job) {
  struct pool *p = w->pool;
  bool bulk = job->bulk; /* `job` is not ours any more once it has run */
  job->lendable = false;
  p->running++;
  p->running_bulk += bulk;
  p->starts++;
  p->last_start = now_ns();
  /* Bulk is long, and each piece has an upload that waits for it. */
  bool more_bulk = p->bulk.length > 0 && p->running_bulk < p->max_bulk;
  bool wanted = p->waking == 0 && (more_bulk || (p->watcher == NULL && ready(p) > 0));
  /* The job may block, and then nobody else would come to send off what is held back. */
  bool alone = p->watcher == NULL;
  unlock_and_wake(p, wanted ? choose(p) : NULL);
  if (bulk || alone) p->flush(p->owner);
  if (w->rested) usage_begin();
  w->rested = false;
  job->run(job);
  pthread_mutex_lock(&p->lock);
  p->running--;
  p->running_bulk -= bulk;
}

static void sleep_idle(struct worker *w) {
  struct pool *p = w->pool;
  w->next_idle = p->idle;
  p->idle = w;
  while (!w->signalled && !p->closing) pthread_cond_wait(&w->wake, &p->lock);
  if (!w->signalled || p->closing) {
    struct worker **at = &p->idle;
    while (*at != NULL && *at != w) at = &(*at)->next_idle;
    if (*at == w) *at = w->next_idle;
  } else {
    p->waking--;
  }
  w->signalled = false;
}

/* Yields meanwhile: the loop that is about to submit may share this processor. */
static void stay_awake(struct worker *w) {
  struct pool *p = w->pool;
  pthread_mutex_unlock(&p->lock);
  while (!pool_is_crowded(p) && !pool_stopping(p) && now_ns() < w->awake_until) sched_yield();
  pthread_mutex_lock(&p->lock);
  w->awake_until = 0;
  p->announced = false;
}

static bool may_queue(const struct pool *p) {
  return p->running > 0 || now_ns() - p->last_queue < KEEP_NS;
}

/* Sleeps by the clock. Returns when there may be something to do: signalled, or jobs that nobody
 * has started for a whole period. */
static void watch(struct worker *w) {
  struct pool *p = w->pool;
  p->watcher = w;
  while (!w->signalled && !p->closing && may_queue(p)) {
    unsigned long starts = p->starts;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WATCH_NS;
    if (until.tv_nsec >= 1000000000) {
      until.tv_sec++;
      until.tv_nsec -= 1000000000;
    }
    if (pthread_cond_timedwait(&w->wake, &p->lock, &until) != ETIMEDOUT) continue;
    if (p->running > 0) {
      pthread_mutex_unlock(&p->lock);
      p->flush(p->owner);
      pthread_mutex_lock(&p->lock);
    }
    if (ready(p) == 0 || (p->running > 0 && p->starts != starts)) continue;
    p->takeovers += p->running > 0;
    break;
  }
  p->watcher = NULL;
  if (w->signalled && !p->closing) p->waking--;
  w->signalled = false;
}

static bool is_wake_needed(const struct pool *p) {
  int waiting = ready(p);
  if (waiting == 0 || p->waking > 0 || p->announced) return false;
  /* Without a watcher nobody would see that what runs has come to a stop. */
  return p->running == 0 || p->watcher == NULL || waiting > LONG_QUEUE * p->running ||
         now_ns() - p->last_start > STALL_NS;
}

/* Takes the thread that slept least, the watcher last; NULL when all are busy. */
static struct worker *choose(struct pool *p) {
  struct worker *w = p->idle;
  if (w != NULL)
    p->idle = w->next_idle;
  else if (p->watcher != NULL && !p->watcher->signalled)
    w = p->watcher;
  else
    return NULL;
  w->signalled = true;
  p->waking++;
  p->wakes++;
  return w;
}

/* In this order: a thread that wakes needs the lock first of all. */
static void unlock_and_wake(struct pool *p, struct worker *w) {
  pthread_mutex_unlock(&p->lock);
  if (w != NULL) pthread_cond_signal(&w->wake);
}
