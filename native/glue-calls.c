/* What JavaScript calls beside chains: hash states, transfers, faults, figures. */
#include "glue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- hashers ----------------------------------------------------------------------------- */

/* newHasher(kinds): its id, or -1. */
napi_value new_hasher(napi_env env, napi_callback_info info) {
  napi_value values[1];
  double n[1] = {0};
  struct io *io = arguments(env, info, 1, values, n);
  if (io == NULL) return fail(env);
  uint32_t id = 0;
  while (id < MAX_HASHERS && atomic_load(&io->shared.hashers[id]) != NULL) id++;
  hasher *h = id < MAX_HASHERS ? aligned_alloc(64, (sizeof *h + 63) & ~(size_t)63) : NULL;
  if (h == NULL) return integer(env, -1);
  hasher_init(h, (unsigned)n[0]);
  atomic_store(&io->shared.hashers[id], h);
  return integer(env, (int32_t)id);
}

/* freeHasher(id): no job may be using it. */
napi_value free_hasher(napi_env env, napi_callback_info info) {
  napi_value values[1];
  double n[1] = {0};
  struct io *io = arguments(env, info, 1, values, n);
  if (io != NULL && n[0] >= 0 && n[0] < MAX_HASHERS)
    free(atomic_exchange(&io->shared.hashers[(uint32_t)n[0]], NULL));
  return NULL;
}

static uint64_t big_endian(const uint8_t *bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) value = value << 8 | bytes[i];
  return value;
}

/* combineCrc(kind, a, b, lengthB): writes the result over a. */
napi_value combine_crc(napi_env env, napi_callback_info info) {
  napi_value values[4];
  double n[4] = {0};
  if (arguments(env, info, 4, values, n) == NULL) return fail(env);
  void *a, *b;
  size_t a_size, b_size;
  CHECK(napi_get_buffer_info(env, values[1], &a, &a_size));
  CHECK(napi_get_buffer_info(env, values[2], &b, &b_size));
  if (a_size != b_size || a_size > 8) return fail(env);
  uint64_t crc = crc_combine((enum hash_kind)n[0], big_endian(a, a_size), big_endian(b, b_size),
                             (uint64_t)n[3]);
  for (size_t i = a_size; i-- > 0; crc >>= 8) ((uint8_t *)a)[i] = (uint8_t)crc;
  return NULL;
}

/* digest(kind, bytes, out): a document's, at once and on this thread. */
napi_value digest(napi_env env, napi_callback_info info) {
  napi_value values[3];
  size_t count = 3, size, out_size;
  void *data, *out;
  double kind;
  CHECK(napi_get_cb_info(env, info, &count, values, NULL, NULL));
  CHECK(napi_get_value_double(env, values[0], &kind));
  CHECK(napi_get_buffer_info(env, values[1], &data, &size));
  CHECK(napi_get_buffer_info(env, values[2], &out, &out_size));
  hasher h;
  uint8_t whole[HASH_LONGEST];
  hasher_init(&h, (unsigned)kind);
  hasher_update(&h, data, size);
  if (hasher_digest(&h, (enum hash_kind)kind, whole) != out_size) return fail(env);
  memcpy(out, whole, out_size);
  return NULL;
}

/* --- sends ------------------------------------------------------------------------------- */

static int64_t free_send_index(struct io *io) {
  uint32_t i = 0;
  while (i < io->send_capacity && io->sends[i] != NULL) i++;
  if (i < io->send_capacity) return i;
  if (i >= MAX_SENDS) return -EAGAIN;
  uint32_t capacity = i == 0 ? 64 : i * 2;
  struct send **sends = realloc(io->sends, capacity * sizeof(struct send *));
  if (sends == NULL) return -ENOMEM;
  memset(sends + i, 0, (capacity - i) * sizeof(struct send *));
  io->sends = sends;
  io->send_capacity = capacity;
  return i;
}

/* send(socket, file, offset, length, stallMs, syscalls): an id, or -errno with `file` closed. */
napi_value send_file(napi_env env, napi_callback_info info) {
  napi_value values[6];
  double n[6] = {0};
  struct io *io = arguments(env, info, 6, values, n);
  if (io == NULL) return fail(env);
  struct send_request request = {
      .socket = (int)n[0],
      .file = (int)n[1],
      .offset = (int64_t)n[2],
      .length = (int64_t)n[3],
      .stall_ns = n[4] * 1e6,
      .syscalls = n[5] != 0,
  };
  bool ended = io->closed || pool_stopping(io->shared.pool);
  int64_t index = ended ? -ECANCELED : free_send_index(io);
  if (index < 0) {
    close(request.file);
    return integer(env, (int32_t)index);
  }
  struct send *s;
  int err = send_new(&io->shared, io->events, &request, &s);
  if (err != 0) return integer(env, err);
  io->sends[index] = s;
  s->job.id = SEND_ID + (uint32_t)index;
  remember_in_flight(io);
  pool_submit(io->shared.pool, &s->job);
  return integer(env, (int32_t)s->job.id);
}

static struct send *find_send(struct io *io, double id) {
  double index = id - SEND_ID;
  if (io == NULL || io->closed || index < 0 || index >= io->send_capacity) return NULL;
  return io->sends[(uint32_t)index];
}

/* cancelSend(id): it ends as any other, with ECANCELED. */
napi_value cancel_send(napi_env env, napi_callback_info info) {
  napi_value values[1];
  double n[1] = {0};
  struct io *io = arguments(env, info, 1, values, n);
  struct send *s = find_send(io, n[0]);
  if (s != NULL) send_cancel(s);
  return NULL;
}

/* takeSend(id, out): {errno, bytes, queued, started, ended, client wait, io, records, lost, cached
 * percent, records …} into a Float64Array, and the send is forgotten. */
napi_value take_send(napi_env env, napi_callback_info info) {
  enum { HEAD = 10 };
  napi_value values[2];
  double n[2] = {0};
  struct io *io = arguments(env, info, 2, values, n);
  struct send *s = find_send(io, n[0]);
  double *out;
  size_t length;
  if (s == NULL) return fail(env);
  CHECK(napi_get_typedarray_info(env, values[1], NULL, &length, (void **)&out, NULL, NULL));
  if (length < HEAD + SEND_RECORDS * SYS_RECORD_DOUBLES) return fail(env);
  const double head[HEAD] = {s->err,      (double)s->sent,   s->queued_ns, s->started_ns,
                             s->ended_ns, s->client_wait_ns, s->io_ns,     s->sys.count,
                             s->sys.lost, s->cached_percent};
  memcpy(out, head, sizeof head);
  memcpy(out + HEAD, s->records, s->sys.count * SYS_RECORD_DOUBLES * sizeof(double));
  io->sends[(uint32_t)n[0] - SEND_ID] = NULL;
  free(s);
  return NULL;
}

/* --- the rest ---------------------------------------------------------------------------- */

/* openRoot(path): a descriptor, or -errno. */
napi_value open_root(napi_env env, napi_callback_info info) {
  napi_value values[1];
  if (arguments(env, info, 1, values, NULL) == NULL) return fail(env);
  char path[PATH_MAX];
  size_t length;
  CHECK(napi_get_value_string_utf8(env, values[0], path, sizeof path, &length));
  if (length == sizeof path - 1) return integer(env, -ENAMETOOLONG);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return integer(env, fd < 0 ? -errno : fd);
}

/* setFault(wholeStep, step, name, after, times, errno, delayUs); without the last two it ends. */
napi_value set_fault(napi_env env, napi_callback_info info) {
  napi_value values[7];
  double n[7] = {0};
  struct io *io = arguments(env, info, 7, values, n);
  if (io == NULL) return fail(env);
  struct faults *f = &io->shared.faults;
  atomic_store(&f->armed, false);
  atomic_store(&f->whole_step, n[0] != 0);
  atomic_store(&f->step, (int)n[1]);
  atomic_store(&f->name, (int)n[2]);
  atomic_store(&f->left, (int)n[3]);
  atomic_store(&f->times, (int)n[4]);
  atomic_store(&f->err, (int)n[5]);
  atomic_store(&f->delay_us, (int)n[6]);
  atomic_store(&f->armed, n[5] != 0 || n[6] != 0);
  atomic_store(&io->shared.no_openat2, false);
  atomic_store(&io->shared.link_by_proc, false);
  return NULL;
}

/* faultsLeft(): of the calls that were to fail. */
napi_value faults_left(napi_env env, napi_callback_info info) {
  struct io *io = arguments(env, info, 0, NULL, NULL);
  if (io == NULL) return fail(env);
  int left = atomic_load(&io->shared.faults.times);
  return integer(env, left < 0 ? 0 : left);
}

/* stats(out: Float64Array): threads, queued, running, sends, wakes, takeovers, jobs. */
napi_value stats(napi_env env, napi_callback_info info) {
  napi_value values[1];
  struct io *io = arguments(env, info, 1, values, NULL);
  double *out;
  size_t length;
  if (io == NULL) return fail(env);
  CHECK(napi_get_typedarray_info(env, values[0], NULL, &length, (void **)&out, NULL, NULL));
  if (length < 7) return fail(env);
  struct pool_stats s = {0};
  if (!io->closed) s = pool_stats(io->shared.pool);
  double sends = 0;
  for (uint32_t i = 0; i < io->send_capacity; i++) sends += io->sends[i] != NULL;
  const double all[7] = {s.threads,           s.queued,      s.running, sends, (double)s.wakes,
                         (double)s.takeovers, (double)s.jobs};
  memcpy(out, all, sizeof all);
  return NULL;
}
