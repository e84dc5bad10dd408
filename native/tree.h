/* Directories with all that lies beneath them. */
#ifndef TREE_H
#define TREE_H

#include "chain.h"

/* Removes a name in a directory and everything beneath it, following nothing; entries removed or
 * -errno. */
int64_t tree_remove(struct chain *c, int dir, const char *name);

/* Gives every name in a directory to `visit` until that returns no 0, which is the result. */
typedef int visit_fn(struct chain *c, int dir, const char *name, void *context);
int each_name(struct chain *c, int dir, visit_fn *visit, void *context);

#endif
