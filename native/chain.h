/* A chain of steps and the interpreter that runs it. */
#ifndef CHAIN_H
#define CHAIN_H

#include "arena.h"
#include "hash-group.h"
#include "pool.h"

#include <limits.h>

struct blob {
  void *data;
  size_t size;
};

/* What a chain opened: closed when it ends, unless it is to be kept and the chain succeeded. */
struct opened {
  int fd;
  bool keep;
};

/* A file with a name that goes when the chain ends, or only when it fails. */
struct temporary {
  int dir;
  bool always;
  char name[NAME_MAX + 1];
};

/* What chains share: one set for each createIo. */
struct chains {
  struct pool *pool;
  struct hasher *_Atomic hashers[MAX_HASHERS];
  struct hash_group hashing;
  struct faults faults;
  atomic_bool no_openat2;
  atomic_bool link_by_proc;   /* the kernel refused to link a descriptor once */
  atomic_uint taken_row;      /* overwrites, as far as links have met them, without a new name */
  uint64_t names;             /* what names of ours in .sgwtmp begin with, */
  _Atomic uint64_t next_name; /* and how the next ends */
  size_t copy_buffer;         /* bytes, where copies go through memory */
  bool follow_symlinks;
  bool no_attributes; /* they are not kept anywhere */
  /* Takes a finished chain; called on a pool thread. */
  void (*settle)(struct job *job);
  /* Runs a job again after `ns`; called on a pool thread. */
  void (*run_later)(struct job *job, double ns);
};

/* One a slot. Lives over the jobs of a chain that needs more than one. */
struct chain {
  struct job job;
  struct chains *shared;
  struct slot *slot;
  struct sys sys;
  struct iovec *pieces;
  uint32_t piece_count, piece_capacity;
  struct opened *opened;
  uint32_t opened_count, opened_capacity;
  struct temporary *temporaries;
  uint32_t temporary_count, temporary_capacity;
  struct blob *blobs;
  uint32_t blob_count, blob_capacity;
  struct pending *pending; /* see sidecar.h */
  uint32_t data_used;
  uint32_t next_step;
  bool hashed;  /* what fills its hasher has been hashed already: see chain-hash.c */
  bool waiting; /* the next step is a lock's that is to be tried again */
  double wait_until, wait_ns, waiting_since;
  int waiting_fd;
  int stat_fd; /* whose fstat is still known, or -1 */
  struct stat stat;
  hasher hasher;
};

/* `job.run` of a chain. */
void chain_run(struct job *job);

/* Whether its bytes may be hashed while it waits, by a chain that hashes its own. */
bool chain_is_lendable(const struct chain *c);

/* Hashes the bytes of a step into the job's hasher, and along with them those of chains that wait
 * where that costs hardly more. */
void hash_along(struct chain *c, const struct step *s);

/* Ends a chain that will not be continued: closes and removes as after a failure. */
void chain_abandon(struct chain *c);

/* Frees what the results of its last job still hold. */
void chain_free_blobs(struct chain *c);

/* Room for a step's output in the slot, or in a blob where it does not fit; NULL without memory. */
void *chain_output(struct chain *c, struct result *r, size_t size);

/* Makes an allocation of the caller's a step's output; frees it on failure. */
int chain_output_blob(struct chain *c, struct result *r, void *data, size_t size);

/* 0 or -ENOMEM; on failure `fd` is closed. */
int chain_opened(struct chain *c, int fd, bool keep);
/* Forgets a descriptor that was closed by other means. */
void chain_forget(struct chain *c, int fd);

/* `name` in `dir` is removed when the chain ends before chain_published, or only when it fails. */
int chain_temporary(struct chain *c, int dir, const char *name, bool always);
void chain_published(struct chain *c, int dir, const char *name);

const char *chain_text(const struct chain *c, const struct step *s);
const char *chain_text2(const struct chain *c, const struct step *s);
hasher *chain_hasher(struct chain *c, uint32_t id);

/* Steps: the value, or -errno. STEP_WAITS is a lock's: run this step again after `wait_ns`. */
enum { STEP_WAITS = -100000 };
typedef int64_t step_fn(struct chain *c, const struct step *s, const int fd[3], struct result *r);
#define X(name) step_fn step_##name;
STEPS(X)
#undef X

#endif
