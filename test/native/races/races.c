/* The pool, the event thread, chains and sends without Node, for ThreadSanitizer to watch.
 *
 * Usage: races <directory> <rounds>. Plays the part of addon.c: settled jobs go on a list that the
 * main thread empties, and every chain is filled in anew and submitted again. */
#include "chain.h"
#include "events.h"
#include "sendfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHAINS = 24, SENDS = 8, FILE_BYTES = 3000000, SEND_ID = 1000 };

static struct chains shared;
static struct events *events;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t settled = PTHREAD_COND_INITIALIZER;
static struct job *done;

static void settle(struct job *job) {
  pthread_mutex_lock(&lock);
  job->next = done;
  done = job;
  pthread_cond_signal(&settled);
  pthread_mutex_unlock(&lock);
}

static void flush(void *owner) { (void)owner; }

static void run_later(struct job *job, double ns) { events_later(events, job, ns); }

static struct job *next_settled(void) {
  pthread_mutex_lock(&lock);
  while (done == NULL) pthread_cond_wait(&settled, &lock);
  struct job *job = done;
  done = job->next;
  pthread_mutex_unlock(&lock);
  return job;
}

static struct step *add(struct slot *slot, enum step_op op, int fd, const char *text) {
  struct step *s = &slot->steps[slot->header.steps];
  size_t at = slot->header.steps * 256;
  *s = (struct step){.op = op, .hasher = HASHER_NONE, .fd = {fd, FD_NONE, FD_NONE}};
  strcpy(slot->text + at, text);
  s->text = (uint32_t)(offsetof(struct slot, text) + at);
  s->text_size = (uint32_t)strlen(text);
  s->text2 = s->text + s->text_size;
  slot->header.steps++;
  return s;
}

static char content[200000];

static void fill(struct chain *c, int root, unsigned round) {
  struct slot *slot = c->slot;
  slot->header = (struct header){.flags = CHAIN_FIRST | CHAIN_SYSCALLS, .job_kinds = HASH_MD5};
  chain_free_blobs(c);
  if (c->pieces == NULL) c->pieces = malloc(sizeof *c->pieces);
  c->pieces[0] = (struct iovec){content, round % 12 == 0 ? sizeof content : 5000};
  c->piece_count = 1;

  struct step *s = add(slot, OP_open, root, "");
  s->flags = OPEN_DIRECTORY;
  int dir = FD_OF_STEP;
  switch (round % 4) {
  case 0:
    add(slot, OP_open_tmp, dir, "")->mode = 0600;
    s = add(slot, OP_write, FD_OF_STEP - 1, "");
    s->hasher = HASHER_JOB;
    s->piece_count = 1;
    s = add(slot, OP_link, FD_OF_STEP - 1, round % 8 == 0 ? "one" : "two");
    s->fd[1] = s->fd[2] = dir;
    s->flags = LINK_REPLACE;
    break;
  case 1:
    add(slot, OP_list, dir, "");
    add(slot, OP_stat_at, dir, "missing");
    break;
  case 2:
    s = add(slot, OP_lock, dir, "lock");
    s->flags = LOCK_EXCLUSIVE;
    s->a = 200;
    add(slot, OP_make_parents, dir, "p/q")->mode = 0700;
    add(slot, OP_prune, dir, "p/q");
    break;
  default:
    s = add(slot, OP_open, dir, "file");
    s = add(slot, OP_read_whole, FD_OF_STEP - 1, "");
    s->a = FILE_BYTES;
  }
  c->job.bulk = slot->header.steps > 2 && round % 12 == 0;
  c->job.lendable = !c->job.bulk && chain_is_lendable(c);
  c->hashed = false;
}

static void *drain(void *argument) {
  int socket = *(int *)argument;
  char data[65536];
  for (unsigned i = 0; read(socket, data, sizeof data) > 0; i++)
    if (i % 16 == 0) usleep(500);
  close(socket);
  free(argument);
  return NULL;
}

/* A transfer to a reader that now and then pauses; some are cancelled on the way. */
static struct send *start_send(int root, unsigned i) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) abort();
  fcntl(pair[0], F_SETFL, O_NONBLOCK);
  int *reader = malloc(sizeof *reader);
  *reader = pair[1];
  pthread_t thread;
  if (pthread_create(&thread, NULL, drain, reader) != 0) abort();
  pthread_detach(thread);
  struct send_request request = {
      .socket = pair[0],
      .file = openat(root, "file", O_RDONLY | O_CLOEXEC),
      .length = FILE_BYTES,
      .stall_ns = 1e9,
      .syscalls = true,
  };
  struct send *s;
  if (send_new(&shared, events, &request, &s) != 0) abort();
  close(pair[0]);
  s->job.id = SEND_ID + i;
  pool_submit(shared.pool, &s->job);
  return s;
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  unsigned rounds = (unsigned)atoi(arguments[2]);
  int root = open(arguments[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int file = openat(root, "file", O_RDWR | O_CREAT, 0600);
  if (root < 0 || ftruncate(file, FILE_BYTES) != 0) return 2;
  close(file);

  shared.settle = settle;
  shared.run_later = run_later;
  hash_group_init(&shared.hashing);
  shared.hashing.max_leaders = 2;
  shared.pool = pool_new(8, flush, NULL);
  events = events_new(shared.pool);
  struct chain *chains = calloc(CHAINS, sizeof *chains);
  uint8_t *slots = aligned_alloc(4096, (size_t)CHAINS * SLOT_BYTES);
  struct send *sends[SENDS];
  unsigned running = CHAINS + SENDS, round = 0;
  for (unsigned i = 0; i < CHAINS; i++) {
    chains[i] = (struct chain){.job = {.run = chain_run, .id = i}, .shared = &shared};
    chains[i].slot = (struct slot *)(slots + (size_t)i * SLOT_BYTES);
    fill(&chains[i], root, round++);
    pool_submit(shared.pool, &chains[i].job);
  }
  for (unsigned i = 0; i < SENDS; i++) sends[i] = start_send(root, i);

  while (running > 0) {
    struct job *job = next_settled();
    round++;
    if (round % 7 == 0) {
      unsigned victim = round % SENDS;
      if (sends[victim] != NULL && sends[victim] != (struct send *)job) send_cancel(sends[victim]);
    }
    if (round % 50 == 0) {
      atomic_store(&shared.faults.armed, false);
      atomic_store(&shared.faults.name, -1);
      atomic_store(&shared.faults.step, -1);
      atomic_store(&shared.faults.left, (int)(round % 30));
      atomic_store(&shared.faults.times, 2);
      atomic_store(&shared.faults.err, EIO);
      atomic_store(&shared.faults.armed, true);
      pool_stats(shared.pool);
    }
    if (job->id >= SEND_ID) {
      unsigned i = job->id - SEND_ID;
      free(job);
      sends[i] = round < rounds ? start_send(root, i) : NULL;
      running -= sends[i] == NULL;
    } else if (round < rounds) {
      fill((struct chain *)job, root, round);
      pool_submit(shared.pool, job);
    } else {
      running--;
    }
  }
  /* Ends with work in every state. */
  for (unsigned i = 0; i < CHAINS; i++) {
    fill(&chains[i], root, i);
    pool_submit(shared.pool, &chains[i].job);
  }
  struct send *last = start_send(root, 0);
  pool_stop(shared.pool);
  events_stop(events);
  pool_free(shared.pool);
  events_free(events);
  for (unsigned i = 0; i < CHAINS; i++) {
    chain_abandon(&chains[i]);
    free(chains[i].pieces);
    free(chains[i].opened);
    free(chains[i].temporaries);
    free(chains[i].blobs);
  }
  free(last);
  free(chains);
  free(slots);
  printf("raced %u\n", rounds);
  return 0;
}
