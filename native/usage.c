#include "usage.h"

#include <sys/resource.h>

enum { BLOCK_BYTES = 512 }; /* of ru_inblock, whatever the device's are */

static _Thread_local long blocks, sleeps;

void usage_begin(void) {
  struct rusage now;
  getrusage(RUSAGE_THREAD, &now);
  blocks = now.ru_inblock;
  sleeps = now.ru_nvcsw;
}

struct usage usage_since(void) {
  long blocks_before = blocks, sleeps_before = sleeps;
  usage_begin();
  return (struct usage){
      .disk_bytes = (int64_t)(blocks - blocks_before) * BLOCK_BYTES,
      .slept = sleeps != sleeps_before,
  };
}
