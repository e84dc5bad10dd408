/* What the parts of the glue share: one createIo, and how JavaScript's values are read and made. */
#ifndef GLUE_H
#define GLUE_H

#include "chain.h"
#include "events.h"
#include "sendfile.h"

#include <node_api.h>

enum { DONE_IDS = 1024, ARENA_HEAD = DONE_IDS * sizeof(uint32_t), MAX_SENDS = 65536 };
enum { REPORT_AT = 8 };                  /* completions that are worth a report of their own */
enum submit_how { LATER, NOW, AWAITED }; /* SUBMIT in src/io/arena.ts */
enum { SEND_ID = 0x40000000 };           /* added to a send's index: what else is done is a slot */

/* One createIo. Lives until the environment ends, since its functions may be called until then. */
struct io {
  struct chains shared; /* first: settle and run_later get from it to here */
  struct io *next;
  napi_env env;
  napi_threadsafe_function wake;
  napi_ref on_done, arena_ref;
  uint8_t *arena;
  struct chain *chains;
  uint32_t slots;
  struct events *events;
  struct send **sends;
  uint32_t send_capacity;
  uint32_t in_flight;
  bool closed;
  struct job *_Atomic done; /* the newest first */
  atomic_int done_count;
  atomic_bool reported; /* the event loop has been told, and has not looked yet */
  bool awaited;         /* it needs not be told, since it is looking */
};

/* All of one environment. */
struct instance {
  struct io *first;
};

#define CHECK(call)                                                                                \
  do {                                                                                             \
    if ((call) != napi_ok) return fail(env);                                                       \
  } while (0)

/* Throws, unless something is being thrown already. */
napi_value fail(napi_env env);
napi_value number(napi_env env, double value);
napi_value integer(napi_env env, int32_t value);

/* The arguments of a call as numbers (0 where one is missing) and its io. */
struct io *arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values,
                     double *numbers);

/* The event loop is kept alive as long as something is in flight. */
void remember_in_flight(struct io *io);

/* Completions: completions.c. The pool calls the first three. */
void settle(struct job *job);
void run_later(struct job *job, double ns);
void report_rest(void *owner);
void report_done(napi_env env, napi_value unused, void *context, void *data);
napi_value await(napi_env env, napi_callback_info info);

/* The calls beside chains: glue-calls.c. */
napi_value new_hasher(napi_env env, napi_callback_info info);
napi_value free_hasher(napi_env env, napi_callback_info info);
napi_value digest(napi_env env, napi_callback_info info);
napi_value is_hmac(napi_env env, napi_callback_info info);
napi_value combine_crc(napi_env env, napi_callback_info info);
napi_value send_file(napi_env env, napi_callback_info info);
napi_value cancel_send(napi_env env, napi_callback_info info);
napi_value take_send(napi_env env, napi_callback_info info);
napi_value open_root(napi_env env, napi_callback_info info);
napi_value set_fault(napi_env env, napi_callback_info info);
napi_value faults_left(napi_env env, napi_callback_info info);
napi_value stats(napi_env env, napi_callback_info info);

#endif
