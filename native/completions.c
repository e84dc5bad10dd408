/* How what the pool has done gets to the event loop: a list without a lock, and who tells of it. */
#include "glue.h"

#include <sched.h>

/* Completions are held back while more are about to follow: waking the event loop, and then the
 * client, once for several answers is what makes many small requests cheap. The pool calls this
 * before a thread sleeps. */
void report_rest(void *owner) {
  struct io *io = owner;
  if (atomic_load(&io->done) != NULL && !atomic_exchange(&io->reported, true))
    napi_call_threadsafe_function(io->wake, NULL, napi_tsfn_nonblocking);
}

void settle(struct job *job) {
  /* Both kinds of job know their `shared`, which is the start of our struct. */
  struct io *io = job->id < SEND_ID ? (struct io *)((struct chain *)job)->shared
                                    : (struct io *)((struct send *)job)->shared;
  job->next = atomic_load(&io->done);
  while (!atomic_compare_exchange_weak(&io->done, &job->next, job)) continue;
  bool many = atomic_fetch_add(&io->done_count, 1) + 1 >= REPORT_AT;
  if (many || !pool_has_more(io->shared.pool)) report_rest(io);
}

static struct job *prepend_reversed(struct job *job, struct job *to) {
  for (struct job *next; job != NULL; job = next) {
    next = job->next;
    job->next = to;
    to = job;
  }
  return to;
}

/* What is done, in that order; what is done from now on is reported. The list is emptied before
 * that is said: so a thread whose job the awaiting loop has just taken finds nothing to report. */
static struct job *take_done(struct io *io) {
  struct job *first = atomic_exchange(&io->done, NULL);
  atomic_store(&io->done_count, 0);
  atomic_store(&io->reported, false);
  struct job *since = atomic_exchange(&io->done, NULL);
  return prepend_reversed(first, prepend_reversed(since, NULL));
}

void run_later(struct job *job, double ns) {
  struct io *io = (struct io *)((struct chain *)job)->shared;
  events_later(io->events, job, ns);
}

static void forget_in_flight(struct io *io, uint32_t count) {
  io->in_flight -= count;
  if (io->in_flight == 0) napi_unref_threadsafe_function(io->env, io->wake);
}

void remember_in_flight(struct io *io) {
  if (io->in_flight++ == 0) napi_ref_threadsafe_function(io->env, io->wake);
}

/* Hands the finished jobs' ids over in the arena's head, and their number as the argument. */
void report_done(napi_env env, napi_value unused, void *context, void *data) {
  (void)unused;
  (void)data;
  struct io *io = context;
  if (env == NULL || io->closed) return;
  struct job *job = take_done(io);

  napi_value on_done, receiver, count;
  if (napi_get_reference_value(env, io->on_done, &on_done) != napi_ok) return;
  if (napi_get_undefined(env, &receiver) != napi_ok) return;
  while (job != NULL) {
    uint32_t n = 0;
    for (; job != NULL && n < DONE_IDS; job = job->next) ((uint32_t *)io->arena)[n++] = job->id;
    forget_in_flight(io, n);
    if (napi_create_uint32(env, n, &count) != napi_ok) return;
    if (napi_call_function(env, receiver, on_done, 1, &count, NULL) != napi_ok) return;
  }
}

/* await(ns): looks, for as long at the most, whether a chain is done, and hands over what is. */
napi_value await(napi_env env, napi_callback_info info) {
  napi_value values[1];
  double n[1] = {0};
  struct io *io = arguments(env, info, 1, values, n);
  if (io == NULL) return fail(env);
  if (!io->awaited) return NULL;
  io->awaited = false;
  double until = now_ns() + n[0];
  /* The thread that is to run it may have been woken on this very processor. */
  while (atomic_load(&io->done) == NULL && now_ns() < until) sched_yield();
  report_done(env, NULL, io, NULL);
  return NULL;
}
