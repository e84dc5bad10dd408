#include "chain.h"

#include "sidecar.h"
#include "usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static step_fn *const step_functions[OP_COUNT] = {
#define X(name) step_##name,
    STEPS(X)
#undef X
};

/* What is in memory takes less. */
enum { SLOW_NS = 100000 };

static bool run_steps(struct chain *c);
static void look_at_slow(struct header *h, double ns);
static int64_t run_step(struct chain *c, const struct step *s, struct result *r);
static bool descriptors(const struct chain *c, const struct step *s, int fd[3]);
static bool tolerated(const struct step *s, int err);
static void end(struct chain *c, bool failed);
static void *grow(void *items, uint32_t *capacity, size_t size);

void chain_run(struct job *job) {
  struct chain *c = (struct chain *)job;
  struct header *h = &c->slot->header;

  if (!c->waiting) {
    c->next_step = 0;
    c->data_used = 0;
    c->sys = (struct sys){
        .records = h->flags & CHAIN_SYSCALLS ? c->slot->syscalls : NULL,
        .capacity = MAX_SYSCALLS,
        .faults = &c->shared->faults,
        .no_openat2 = &c->shared->no_openat2,
        .follow_symlinks = c->shared->follow_symlinks,
        .no_attributes = c->shared->no_attributes,
    };
    c->stat_fd = -1;
    h->queued_ns = job->queued_ns;
    h->started_ns = now_ns();
    h->failed_step = -1;
    h->disk_kib = h->awake_us = 0;
    if (job->crowded) h->flags |= CHAIN_CROWDED;
    for (uint32_t i = 0; i < h->steps; i++) c->slot->results[i].state = NOT_REACHED;
    if ((h->flags & CHAIN_FIRST) && h->job_kinds != 0 && !c->hashed)
      hasher_init(&c->hasher, h->job_kinds);
  }
  if (!run_steps(c)) return;

  bool failed = h->failed_step >= 0;
  if (failed || !(h->flags & CHAIN_MORE)) end(c, failed);
  h->syscalls = c->sys.count;
  h->lost_syscalls = c->sys.lost;
  h->data_used = c->data_used;
  c->shared->settle(job);
}

/* False: the chain has been put aside, and another thread may already have it. */
static bool run_steps(struct chain *c) {
  struct header *h = &c->slot->header;
  double now = c->waiting ? now_ns() : h->started_ns;
  for (; c->next_step < h->steps; c->next_step++) {
    const struct step *s = &c->slot->steps[c->next_step];
    struct result *r = &c->slot->results[c->next_step];
    c->sys.step = (int)c->next_step;
    bool resumed = c->waiting; /* perhaps by another thread */
    if (!resumed) {
      memset(r, 0, sizeof *r);
      r->start_ns = now;
    }
    c->sys.failed_name = -1;
    int64_t value = pool_stopping(c->shared->pool) ? -ECANCELED : run_step(c, s, r);
    c->waiting = value == STEP_WAITS;
    if (c->waiting) {
      c->shared->run_later(&c->job, c->wait_ns);
      return false;
    }
    now = now_ns();
    r->end_ns = now;
    if (!resumed && now - r->start_ns > SLOW_NS) look_at_slow(h, now - r->start_ns);
    r->call = c->sys.failed_name;
    if (r->state == SKIPPED) continue;
    r->state = RAN;
    r->value = (double)value;
    if (value >= 0) continue;
    r->err = (int32_t)-value;
    if (tolerated(s, r->err)) continue;
    h->failed_step = (int32_t)c->next_step;
    break;
  }
  h->ended_ns = now;
  return true;
}

static void look_at_slow(struct header *h, double ns) {
  struct usage u = usage_since();
  h->disk_kib += (uint32_t)(u.disk_bytes / 1024);
  if (!u.slept) h->awake_us += (uint32_t)(ns / 1000);
}

static int64_t run_step(struct chain *c, const struct step *s, struct result *r) {
  struct faults *f = &c->shared->faults;
  if (atomic_load_explicit(&f->armed, memory_order_relaxed) && atomic_load(&f->whole_step) &&
      atomic_load(&f->step) == c->sys.step)
    return -atomic_load(&f->err);
  if (s->op >= OP_COUNT) return -ENOSYS;
  int fd[3];
  if (!descriptors(c, s, fd)) {
    r->state = SKIPPED;
    return 0;
  }
  return step_functions[s->op](c, s, fd, r);
}

/* False when a step whose descriptor is wanted failed or was skipped. */
static bool descriptors(const struct chain *c, const struct step *s, int fd[3]) {
  for (int i = 0; i < 3; i++) {
    fd[i] = s->fd[i];
    if (fd[i] > FD_OF_STEP) continue;
    int32_t source = FD_OF_STEP - fd[i];
    if (source >= (int32_t)c->next_step) return false;
    const struct result *r = &c->slot->results[source];
    if (r->state != RAN || r->err != 0) return false;
    fd[i] = (int)r->value;
  }
  return s->fd[0] != FD_NONE || s->op == OP_hash || s->op == OP_digest || s->op == OP_verify_digest;
}

static bool tolerated(const struct step *s, int err) {
  for (size_t i = 0; i < sizeof s->tolerate; i++)
    if (s->tolerate[i] == err) return true;
  return false;
}

static void end(struct chain *c, bool failed) {
  c->sys.cleaning_up = true;
  c->sys.records = NULL; /* what follows belongs to no step */
  if (c->pending != NULL) sidecar_drop_pending(c);
  for (uint32_t i = 0; i < c->temporary_count; i++)
    if (failed || c->temporaries[i].always)
      sys_unlinkat(&c->sys, c->temporaries[i].dir, c->temporaries[i].name, 0);
  for (uint32_t i = 0; i < c->opened_count; i++)
    if (failed || !c->opened[i].keep) sys_close(&c->sys, c->opened[i].fd);
  c->temporary_count = 0;
  c->opened_count = 0;
}

void chain_abandon(struct chain *c) {
  end(c, true);
  chain_free_blobs(c);
}

void chain_free_blobs(struct chain *c) {
  for (uint32_t i = 0; i < c->blob_count; i++) free(c->blobs[i].data);
  c->blob_count = 0;
}

void *chain_output(struct chain *c, struct result *r, size_t size) {
  size_t room = SLOT_BYTES - sizeof(struct slot) - c->data_used;
  if (size > room) {
    void *data = malloc(size);
    if (data == NULL || chain_output_blob(c, r, data, size) != 0) return NULL;
    return data;
  }
  r->out = (uint32_t)(sizeof(struct slot) + c->data_used);
  r->out_size = (uint32_t)size;
  r->is_blob = 0;
  c->data_used += (uint32_t)((size + 7) & ~(size_t)7);
  return (uint8_t *)c->slot + r->out;
}

int chain_output_blob(struct chain *c, struct result *r, void *data, size_t size) {
  if (size > UINT32_MAX) {
    free(data);
    return -EFBIG;
  }
  if (c->blob_count == c->blob_capacity) {
    void *grown = grow(c->blobs, &c->blob_capacity, sizeof *c->blobs);
    if (grown == NULL) {
      free(data);
      return -ENOMEM;
    }
    c->blobs = grown;
  }
  r->out = c->blob_count;
  r->out_size = (uint32_t)size;
  r->is_blob = 1;
  c->blobs[c->blob_count++] = (struct blob){data, size};
  return 0;
}

int chain_opened(struct chain *c, int fd, bool keep) {
  if (c->opened_count == c->opened_capacity) {
    void *grown = grow(c->opened, &c->opened_capacity, sizeof *c->opened);
    if (grown == NULL) {
      close(fd);
      return -ENOMEM;
    }
    c->opened = grown;
  }
  c->opened[c->opened_count++] = (struct opened){fd, keep};
  return 0;
}

void chain_forget(struct chain *c, int fd) {
  for (uint32_t i = 0; i < c->opened_count; i++)
    if (c->opened[i].fd == fd) c->opened[i--] = c->opened[--c->opened_count];
}

int chain_temporary(struct chain *c, int dir, const char *name, bool always) {
  if (strlen(name) > NAME_MAX) return -ENAMETOOLONG;
  if (c->temporary_count == c->temporary_capacity) {
    void *grown = grow(c->temporaries, &c->temporary_capacity, sizeof *c->temporaries);
    if (grown == NULL) return -ENOMEM;
    c->temporaries = grown;
  }
  struct temporary *t = &c->temporaries[c->temporary_count++];
  t->dir = dir;
  t->always = always;
  strcpy(t->name, name);
  return 0;
}

void chain_published(struct chain *c, int dir, const char *name) {
  for (uint32_t i = 0; i < c->temporary_count; i++)
    if (c->temporaries[i].dir == dir && strcmp(c->temporaries[i].name, name) == 0)
      c->temporaries[i--] = c->temporaries[--c->temporary_count];
}

static void *grow(void *items, uint32_t *capacity, size_t size) {
  uint32_t wanted = *capacity == 0 ? 8 : *capacity * 2;
  void *grown = realloc(items, wanted * size);
  if (grown != NULL) *capacity = wanted;
  return grown;
}

const char *chain_text(const struct chain *c, const struct step *s) {
  if (s->flags & TEXT_IN_PIECE) return c->pieces[s->text].iov_base;
  return (const char *)c->slot + s->text;
}

const char *chain_text2(const struct chain *c, const struct step *s) {
  return (const char *)c->slot + s->text2;
}

hasher *chain_hasher(struct chain *c, uint32_t id) {
  if (id == HASHER_JOB) return c->slot->header.job_kinds != 0 ? &c->hasher : NULL;
  return id < MAX_HASHERS ? atomic_load(&c->shared->hashers[id]) : NULL;
}
