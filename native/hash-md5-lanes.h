/* One MD5 function over several streams; included once for each kind of vector, hence no guard.
 *
 *   MD5_LANES        how many streams: one in each 32-bit lane
 *   MD5_LANES_NAME   the function's name
 *   MD5_LOAD_WORDS   (w, data, at): makes w[i] of the i-th words at data[0] + at, data[1] + at, …
 *
 * It undefines them again. */
void MD5_LANES_NAME(uint32_t *const *state, const uint8_t *const *data, size_t blocks) {
  typedef uint32_t word __attribute__((vector_size(4 * MD5_LANES)));
  word a, b, c, d;
  for (int i = 0; i < MD5_LANES; i++)
    a[i] = state[i][0], b[i] = state[i][1], c[i] = state[i][2], d[i] = state[i][3];

  for (size_t at = 0; at < blocks * HASH_BLOCK; at += HASH_BLOCK) {
    word w[16];
    MD5_LOAD_WORDS(w, data, at);
    word a0 = a, b0 = b, c0 = c, d0 = d;
    MD5_STEPS;
    a += a0, b += b0, c += c0, d += d0;
  }

  for (int i = 0; i < MD5_LANES; i++)
    state[i][0] = a[i], state[i][1] = b[i], state[i][2] = c[i], state[i][3] = d[i];
}

#undef MD5_LANES
#undef MD5_LANES_NAME
#undef MD5_LOAD_WORDS
