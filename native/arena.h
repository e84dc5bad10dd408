/* The memory through which JavaScript and the addon talk: slots of one chain each, written and
 * read in place by both. src/io/arena.ts is the other half; addon.c hands it these sizes to
 * compare, so that a stale build is noticed when it is loaded. */
#ifndef ARENA_H
#define ARENA_H

#include "sys.h"

enum {
  MAX_STEPS = 32,
  MAX_SYSCALLS = 128,
  TEXT_BYTES = 16 * 1024,
  SLOT_BYTES = 128 * 1024,
};

/* The order is that of OP in src/io/arena.ts. */
#define STEPS(X)                                                                                   \
  X(open)                                                                                          \
  X(stat)                                                                                          \
  X(stat_at)                                                                                       \
  X(read_attributes)                                                                               \
  X(write_attributes)                                                                              \
  X(read)                                                                                          \
  X(read_whole)                                                                                    \
  X(open_tmp)                                                                                      \
  X(write)                                                                                         \
  X(hash)                                                                                          \
  X(digest)                                                                                        \
  X(verify_digest)                                                                                 \
  X(verify_size)                                                                                   \
  X(make_parents)                                                                                  \
  X(link)                                                                                          \
  X(make_dir)                                                                                      \
  X(rename)                                                                                        \
  X(remove)                                                                                        \
  X(remove_tree)                                                                                   \
  X(prune)                                                                                         \
  X(sync)                                                                                          \
  X(list)                                                                                          \
  X(stat_batch)                                                                                    \
  X(copy)                                                                                          \
  X(writeback)                                                                                     \
  X(lock)                                                                                          \
  X(truncate)                                                                                      \
  X(close)                                                                                         \
  X(owner)                                                                                         \
  X(verify_file)                                                                                   \
  X(times)

enum step_op {
#define X(name) OP_##name,
  STEPS(X)
#undef X
      OP_COUNT
};

enum header_flags {
  CHAIN_FIRST = 1, /* the first job of a chain */
  CHAIN_MORE = 2,  /* another job of it follows: keep descriptors and hash state */
  CHAIN_BULK = 4,
  CHAIN_SYSCALLS = 8, /* record them */
  CHAIN_CROWDED = 16, /* out: no thread was free for the job when it came */
};

/* What a step's flags mean depends on its operation. */
enum step_flags {
  OPEN_KEEP = 1, /* also open_tmp, lock */
  OPEN_DIRECTORY = 2,
  OPEN_PATH = 4,
  OPEN_FOLLOW_LAST = 8,
  OPEN_WRITE = 16,
  OPEN_CREATE = 32,
  TMP_PREALLOCATE = 2,
  MAKE_SYNC = 1, /* also prune */
  MAKE_OWNER = 2,
  LINK_REPLACE = 1,
  LINK_ONLY_OVER = 2, /* replace the file of inode `a` on device `b`, and no other */
  RENAME_NO_REPLACE = 1,
  REMOVE_DIRECTORY = 1,
  REMOVE_ONLY = 2, /* the name of the file of inode `a` on device `b`, and no other */
  LOCK_EXCLUSIVE = 2,
  VERIFY_REGULAR = 1,
  DATA_DIRECT = 1,   /* read, write: past the page cache */
  WRITE_PENDING = 1, /* attributes of a file that has no name yet, in a sidecar directory */
  WRITE_SYNC = 2,
  WRITE_COPY = 4, /* and what the file has under another name, the second place */
  COPY_REFLINK = 1,
  COPY_RANGE = 2,
  COPY_READ_WRITE = 4,
  TEXT_IN_PIECE = 1 << 16, /* `text` is that piece, instead of an offset */
};

/* A step's descriptors: a number, or `FD_OF_STEP - i` for what step i of this job opened. */
enum { FD_NONE = -1, FD_OF_STEP = -2 };

/* `hasher` arguments. */
enum { HASHER_NONE = 0xffff, HASHER_JOB = 0xfffe, MAX_HASHERS = 8192 };

struct header {
  uint32_t flags, steps, job_kinds, piece_count;
  /* Out. */
  int32_t failed_step; /* or -1 */
  uint32_t syscalls, lost_syscalls;
  uint32_t data_used; /* bytes of the data area that hold output */
  double queued_ns, started_ns, ended_ns;
  uint32_t disk_kib; /* read from a disk by slow steps */
  uint32_t awake_us; /* of slow steps in which the thread never slept */
};

struct step {
  uint16_t op, hasher;
  uint32_t flags;
  int32_t fd[3];
  uint32_t mode;
  uint32_t text, text_size, text2, text2_size; /* from the slot's start; NUL-terminated */
  uint32_t piece, piece_count;
  uint8_t tolerate[8];
  double a, b, c;
};

enum result_state { NOT_REACHED, RAN, SKIPPED };

struct result {
  double value, start_ns, end_ns, io_ns, hash_ns;
  int32_t err;
  uint32_t state;
  int32_t call; /* the last system call, names what failed */
  uint32_t out; /* from the slot's start, or the blob's number */
  uint32_t out_size;
  uint32_t is_blob;
};

struct slot {
  struct header header;
  struct step steps[MAX_STEPS];
  struct result results[MAX_STEPS];
  double syscalls[MAX_SYSCALLS * SYS_RECORD_DOUBLES];
  char text[TEXT_BYTES];
  uint8_t data[];
};

_Static_assert(sizeof(struct header) == 64, "see src/io/arena.ts");
_Static_assert(sizeof(struct step) == 80, "see src/io/arena.ts");
_Static_assert(sizeof(struct result) == 64, "see src/io/arena.ts");
_Static_assert(sizeof(struct slot) < SLOT_BYTES, "a slot holds its parts");

#endif
