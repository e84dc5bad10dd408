#include "events.h"
#include "sys.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BATCH = 64, STACK_BYTES = 128 * 1024 };
enum { WAKE_UP = UINT32_MAX };

struct timer {
  struct job *job;
  double due;
};

struct events {
  struct pool *pool;
  pthread_mutex_t lock;
  pthread_t thread;
  bool started, stopping;
  int epoll, wake;
  double earliest; /* nothing is due before; 0 is never */
  struct wait **waits;
  uint32_t wait_count, wait_capacity, sequence;
  struct timer *timers;
  uint32_t timer_count, timer_capacity;
};

static int start(struct events *e);
static void *run(void *argument);
static void handle(struct events *e, const struct epoll_event *event);
static void fire(struct events *e, double now, bool all);
static double next_due(const struct events *e);
static void disarm(struct events *e, struct wait *w);
static void wake_by(struct events *e, double due);

struct events *events_new(struct pool *pool) {
  struct events *e = calloc(1, sizeof *e);
  if (e == NULL) return NULL;
  e->pool = pool;
  pthread_mutex_init(&e->lock, NULL);
  e->epoll = epoll_create1(EPOLL_CLOEXEC);
  e->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE_UP};
  if (e->epoll >= 0 && e->wake >= 0 && epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->wake, &event) == 0)
    return e;
  events_free(e);
  return NULL;
}

void events_stop(struct events *e) {
  pthread_mutex_lock(&e->lock);
  e->stopping = true;
  fire(e, 0, true);
  pthread_mutex_unlock(&e->lock);
  eventfd_write(e->wake, 1);
}

void events_free(struct events *e) {
  if (e->wake >= 0 && e->epoll >= 0) events_stop(e);
  if (e->started) pthread_join(e->thread, NULL);
  if (e->epoll >= 0) close(e->epoll);
  if (e->wake >= 0) close(e->wake);
  pthread_mutex_destroy(&e->lock);
  free(e->waits);
  free(e->timers);
  free(e);
}

int events_add(struct events *e, struct wait *w) {
  pthread_mutex_lock(&e->lock);
  int err = start(e);
  uint32_t index = 0;
  while (index < e->wait_count && e->waits[index] != NULL) index++;
  if (err == 0 && index == e->wait_capacity) {
    uint32_t capacity = index == 0 ? 64 : index * 2;
    struct wait **waits = realloc(e->waits, capacity * sizeof(struct wait *));
    if (waits == NULL) {
      err = -ENOMEM;
    } else {
      e->waits = waits;
      e->wait_capacity = capacity;
    }
  }
  if (err == 0) {
    w->index = index;
    w->sequence = ++e->sequence;
    struct epoll_event event = {.events = EPOLLONESHOT};
    if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, w->fd, &event) != 0) err = -errno;
  }
  if (err == 0) {
    e->waits[index] = w;
    if (index == e->wait_count) e->wait_count++;
  }
  pthread_mutex_unlock(&e->lock);
  return err;
}

void events_remove(struct events *e, struct wait *w) {
  pthread_mutex_lock(&e->lock);
  e->waits[w->index] = NULL;
  while (e->wait_count > 0 && e->waits[e->wait_count - 1] == NULL) e->wait_count--;
  /* Closing our duplicate would not do it: the client's own descriptor is still open. */
  epoll_ctl(e->epoll, EPOLL_CTL_DEL, w->fd, NULL);
  pthread_mutex_unlock(&e->lock);
}

int events_writable(struct events *e, struct wait *w) {
  int err = 0;
  pthread_mutex_lock(&e->lock);
  w->timed_out = false;
  if (e->stopping || atomic_load(&w->cancelled)) {
    pool_submit(e->pool, w->job);
  } else {
    /* No EPOLLRDHUP: a client that only ended its sending side still reads. */
    struct epoll_event event = {
        .events = EPOLLOUT | EPOLLONESHOT,
        .data.u64 = (uint64_t)w->sequence << 32 | w->index,
    };
    w->armed = true;
    if (epoll_ctl(e->epoll, EPOLL_CTL_MOD, w->fd, &event) != 0) {
      err = -errno;
      w->armed = false;
    } else {
      wake_by(e, w->deadline);
    }
  }
  pthread_mutex_unlock(&e->lock);
  return err;
}

void events_cancel(struct events *e, struct wait *w) {
  pthread_mutex_lock(&e->lock);
  atomic_store(&w->cancelled, true);
  if (w->armed) disarm(e, w);
  pthread_mutex_unlock(&e->lock);
}

void events_later(struct events *e, struct job *job, double ns) {
  pthread_mutex_lock(&e->lock);
  bool stored = false;
  if (!e->stopping && start(e) == 0) {
    if (e->timer_count == e->timer_capacity) {
      uint32_t capacity = e->timer_capacity == 0 ? 16 : e->timer_capacity * 2;
      struct timer *timers = realloc(e->timers, capacity * sizeof *timers);
      if (timers != NULL) {
        e->timers = timers;
        e->timer_capacity = capacity;
      }
    }
    if (e->timer_count < e->timer_capacity) {
      double due = now_ns() + ns;
      e->timers[e->timer_count++] = (struct timer){job, due};
      wake_by(e, due);
      stored = true;
    }
  }
  /* Without memory: at once, which is only less considerate. */
  if (!stored) pool_submit(e->pool, job);
  pthread_mutex_unlock(&e->lock);
}

static int start(struct events *e) {
  if (e->started) return 0;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int err = pthread_create(&e->thread, &attributes, run, e);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  e->started = err == 0;
  return -err;
}

static void *run(void *argument) {
  struct events *e = argument;
  struct epoll_event events[BATCH];
  pthread_mutex_lock(&e->lock);
  while (!e->stopping) {
    double now = now_ns(), due = e->earliest;
    int timeout = due == 0 ? -1 : due <= now ? 0 : (int)((due - now) / 1e6) + 1;
    pthread_mutex_unlock(&e->lock);
    int n = epoll_wait(e->epoll, events, BATCH, timeout);
    pthread_mutex_lock(&e->lock);
    for (int i = 0; i < n; i++) handle(e, &events[i]);
    if (e->earliest == 0 || (now = now_ns()) < e->earliest) continue;
    fire(e, now, false);
    e->earliest = next_due(e);
  }
  pthread_mutex_unlock(&e->lock);
  return NULL;
}

/* An event may be older than the wait that now has its index: the sequence tells. */
static void handle(struct events *e, const struct epoll_event *event) {
  if (event->data.u64 == WAKE_UP) {
    eventfd_t count;
    eventfd_read(e->wake, &count);
    return;
  }
  uint32_t index = (uint32_t)event->data.u64;
  struct wait *w = index < e->wait_count ? e->waits[index] : NULL;
  if (w != NULL && w->sequence == event->data.u64 >> 32 && w->armed) disarm(e, w);
}

/* Ends what is due, or everything. */
static void fire(struct events *e, double now, bool all) {
  for (uint32_t i = 0; i < e->wait_count; i++) {
    struct wait *w = e->waits[i];
    if (w == NULL || !w->armed || (!all && w->deadline > now)) continue;
    w->timed_out = !all;
    disarm(e, w);
  }
  for (uint32_t i = 0; i < e->timer_count; i++) {
    if (!all && e->timers[i].due > now) continue;
    pool_submit(e->pool, e->timers[i].job);
    e->timers[i--] = e->timers[--e->timer_count];
  }
}

static double next_due(const struct events *e) {
  double due = 0;
  for (uint32_t i = 0; i < e->wait_count; i++) {
    const struct wait *w = e->waits[i];
    if (w != NULL && w->armed && (due == 0 || w->deadline < due)) due = w->deadline;
  }
  for (uint32_t i = 0; i < e->timer_count; i++)
    if (due == 0 || e->timers[i].due < due) due = e->timers[i].due;
  return due;
}

static void disarm(struct events *e, struct wait *w) {
  w->armed = false;
  pool_submit(e->pool, w->job);
}

static void wake_by(struct events *e, double due) {
  if (e->earliest != 0 && e->earliest <= due) return;
  e->earliest = due;
  eventfd_write(e->wake, 1);
}
