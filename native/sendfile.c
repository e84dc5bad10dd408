#include "sendfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A burst ends here even if the socket would take more, and if others wait it is their turn. */
enum { BURST_BYTES = 4 * 1024 * 1024, CALL_BYTES = 2 * 1024 * 1024 };

/* Enough to tell a file that is in memory from one that is not. */
enum { LOOKED_AT_BYTES = 16 * 1024 * 1024 };

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

static void run(struct job *job);
static int cached_percent(const struct send *s);
static int burst(struct send *s);
static int wait_for_socket(struct send *s);
static void merge_records(struct send *s);
static void finish(struct send *s, int err);

int send_new(struct chains *shared, struct events *events, const struct send_request *request,
             struct send **out) {
  struct send *s = calloc(1, sizeof *s);
  int socket = s == NULL ? -1 : fcntl(request->socket, F_DUPFD_CLOEXEC, 3);
  if (socket < 0) {
    int err = s == NULL ? -ENOMEM : -errno;
    close(request->file);
    free(s);
    return err;
  }
  s->job.bulk = true;
  s->job.run = run;
  s->wait.fd = socket;
  s->wait.job = &s->job;
  s->shared = shared;
  s->events = events;
  s->file = request->file;
  s->offset = request->offset;
  s->left = request->length;
  s->stall_ns = request->stall_ns;
  s->sys = (struct sys){
      .records = request->syscalls ? s->records : NULL,
      .capacity = SEND_RECORDS,
      .faults = &shared->faults,
  };
  *out = s;
  return 0;
}

void send_cancel(struct send *s) { events_cancel(s->events, &s->wait); }

enum { DONE = 0, NOT_DONE = 1, WAITING = 2 };

static void run(struct job *job) {
  struct send *s = (struct send *)job;
  double now = now_ns();
  if (s->started_ns == 0) {
    s->queued_ns = job->queued_ns;
    s->started_ns = s->progress_ns = now;
    s->cached_percent = cached_percent(s);
  }
  if (s->waited) s->client_wait_ns += job->queued_ns - s->waits_since;
  bool timed_out = s->waited && s->wait.timed_out;
  s->waited = false;

  int state;
  do {
    bool ended = atomic_load(&s->wait.cancelled) || pool_stopping(s->shared->pool);
    state = ended ? -ECANCELED : burst(s);
  } while (state == NOT_DONE && !pool_is_crowded(s->shared->pool));
  if (state == WAITING) state = timed_out ? -ETIMEDOUT : wait_for_socket(s);
  /* From here on another thread may have the job, unless it is done. */
  if (state == WAITING) return;
  if (state == NOT_DONE)
    pool_submit(s->shared->pool, job);
  else
    finish(s, state);
}

/* One call for a whole file, that looks at page tables of the kernel and reads nothing. It is no
 * step of the transfer and has no record. Linux 6.5 or newer; not for a file that is not ours to
 * know. */
static int cached_percent(const struct send *s) {
  int64_t length = s->left < LOOKED_AT_BYTES ? s->left : LOOKED_AT_BYTES;
  struct {
    uint64_t offset, length;
  } range = {(uint64_t)s->offset, (uint64_t)length};
  struct {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
  } pages;
  if (length == 0 || syscall(SYS_cachestat, s->file, &range, &pages, 0) != 0) return -1;
  int64_t page = sysconf(_SC_PAGESIZE);
  int64_t touched = (s->offset + length - 1) / page - s->offset / page + 1;
  return (int)((int64_t)pages.cached * 100 / touched);
}

/* A return of 0 from sendfile means that the file shrank after Content-Length went out. No byte
 * can repair that answer: the caller gets EIO and drops the connection. */
static int burst(struct send *s) {
  int64_t limit = s->sent + BURST_BYTES;
  double start = now_ns();
  int state = s->left == 0 ? DONE : NOT_DONE;
  while (state == NOT_DONE && s->sent < limit) {
    size_t size = s->left < CALL_BYTES ? (size_t)s->left : CALL_BYTES;
    int64_t n = sys_sendfile(&s->sys, s->wait.fd, s->file, s->offset, size);
    merge_records(s);
    if (n == -EAGAIN) {
      state = WAITING;
    } else if (n <= 0) {
      state = n == 0 ? -EIO : (int)n;
    } else {
      s->offset += n;
      s->sent += n;
      s->left -= n;
      s->progress_ns = now_ns();
      if (s->left == 0) state = DONE;
    }
  }
  s->io_ns += now_ns() - start;
  return state;
}

static int wait_for_socket(struct send *s) {
  if (!s->registered) {
    int err = events_add(s->events, &s->wait);
    if (err != 0) return err;
    s->registered = true;
  }
  s->waited = true;
  s->waits_since = now_ns();
  s->wait.deadline = s->progress_ns + s->stall_ns;
  int err = events_writable(s->events, &s->wait);
  if (err == 0) return WAITING;
  s->waited = false;
  return err;
}

/* Adds the last call to the one before it if that succeeded too and ended just before; a call that
 * only said EAGAIN is dropped when there is no room. */
static void merge_records(struct send *s) {
  enum { OFFSET = 2, BYTES, ERRNO, START, END };
  if (s->sys.records == NULL || s->sys.count < 2) return;
  double *last = s->records + (size_t)(s->sys.count - 1) * SYS_RECORD_DOUBLES;
  double *before = last - SYS_RECORD_DOUBLES;
  bool full = s->sys.count == SEND_RECORDS;
  bool same = before[ERRNO] == 0 && last[ERRNO] == 0;
  if (!same && !full) return;
  if (last[ERRNO] == 0) {
    if (before[ERRNO] != 0) before[OFFSET] = last[OFFSET];
    before[BYTES] += last[BYTES];
    before[ERRNO] = 0;
  }
  before[END] = last[END];
  s->sys.count--;
}

static void finish(struct send *s, int err) {
  if (s->registered) events_remove(s->events, &s->wait);
  close(s->wait.fd);
  close(s->file);
  s->err = -err;
  s->ended_ns = now_ns();
  s->shared->settle(&s->job);
}
