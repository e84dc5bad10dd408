/* Opening names beneath a directory, whatever the kernel offers for it. */
#ifndef PATH_H
#define PATH_H

#include "sys.h"

/* Opens `path` ("" is `dir` itself) without leaving `dir` and without following a link; with
 * `follow_symlinks` the old way. ELOOP: a link; EXDEV: the path would leave `dir`. */
int path_open(struct sys *s, int dir, const char *path, int flags, uint32_t mode);

/* Opens the directory that holds the last component of `path` (O_PATH), or gives `dir` itself, and
 * points `name` at that component. `*opened` says whether the caller has to close the result. */
int path_parent(struct sys *s, int dir, const char *path, const char **name, bool *opened);

/* fstat beneath `dir`, of the link itself unless links are followed. */
int path_stat(struct sys *s, int dir, const char *path, struct stat *st);

#endif
