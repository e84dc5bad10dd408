/* Jobs in the order in which they are to run. Whoever uses a queue holds the lock it is under. */
#ifndef JOB_QUEUE_H
#define JOB_QUEUE_H

#include "pool.h"

struct queue {
  struct job *first, **last; /* `last` is where the next one's address goes */
  int length;
};

static inline void push(struct queue *q, struct job *job) {
  job->next = NULL;
  *q->last = job;
  q->last = &job->next;
  q->length++;
}

static inline struct job *shift(struct queue *q) {
  struct job *job = q->first;
  q->first = job->next;
  if (q->first == NULL) q->last = &q->first;
  q->length--;
  return job;
}

/* Back to where it was taken from. */
static inline void unshift(struct queue *q, struct job *job) {
  job->next = q->first;
  if (q->first == NULL) q->last = &job->next;
  q->first = job;
  q->length++;
}

#endif
