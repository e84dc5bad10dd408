#include "hash-group.h"

#include "sys.h"

#include <stdbool.h>
#include <time.h>
#include <unistd.h>

/* A round is short, so that a stream that comes later does not wait long to be taken along. */
enum { LANES = 16, ROUND_BYTES = 64 * 1024, WORTH_SHARING = 64 * 1024 };

/* How long a request waits for another one to share its lanes with: less than hashing it alone
 * takes, while its stream goes on being read. */
enum { COMPANY_NS = 400000, ACTIVE_NS = 4000000, MISSES = 4 };

struct hash_request {
  struct hash_request *next;
  hasher *h;
  const struct iovec *pieces;
  size_t left;   /* pieces that are not hashed to their end */
  size_t offset; /* in the first of them */
  bool taken, done;
  pthread_cond_t wake;
};

static bool expects_company(struct hash_group *g, const hasher *h);
static void await_company(struct hash_group *g, struct hash_request *own);
static void lead(struct hash_group *g, struct hash_request *own);
static int take_along(struct hash_group *g, struct hash_request **set, int count);
static void run_round(struct hash_request **set, int count);
static int drop_done(struct hash_request **set, int count);
static void push(struct hash_group *g, struct hash_request *r);
static void unqueue(struct hash_group *g, struct hash_request *r);

void hash_group_init(struct hash_group *g) {
  pthread_mutex_init(&g->lock, NULL);
  g->latest = NULL;
  g->latest_ns = 0;
  g->misses = 0;
  g->first = NULL;
  g->last = &g->first;
  g->leaders = 0;
  /* With cores to spare, two of them are faster than twice as many lanes on one. */
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  g->max_leaders = cores > 3 ? (int)(cores / 2) : 1;
}

void hash_group_destroy(struct hash_group *g) { pthread_mutex_destroy(&g->lock); }

void hash_group_update(struct hash_group *g, hasher *h, const struct iovec *pieces, size_t count) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) bytes += pieces[i].iov_len;
  if (bytes < WORTH_SHARING || !(h->kinds & HASH_MD5) || (h->kinds & HASH_SLOW)) {
    for (size_t i = 0; i < count; i++) hasher_update(h, pieces[i].iov_base, pieces[i].iov_len);
    return;
  }

  struct hash_request own = {.h = h, .pieces = pieces, .left = count};
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&own.wake, &monotonic);
  pthread_condattr_destroy(&monotonic);
  pthread_mutex_lock(&g->lock);
  bool alone = g->first == NULL && g->leaders == 0;
  bool waits = expects_company(g, h) && alone;
  push(g, &own);
  if (waits) await_company(g, &own);
  while (!own.done) {
    if (!own.taken && g->leaders < g->max_leaders)
      lead(g, &own);
    else
      pthread_cond_wait(&own.wake, &g->lock);
  }
  pthread_mutex_unlock(&g->lock);
  pthread_cond_destroy(&own.wake);
}

/* Whether another stream has come by lately, and waiting has been of use. */
static bool expects_company(struct hash_group *g, const hasher *h) {
  double now = now_ns();
  bool others = g->latest != h && now - g->latest_ns < ACTIVE_NS;
  g->latest = h;
  g->latest_ns = now;
  return others && g->misses < MISSES;
}

/* Whoever comes next leads, and takes us along. */
static void await_company(struct hash_group *g, struct hash_request *own) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += COMPANY_NS;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  int err = 0;
  do err = pthread_cond_timedwait(&own->wake, &g->lock, &until);
  while (err == 0 && g->leaders > 0 && !own->done);
  if (err != 0 && !own->taken && !own->done) g->misses++;
}

/* Until our own request is done; what is left of the others' goes back, and one of them leads. */
static void lead(struct hash_group *g, struct hash_request *own) {
  struct hash_request *set[LANES] = {own};
  int count = 1;
  unqueue(g, own);
  own->taken = true;
  g->leaders++;
  while (!own->done) {
    count = take_along(g, set, count);
    if (count > 1) g->misses = 0;
    pthread_mutex_unlock(&g->lock);
    run_round(set, count);
    pthread_mutex_lock(&g->lock);
    count = drop_done(set, count);
  }
  g->leaders--;
  for (int i = 0; i < count; i++) {
    set[i]->taken = false;
    push(g, set[i]);
  }
  if (g->first != NULL) pthread_cond_signal(&g->first->wake);
}

/* Fills the lanes up from the queue. */
static int take_along(struct hash_group *g, struct hash_request **set, int count) {
  while (count < LANES && g->first != NULL) {
    struct hash_request *r = g->first;
    g->first = r->next;
    if (g->first == NULL) g->last = &g->first;
    r->taken = true;
    set[count++] = r;
  }
  return count;
}

static void run_round(struct hash_request **set, int count) {
  hasher *h[LANES];
  const void *data[LANES];
  size_t size[LANES];
  for (int i = 0; i < count; i++) {
    const struct hash_request *r = set[i];
    size_t rest = r->pieces->iov_len - r->offset;
    h[i] = r->h;
    data[i] = (const uint8_t *)r->pieces->iov_base + r->offset;
    size[i] = rest < ROUND_BYTES ? rest : ROUND_BYTES;
  }
  hasher_update_many(h, data, size, count);
  for (int i = 0; i < count; i++) {
    struct hash_request *r = set[i];
    r->offset += size[i];
    if (r->offset < r->pieces->iov_len) continue;
    r->pieces++;
    r->left--;
    r->offset = 0;
  }
}

static int drop_done(struct hash_request **set, int count) {
  int kept = 0;
  for (int i = 0; i < count; i++) {
    if (set[i]->left > 0) {
      set[kept++] = set[i];
      continue;
    }
    set[i]->done = true;
    /* From here on its owner may return and take it off its stack. */
    pthread_cond_signal(&set[i]->wake);
  }
  return kept;
}

static void push(struct hash_group *g, struct hash_request *r) {
  r->next = NULL;
  *g->last = r;
  g->last = &r->next;
}

static void unqueue(struct hash_group *g, struct hash_request *r) {
  struct hash_request **at = &g->first;
  while (*at != r) at = &(*at)->next;
  *at = r->next;
  if (r->next == NULL) g->last = at;
}
