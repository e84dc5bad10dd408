/* Which kernels this machine runs: chosen when the addon is loaded, before any thread can hash. */
#include "hash-kernels.h"
#if defined(__x86_64__)
#include <cpuid.h>

/* __builtin_cpu_supports knows "sha" only since GCC 11. */
static int has_sha(void) {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_SHA);
}
#endif

struct hash_kernels hash_kernels;

__attribute__((constructor)) static void set_up(void) {
  crc_build();
  hash_force_level(HASH_AVX512);
}

void hash_force_level(enum hash_level most) {
  hash_kernels = (struct hash_kernels){
      .sha1 = sha1_blocks,
      .sha256 = sha256_blocks,
      .crc = crc_table,
      .md5 = {{4, 2, md5_lanes4}, {1, 1, md5_lane1}},
  };
#if defined(__x86_64__)
  __builtin_cpu_init(); /* a constructor may run before the compiler's own */
  if (most >= HASH_SHA_AVX2) {
    if (has_sha()) {
      hash_kernels.sha1 = sha1_ni;
      hash_kernels.sha256 = sha256_ni;
    }
    if (__builtin_cpu_supports("pclmul")) hash_kernels.crc = crc_pclmul;
    if (__builtin_cpu_supports("avx2"))
      hash_kernels.md5[0] = (struct md5_lanes){8, 2, md5_lanes8_avx2};
  }
  if (most >= HASH_AVX512) {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq"))
      hash_kernels.crc = crc_vpclmul;
    if (__builtin_cpu_supports("avx512vl")) {
      /* Eight full lanes do more than sixteen with few of them in use. */
      hash_kernels.md5[0] = (struct md5_lanes){16, 11, md5_lanes16_avx512};
      hash_kernels.md5[1] = (struct md5_lanes){8, 2, md5_lanes8_avx512};
      hash_kernels.md5[2] = (struct md5_lanes){1, 1, md5_lane1};
    }
  }
#else
  (void)most;
#endif
}
