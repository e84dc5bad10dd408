/* File bytes to a socket, without a thread for each slow reader. */
#ifndef SENDFILE_H
#define SENDFILE_H

#include "chain.h"
#include "events.h"

enum { SEND_RECORDS = 32 };

struct send {
  struct job job;
  struct wait wait; /* wait.fd is our own duplicate of the socket */
  struct chains *shared;
  struct events *events;
  int file;
  int64_t offset, left, sent;
  double stall_ns;
  bool waited, registered;
  double progress_ns, waits_since; /* last byte; since when the socket is full */
  int err;
  double queued_ns, started_ns, ended_ns, client_wait_ns, io_ns;
  int cached_percent; /* of the first bytes, before they were read; -1: the kernel does not say */
  struct sys sys;
  double records[SEND_RECORDS * SYS_RECORD_DOUBLES]; /* neighbouring calls are one record */
};

struct send_request {
  int socket, file;
  int64_t offset, length;
  double stall_ns;
  bool syscalls;
};

/* Duplicates the socket and takes `file` over, also on failure: 0 or -errno. The caller submits
 * `out->job`; it ends in shared->settle with both descriptors closed. */
int send_new(struct chains *shared, struct events *events, const struct send_request *request,
             struct send **out);

/* Soon ends the transfer with ECANCELED. */
void send_cancel(struct send *s);

#endif
