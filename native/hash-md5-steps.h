/* The 64 steps of RFC 1321, section 3.4, written once for scalars and for vectors.
 *
 * Whoever uses MD5_STEPS has in scope a, b, c and d, unsigned 32-bit integers or GCC vectors of
 * them, and an array `w` of the sixteen message words. Everything is plain operators, which GCC
 * spreads over lanes and turns into rotate and ternary-logic instructions where the target has
 * them. */
#ifndef HASH_MD5_STEPS_H
#define HASH_MD5_STEPS_H

/* Four steps a line, as the RFC lists them. */
/* clang-format off */

/* G is the RFC's (x & z) | (y & ~z) with its halves apart: they share no bit, so each may be
 * added on its own, and only one of them waits for the previous step. */
#define MD5_F(a, x, y, z) a += (z) ^ ((x) & ((y) ^ (z)))
#define MD5_G(a, x, y, z) a += (y) & ~(z), a += (x) & (z)
#define MD5_H(a, x, y, z) a += (x) ^ ((y) ^ (z))
#define MD5_I(a, x, y, z) a += (y) ^ ((x) | ~(z))

#define MD5_STEP(f, a, b, c, d, i, s, t) \
  (a += w[i] + t, f(a, b, c, d), a = (a << s | a >> (32 - s)) + b)

#define MD5_FOUR(f, i, j, k, l, q, r, s, t, tq, tr, ts, tt) \
  MD5_STEP(f, a, b, c, d, i, q, tq);                        \
  MD5_STEP(f, d, a, b, c, j, r, tr);                        \
  MD5_STEP(f, c, d, a, b, k, s, ts);                        \
  MD5_STEP(f, b, c, d, a, l, t, tt)
#define MD5_ROUND1(i, j, k, l, ...) MD5_FOUR(MD5_F, i, j, k, l, 7, 12, 17, 22, __VA_ARGS__)
#define MD5_ROUND2(i, j, k, l, ...) MD5_FOUR(MD5_G, i, j, k, l, 5, 9, 14, 20, __VA_ARGS__)
#define MD5_ROUND3(i, j, k, l, ...) MD5_FOUR(MD5_H, i, j, k, l, 4, 11, 16, 23, __VA_ARGS__)
#define MD5_ROUND4(i, j, k, l, ...) MD5_FOUR(MD5_I, i, j, k, l, 6, 10, 15, 21, __VA_ARGS__)

/* Message words, then the constants floor(2^32 * |sin(step)|), steps counted from 1. */
#define MD5_STEPS                                                                 \
  MD5_ROUND1(0, 1, 2, 3, 0xd76aa478u, 0xe8c7b756u, 0x242070dbu, 0xc1bdceeeu);     \
  MD5_ROUND1(4, 5, 6, 7, 0xf57c0fafu, 0x4787c62au, 0xa8304613u, 0xfd469501u);     \
  MD5_ROUND1(8, 9, 10, 11, 0x698098d8u, 0x8b44f7afu, 0xffff5bb1u, 0x895cd7beu);   \
  MD5_ROUND1(12, 13, 14, 15, 0x6b901122u, 0xfd987193u, 0xa679438eu, 0x49b40821u); \
  MD5_ROUND2(1, 6, 11, 0, 0xf61e2562u, 0xc040b340u, 0x265e5a51u, 0xe9b6c7aau);    \
  MD5_ROUND2(5, 10, 15, 4, 0xd62f105du, 0x02441453u, 0xd8a1e681u, 0xe7d3fbc8u);   \
  MD5_ROUND2(9, 14, 3, 8, 0x21e1cde6u, 0xc33707d6u, 0xf4d50d87u, 0x455a14edu);    \
  MD5_ROUND2(13, 2, 7, 12, 0xa9e3e905u, 0xfcefa3f8u, 0x676f02d9u, 0x8d2a4c8au);   \
  MD5_ROUND3(5, 8, 11, 14, 0xfffa3942u, 0x8771f681u, 0x6d9d6122u, 0xfde5380cu);   \
  MD5_ROUND3(1, 4, 7, 10, 0xa4beea44u, 0x4bdecfa9u, 0xf6bb4b60u, 0xbebfbc70u);    \
  MD5_ROUND3(13, 0, 3, 6, 0x289b7ec6u, 0xeaa127fau, 0xd4ef3085u, 0x04881d05u);    \
  MD5_ROUND3(9, 12, 15, 2, 0xd9d4d039u, 0xe6db99e5u, 0x1fa27cf8u, 0xc4ac5665u);   \
  MD5_ROUND4(0, 7, 14, 5, 0xf4292244u, 0x432aff97u, 0xab9423a7u, 0xfc93a039u);    \
  MD5_ROUND4(12, 3, 10, 1, 0x655b59c3u, 0x8f0ccc92u, 0xffeff47du, 0x85845dd1u);   \
  MD5_ROUND4(8, 15, 6, 13, 0x6fa87e4fu, 0xfe2ce6e0u, 0xa3014314u, 0x4e0811a1u);   \
  MD5_ROUND4(4, 11, 2, 9, 0xf7537e82u, 0xbd3af235u, 0x2ad7d2bbu, 0xeb86d391u)

#endif
/* clang-format on */
