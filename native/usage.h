/* What a thread of the pool waited for, taken only where something was slow: a look costs a system
 * call, which operations that are quick are spared. */
#ifndef USAGE_H
#define USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
  int64_t disk_bytes; /* read from block devices on its behalf, metadata of file systems included */
  bool slept;         /* false: it computed, or lacked a processor */
};

/* From now on: for a thread that has slept because it had nothing to do. */
void usage_begin(void);

/* Since the last look of this thread. Steps that were not looked at count for the next that is. */
struct usage usage_since(void);

#endif
