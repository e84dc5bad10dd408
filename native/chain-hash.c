/* The bodies of small objects, hashed side by side.
 *
 * MD5 of 4 KiB takes 5 us, and of eight times 4 KiB in SIMD lanes 7 us. Where small objects are
 * written faster than one by one they queue for a thread; so a chain that comes to its own body
 * takes along those of the chains that wait behind it. Nobody waits for company, and nobody is
 * held up for longer than a few bodies take. */
#include "chain.h"

enum { LANES = 8, SMALL_BYTES = 16 * 1024 };

static const struct iovec *small_body(const struct chain *c, const struct step *s);
static const struct step *only_filling(const struct chain *c);

bool chain_is_lendable(const struct chain *c) {
  const struct header *h = &c->slot->header;
  return (h->flags & CHAIN_FIRST) && !(h->flags & (CHAIN_MORE | CHAIN_BULK)) &&
         (h->job_kinds & HASH_MD5) && !(h->job_kinds & HASH_SLOW);
}

void hash_along(struct chain *c, const struct step *s) {
  if (c->hashed) {
    c->hashed = false;
    return;
  }
  const struct iovec *own = chain_is_lendable(c) ? small_body(c, s) : NULL;
  if (own == NULL) {
    hash_group_update(&c->shared->hashing, &c->hasher, c->pieces + s->piece, s->piece_count);
    return;
  }

  struct job *lent[LANES - 1];
  int lent_count = pool_borrow(c->shared->pool, lent, LANES - 1);
  hasher *hashers[LANES] = {&c->hasher};
  const void *data[LANES] = {own->iov_base};
  size_t sizes[LANES] = {own->iov_len};
  int count = 1;
  for (int i = 0; i < lent_count; i++) {
    struct chain *other = (struct chain *)lent[i];
    const struct step *step = only_filling(other);
    const struct iovec *body = step == NULL ? NULL : small_body(other, step);
    if (body == NULL) continue;
    hasher_init(&other->hasher, other->slot->header.job_kinds);
    other->hashed = true;
    hashers[count] = &other->hasher;
    data[count] = body->iov_base;
    sizes[count++] = body->iov_len;
  }
  hasher_update_many(hashers, data, sizes, count);
  pool_give_back(c->shared->pool, lent, lent_count);
}

/* NULL where it is none, or in several pieces. */
static const struct iovec *small_body(const struct chain *c, const struct step *s) {
  const struct iovec *piece = c->pieces + s->piece;
  return s->piece_count == 1 && piece->iov_len <= SMALL_BYTES ? piece : NULL;
}

/* The step that fills the job's hasher, with pieces; NULL where there are others. */
static const struct step *only_filling(const struct chain *c) {
  const struct step *found = NULL;
  const struct step *s = c->slot->steps;
  for (const struct step *end = s + c->slot->header.steps; s < end; s++) {
    if (s->hasher != HASHER_JOB || s->op == OP_digest || s->op == OP_verify_digest) continue;
    if (found != NULL || (s->op != OP_write && s->op != OP_hash)) return NULL;
    found = s;
  }
  return found;
}
