/* Attributes as files of a directory apart: that `A` of what lies at `place` is `{place}/meta/A`
 * beneath the sidecar directory, as VersityGW has it.
 *
 * No call of the system publishes a file and a directory beside it together. So a file's attributes
 * carry a stamp that says which file they belong to, and they are written whole to a directory of
 * their own, `{place}/.sgwtmp/{random}`, before the file gets its name; behind it they are
 * exchanged with what is at `{place}/meta`. In between, or when we are killed in between, whoever
 * reads finds them by their stamp. Nobody removes what is stamped for the file that has the name
 * now. */
#ifndef SIDECAR_H
#define SIDECAR_H

#include "buffer.h"

struct sidecar {
  int root;
  const char *place;
};

/* How a file was found, where that is known: then whether its name still leads to it can be seen.
 */
struct found_by {
  int dir; /* or -1 */
  const char *path;
};

/* Attributes written for a file that has no name yet. `job` of a chain owns it. */
struct pending {
  struct sidecar at;
  int file;
  bool sync, done;
  char slot[33];
  struct pending *next;
};

/* A step whose third descriptor is the sidecar directory names places in its first piece. */
struct sidecar sidecar_place(const struct chain *c, const struct step *s, int root);
/* The place behind another one in the list. */
const char *sidecar_next(const char *place);

/* ESTALE: the file has been replaced, and what was found may be of the new one. */
int sidecar_read(struct chain *c, struct sidecar at, struct found_by by, int file,
                 const struct step *s, struct buffer *out);
/* 1, 0 or -errno. */
int sidecar_has(struct chain *c, struct sidecar at, int file, const char *name);
/* What step_write_attributes does; with WRITE_PENDING for a file that has no name yet. */
int sidecar_write(struct chain *c, struct sidecar at, int file, uint32_t flags,
                  const uint8_t *changes);

/* A file got its name: what was written for it takes the place of what is there. */
int sidecar_publish(struct chain *c, int file, int dir, const char *name);
/* Removes what was written for files that did not get one. */
void sidecar_drop_pending(struct chain *c);
/* The name is gone: so are its attributes, unless somebody has it anew. */
void sidecar_forget(struct chain *c, struct sidecar at, int dir, const char *name, bool directory);
/* With all that lies beneath. */
void sidecar_forget_tree(struct chain *c, struct sidecar at);

/* A name, one level below a directory. */
struct name {
  int dir;
  const char *name;
};

/* renameat2, of attributes and all. */
int sidecar_rename(struct chain *c, struct sidecar from, const char *to, const struct name names[2],
                   unsigned flags);

/* For the other files of the sidecar directory. */
enum { STAMP_BYTES = 96, LONGEST_VALUE = 1024 * 1024 };
int sidecar_value(struct chain *c, int dir, const char *name, struct buffer *value);
extern const char SIDECAR_STAMP[];
void sidecar_stamp(const struct stat *st, char stamp[STAMP_BYTES]);
bool sidecar_stamped(struct chain *c, int dir, const char *stamp);
int sidecar_path(struct sidecar at, const char *below, char path[PATH_MAX]);
int sidecar_directory(struct chain *c, struct sidecar at, const char *below);
/* The directory `below` the place, made where it is not there. ENOENT on the way: another request
 * removed what it had left empty. */
int sidecar_make_directory(struct chain *c, struct sidecar at, const char *below, bool sync);
int sidecar_new_slot(char name[33]);
/* Of regular files the directory that is stamped for them, wherever it is; else, with `*stamped`
 * false, the one at the place; -ENOENT: none. */
int sidecar_attributes(struct chain *c, struct sidecar at, const struct stat *st, bool *stamped);

#endif
