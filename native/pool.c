/* How few wake-ups can be enough.
 *
 * Waking a sleeping thread costs the one who wakes it 5 to 20 us, more than a small job takes, and
 * it is the event loop that pays. So while there is work, two threads sleep by the clock instead:
 * the poller looks every POLL_NS for jobs that nobody runs, and the watcher every WATCH_NS whether
 * the queue has moved; if a job blocks (a disk) and others wait behind it, the watcher takes over.
 * A thread that ends a job takes the next one without sleeping, so under load one thread may do all
 * the work. A submit wakes a thread only if the last start is more than QUIET_NS ago, if nobody
 * sleeps by the clock, or if the queue is long. KEEP_NS after the last start all threads sleep
 * without a timeout. */
#include "pool.h"
#include "sys.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

enum { QUIET_NS = 200000, POLL_NS = 300000, WATCH_NS = 300000, KEEP_NS = 2000000 };
enum { LONG_QUEUE = 8, KEPT_FROM_BULK = 2 };
enum { STACK_BYTES = 512 * 1024 };

struct queue {
  struct job *first, **last;
  int length;
};

struct worker {
  struct pool *pool;
  pthread_t thread;
  pthread_cond_t wake;
  bool signalled;
  struct worker *next_idle;
};

struct pool {
  pthread_mutex_t lock;
  struct queue metadata, bulk;
  struct worker *idle;             /* asleep without a timeout, the most recent first */
  struct worker *poller, *watcher; /* asleep by the clock */
  int threads, running, running_bulk, waking, max_bulk;
  double last_start;
  unsigned long starts, wakes, takeovers;
  atomic_bool stopping;
  atomic_int more, queued; /* metadata.length and that of both, to be read without the lock */
  bool closing;
  void (*flush)(void *owner);
  void *owner;
  struct worker workers[];
};

static void *work(void *argument);
static void enqueue(struct pool *p, struct job *job);
static void publish_lengths(struct pool *p);
static int ready(const struct pool *p);
static struct job *take(struct pool *p);
static void run(struct worker *w, struct job *job);
static void sleep_idle(struct worker *w);
static void watch(struct worker *w, struct worker **role, long period_ns);
static bool recently_active(const struct pool *p);
static bool wake_one(struct pool *p);
static void push(struct queue *q, struct job *job);
static struct job *shift(struct queue *q);

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
  push(job->bulk ? &p->bulk : &p->metadata, job);
  publish_lengths(p);
}

void pool_submit(struct pool *p, struct job *job) {
  double now = now_ns();
  job->queued_ns = now;
  pthread_mutex_lock(&p->lock);
  enqueue(p, job);
  bool polled = p->poller != NULL || (p->running > 0 && p->watcher != NULL);
  /* A bulk job takes far longer than the wake-up, and its upload waits for it. */
  if (p->waking == 0 && (job->bulk || !polled || now - p->last_start > QUIET_NS))
    wake_one(p);
  else if (ready(p) > LONG_QUEUE * (p->running + p->waking))
    wake_one(p);
  pthread_mutex_unlock(&p->lock);
}

void pool_submit_now(struct pool *p, struct job *job) {
  job->queued_ns = now_ns();
  pthread_mutex_lock(&p->lock);
  enqueue(p, job);
  if (p->waking == 0) wake_one(p);
  pthread_mutex_unlock(&p->lock);
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
  prctl(PR_SET_TIMERSLACK, 1000); /* ns; the default of 50 us is as long as the poller sleeps */
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
    } else if (p->poller == NULL && recently_active(p)) {
      watch(w, &p->poller, POLL_NS);
    } else if (p->watcher == NULL && recently_active(p)) {
      watch(w, &p->watcher, WATCH_NS);
    } else {
      sleep_idle(w);
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
  p->running++;
  p->running_bulk += bulk;
  p->starts++;
  p->last_start = now_ns();
  if (p->watcher == NULL && p->waking == 0 && ready(p) > 0) wake_one(p);
  /* The job may block, and then nobody else would come to send off what is held back. */
  bool alone = p->poller == NULL && p->watcher == NULL;
  pthread_mutex_unlock(&p->lock);
  if (bulk || alone) p->flush(p->owner);
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

static bool recently_active(const struct pool *p) {
  return p->running > 0 || now_ns() - p->last_start < KEEP_NS;
}

/* Sleeps by the clock, in the role of poller or watcher. Returns when there may be something to do:
 * signalled, jobs that nobody runs, or jobs behind one that has not ended for a whole period. */
static void watch(struct worker *w, struct worker **role, long period_ns) {
  struct pool *p = w->pool;
  *role = w;
  while (!w->signalled && !p->closing && recently_active(p)) {
    unsigned long starts = p->starts;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += period_ns;
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
    if (ready(p) == 0) continue;
    if (p->running == 0) break;
    if (p->starts != starts || (role == &p->poller && p->watcher != NULL)) continue;
    p->takeovers++;
    break;
  }
  *role = NULL;
  if (w->signalled && !p->closing) p->waking--;
  w->signalled = false;
}

/* Wakes the poller, or the thread that slept least, the watcher last; false when all are busy. */
static bool wake_one(struct pool *p) {
  struct worker *w = p->idle;
  if (p->poller != NULL && !p->poller->signalled) {
    w = p->poller;
  } else if (w != NULL) {
    p->idle = w->next_idle;
  } else if (p->watcher != NULL && !p->watcher->signalled) {
    w = p->watcher;
  } else {
    return false;
  }
  w->signalled = true;
  p->waking++;
  p->wakes++;
  pthread_cond_signal(&w->wake);
  return true;
}

static void push(struct queue *q, struct job *job) {
  job->next = NULL;
  *q->last = job;
  q->last = &job->next;
  q->length++;
}

static struct job *shift(struct queue *q) {
  struct job *job = q->first;
  q->first = job->next;
  if (q->first == NULL) q->last = &q->first;
  q->length--;
  return job;
}
