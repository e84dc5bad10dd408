/* The glue: everything that knows of Node, and nothing else. src/io/native.ts has the types. Here
 * are the chains and the life of a createIo; completions.c says what is done, glue-calls.c has the
 * other calls. */
#include "glue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* --- chains ------------------------------------------------------------------------------ */

static int take_pieces(napi_env env, struct chain *c, napi_value pieces) {
  uint32_t count = 0;
  if (napi_get_array_length(env, pieces, &count) != napi_ok) return EINVAL;
  if (count > c->piece_capacity) {
    struct iovec *grown = realloc(c->pieces, count * sizeof *grown);
    if (grown == NULL) return ENOMEM;
    c->pieces = grown;
    c->piece_capacity = count;
  }
  c->piece_count = count;
  for (uint32_t i = 0; i < count; i++) {
    napi_value piece;
    if (napi_get_element(env, pieces, i, &piece) != napi_ok) return EINVAL;
    void *data = NULL;
    size_t size = 0;
    if (napi_get_buffer_info(env, piece, &data, &size) != napi_ok) return EINVAL;
    c->pieces[i] = (struct iovec){data, size};
  }
  return 0;
}

/* submit(slot, pieces, how): 0 or an errno. JavaScript keeps the pieces alive until the job is
 * done. What is submitted LATER, and is no bulk, waits for a kick; for what is AWAITED the caller
 * promises an await. */
static napi_value submit(napi_env env, napi_callback_info info) {
  napi_value values[3];
  size_t count = 3;
  void *data = NULL;
  CHECK(napi_get_cb_info(env, info, &count, values, NULL, &data));
  struct io *io = data;
  uint32_t index = 0;
  uint32_t how = LATER;
  CHECK(napi_get_value_uint32(env, values[2], &how));
  CHECK(napi_get_value_uint32(env, values[0], &index));
  if (io->closed || pool_stopping(io->shared.pool)) return integer(env, ECANCELED);
  if (index >= io->slots) return integer(env, EINVAL);
  struct chain *c = &io->chains[index];
  chain_free_blobs(c);
  c->piece_count = 0;
  napi_valuetype type = napi_undefined;
  CHECK(napi_typeof(env, values[1], &type));
  if (type == napi_object) {
    int err = take_pieces(env, c, values[1]);
    if (err != 0) return integer(env, err);
  }
  c->job.bulk = c->slot->header.flags & CHAIN_BULK;
  c->job.lendable = chain_is_lendable(c);
  c->hashed = false;
  remember_in_flight(io);
  /* The loop is going to look, and need not be told. */
  if (how == AWAITED) io->awaited = !atomic_exchange(&io->reported, true);
  if (c->job.bulk || how != LATER)
    pool_submit(io->shared.pool, &c->job);
  else
    pool_put(io->shared.pool, &c->job);
  return integer(env, 0);
}

/* discard(pieces): frees the memory of those that are all of their ArrayBuffer, at once. */
static napi_value discard(napi_env env, napi_callback_info info) {
  napi_value values[1];
  uint32_t count = 0;
  if (arguments(env, info, 1, values, NULL) == NULL) return fail(env);
  CHECK(napi_get_array_length(env, values[0], &count));
  for (uint32_t i = 0; i < count; i++) {
    napi_value piece, whole;
    void *data, *start;
    size_t size, capacity;
    CHECK(napi_get_element(env, values[0], i, &piece));
    CHECK(napi_get_typedarray_info(env, piece, NULL, &size, &data, &whole, NULL));
    CHECK(napi_get_arraybuffer_info(env, whole, &start, &capacity));
    if (data == start && size == capacity) CHECK(napi_detach_arraybuffer(env, whole));
  }
  return NULL;
}

/* announce(ns): wakes a thread for a chain that is about to be submitted, and keeps it awake for so
 * long. */
static napi_value announce(napi_env env, napi_callback_info info) {
  napi_value values[1];
  double n[1] = {0};
  struct io *io = arguments(env, info, 1, values, n);
  if (io == NULL) return fail(env);
  if (!io->closed) pool_announce(io->shared.pool, n[0]);
  return NULL;
}

/* kick(): wakes a thread for what was submitted, if none is going to find it. */
static napi_value kick(napi_env env, napi_callback_info info) {
  struct io *io = arguments(env, info, 0, NULL, NULL);
  if (io != NULL && !io->closed) pool_kick(io->shared.pool);
  return NULL;
}

/* abandon(slot): ends a chain between two of its jobs. */
static napi_value abandon(napi_env env, napi_callback_info info) {
  napi_value values[1];
  double n[1] = {0};
  struct io *io = arguments(env, info, 1, values, n);
  if (io == NULL || io->closed || n[0] >= io->slots) return fail(env);
  chain_abandon(&io->chains[(uint32_t)n[0]]);
  return NULL;
}

static void free_blob(napi_env env, void *data, void *hint) {
  int64_t total;
  napi_adjust_external_memory(env, -(int64_t)(uintptr_t)hint, &total);
  free(data);
}

/* take(slot, blob): a Buffer that owns an output which did not fit in the slot. */
static napi_value take(napi_env env, napi_callback_info info) {
  napi_value values[2], result;
  double n[2] = {0};
  struct io *io = arguments(env, info, 2, values, n);
  if (io == NULL || io->closed || n[0] >= io->slots) return fail(env);
  struct chain *c = &io->chains[(uint32_t)n[0]];
  if (n[1] >= c->blob_count) return fail(env);
  struct blob *b = &c->blobs[(uint32_t)n[1]];
  if (b->data == NULL) return fail(env);
  void *hint = (void *)(uintptr_t)b->size;
  CHECK(napi_create_external_buffer(env, b->size, b->data, free_blob, hint, &result));
  int64_t total;
  napi_adjust_external_memory(env, (int64_t)b->size, &total);
  b->data = NULL;
  return result;
}

static void shut_down(struct io *io) {
  if (io->closed) return;
  io->closed = true;
  /* In this order: nothing new waits, what waits is queued, what is queued ends by ECANCELED. */
  if (io->shared.pool != NULL) pool_stop(io->shared.pool);
  if (io->events != NULL) events_stop(io->events);
  if (io->shared.pool != NULL) pool_free(io->shared.pool);
  if (io->events != NULL) events_free(io->events);
  for (uint32_t i = 0; io->chains != NULL && i < io->slots; i++) {
    struct chain *c = &io->chains[i];
    chain_abandon(c);
    free(c->pieces);
    free(c->opened);
    free(c->temporaries);
    free(c->blobs);
  }
  free(io->chains);
  io->chains = NULL;
  for (uint32_t i = 0; i < io->send_capacity; i++) free(io->sends[i]);
  free(io->sends);
  io->sends = NULL;
  io->send_capacity = 0;
  for (uint32_t i = 0; i < MAX_HASHERS; i++) free(atomic_exchange(&io->shared.hashers[i], NULL));
}

/* stop(): running steps finish, all else ends with ECANCELED. */
static napi_value stop(napi_env env, napi_callback_info info) {
  struct io *io = arguments(env, info, 0, NULL, NULL);
  if (io == NULL) return fail(env);
  if (io->closed) return NULL;
  pool_stop(io->shared.pool);
  events_stop(io->events);
  return NULL;
}

/* close(): joins the threads; to be called when nothing is in flight. */
static napi_value close_io(napi_env env, napi_callback_info info) {
  struct io *io = arguments(env, info, 0, NULL, NULL);
  if (io == NULL) return fail(env);
  if (io->closed) return NULL;
  shut_down(io);
  napi_delete_reference(env, io->arena_ref);
  napi_delete_reference(env, io->on_done);
  napi_release_threadsafe_function(io->wake, napi_tsfn_abort);
  return NULL;
}

static void end_environment(void *data) {
  struct instance *instance = data;
  for (struct io *io = instance->first, *next; io != NULL; io = next) {
    next = io->next;
    shut_down(io);
    hash_group_destroy(&io->shared.hashing);
    free(io);
  }
  free(instance);
}

static napi_value create_arena(napi_env env, struct io *io) {
  napi_value arena;
  size_t size = ARENA_HEAD + (size_t)io->slots * SLOT_BYTES;
  CHECK(napi_create_arraybuffer(env, size, (void **)&io->arena, &arena));
  CHECK(napi_create_reference(env, arena, 1, &io->arena_ref));
  for (uint32_t i = 0; i < io->slots; i++) {
    struct chain *c = &io->chains[i];
    c->job.run = chain_run;
    c->job.id = i;
    c->shared = &io->shared;
    c->slot = (struct slot *)(io->arena + ARENA_HEAD + (size_t)i * SLOT_BYTES);
  }
  return arena;
}

static napi_value create_wake(napi_env env, struct io *io, napi_value on_done) {
  napi_value name;
  CHECK(napi_create_string_utf8(env, "versitygw-ts io", NAPI_AUTO_LENGTH, &name));
  CHECK(napi_create_reference(env, on_done, 1, &io->on_done));
  CHECK(napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, io, report_done,
                                        &io->wake));
  CHECK(napi_unref_threadsafe_function(env, io->wake));
  return name;
}

/* create(threads, slots, flags, copyBuffer, onDone): the object with everything above. */
static napi_value create(napi_env env, napi_callback_info info) {
  napi_value values[5], result;
  double n[5] = {0};
  struct instance *instance = (struct instance *)arguments(env, info, 5, values, n);
  if (instance == NULL) return fail(env);
  struct io *io = calloc(1, sizeof *io);
  if (io == NULL) return fail(env);
  io->env = env;
  io->slots = (uint32_t)n[1];
  enum { FOLLOW_SYMLINKS = 1, NO_ATTRIBUTES = 2 };
  io->shared.follow_symlinks = (uint32_t)n[2] & FOLLOW_SYMLINKS;
  io->shared.no_attributes = (uint32_t)n[2] & NO_ATTRIBUTES;
  io->shared.copy_buffer = (size_t)n[3];
  io->shared.settle = settle;
  io->shared.run_later = run_later;
  hash_group_init(&io->shared.hashing);
  uint64_t names[2];
  bool named = getrandom(names, sizeof names, 0) == (ssize_t)sizeof names;
  io->shared.names = names[0];
  io->shared.next_name = names[1];
  io->next = instance->first;
  instance->first = io;
  io->chains = calloc(io->slots, sizeof *io->chains);
  napi_value arena = io->chains == NULL || !named ? NULL : create_arena(env, io);
  if (arena == NULL || create_wake(env, io, values[4]) == NULL) {
    io->closed = io->chains == NULL;
    return fail(env);
  }
  io->shared.pool = pool_new((int)n[0], report_rest, io);
  if (io->shared.pool != NULL) io->events = events_new(io->shared.pool);
  if (io->events == NULL) {
    shut_down(io);
    napi_throw_error(env, NULL, "cannot start the I/O threads");
    return NULL;
  }

  const napi_property_descriptor properties[] = {
      {.utf8name = "arena", .value = arena, .attributes = napi_enumerable},
      {.utf8name = "submit", .method = submit, .data = io},
      {.utf8name = "await", .method = await, .data = io},
      {.utf8name = "discard", .method = discard, .data = io},
      {.utf8name = "announce", .method = announce, .data = io},
      {.utf8name = "kick", .method = kick, .data = io},
      {.utf8name = "abandon", .method = abandon, .data = io},
      {.utf8name = "take", .method = take, .data = io},
      {.utf8name = "newHasher", .method = new_hasher, .data = io},
      {.utf8name = "freeHasher", .method = free_hasher, .data = io},
      {.utf8name = "combineCrc", .method = combine_crc, .data = io},
      {.utf8name = "send", .method = send_file, .data = io},
      {.utf8name = "cancelSend", .method = cancel_send, .data = io},
      {.utf8name = "takeSend", .method = take_send, .data = io},
      {.utf8name = "openRoot", .method = open_root, .data = io},
      {.utf8name = "setFault", .method = set_fault, .data = io},
      {.utf8name = "faultsLeft", .method = faults_left, .data = io},
      {.utf8name = "stats", .method = stats, .data = io},
      {.utf8name = "stop", .method = stop, .data = io},
      {.utf8name = "close", .method = close_io, .data = io},
  };
  CHECK(napi_create_object(env, &result));
  CHECK(napi_define_properties(env, result, sizeof properties / sizeof *properties, properties));
  return result;
}

static napi_value names(napi_env env, const char *const *list, uint32_t count) {
  napi_value array, name;
  CHECK(napi_create_array_with_length(env, count, &array));
  for (uint32_t i = 0; i < count; i++) {
    CHECK(napi_create_string_utf8(env, list[i], NAPI_AUTO_LENGTH, &name));
    CHECK(napi_set_element(env, array, i, name));
  }
  return array;
}

/* What src/io/arena.ts and src/io/syscalls.ts must agree with. */
static napi_value layout(napi_env env) {
  static const char *const step_names[OP_COUNT] = {
#define X(name) #name,
    STEPS(X)
#undef X
  };
  const struct {
    const char *name;
    size_t value;
  } sizes[] = {
      {"head", ARENA_HEAD},
      {"slot", SLOT_BYTES},
      {"maxSteps", MAX_STEPS},
      {"maxSyscalls", MAX_SYSCALLS},
      {"steps", offsetof(struct slot, steps)},
      {"results", offsetof(struct slot, results)},
      {"syscalls", offsetof(struct slot, syscalls)},
      {"text", offsetof(struct slot, text)},
      {"data", offsetof(struct slot, data)},
      {"sendId", SEND_ID},
  };
  napi_value result;
  CHECK(napi_create_object(env, &result));
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    CHECK(napi_set_named_property(env, result, sizes[i].name, number(env, (double)sizes[i].value)));
  CHECK(napi_set_named_property(env, result, "operations", names(env, step_names, OP_COUNT)));
  CHECK(napi_set_named_property(env, result, "syscallNames", names(env, sys_names, SYS_NAMES)));
  return result;
}

NAPI_MODULE_INIT() {
  struct instance *instance = calloc(1, sizeof *instance);
  if (instance == NULL) return fail(env);
  int wrong = hash_selftest();
  if (wrong != 0) {
    free(instance);
    napi_throw_error(env, NULL, "a digest is computed wrongly on this processor");
    return NULL;
  }
  const napi_property_descriptor properties[] = {
      {.utf8name = "create", .method = create, .data = instance},
      {.utf8name = "digest", .method = digest},
      {.utf8name = "isHmac", .method = is_hmac},
      {.utf8name = "layout", .value = layout(env)},
  };
  CHECK(napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties));
  CHECK(napi_add_env_cleanup_hook(env, end_environment, instance));
  return exports;
}
