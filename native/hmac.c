/* isHmac: HMAC-SHA256 (RFC 2104) over what AWS Signature Version 4 signs, in one call for each
 * request. */
#include "glue.h"
#include "hash.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64, DIGEST = 32, HEX = 2 * DIGEST, USUAL = 4096 };

static void to_hex(const uint8_t digest[DIGEST], char hex[HEX]) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < DIGEST; i++) {
    hex[2 * i] = digits[digest[i] >> 4];
    hex[2 * i + 1] = digits[digest[i] & 15];
  }
}

/* Adds the latin1 bytes of a JavaScript string; false where it is none, or memory is short. */
static bool update_text(napi_env env, hasher *h, napi_value text) {
  char usual[USUAL];
  size_t length;
  if (napi_get_value_string_latin1(env, text, usual, sizeof usual, &length) != napi_ok)
    return false;
  if (length < sizeof usual - 1) {
    hasher_update(h, usual, length);
    return true;
  }
  if (napi_get_value_string_latin1(env, text, NULL, 0, &length) != napi_ok) return false;
  char *all = malloc(length + 1);
  if (all == NULL) return false;
  bool ok = napi_get_value_string_latin1(env, text, all, length + 1, &length) == napi_ok;
  if (ok) hasher_update(h, all, length);
  free(all);
  return ok;
}

static void start(hasher *h, const uint8_t *key, size_t size, uint8_t pad) {
  uint8_t block[BLOCK];
  memset(block, pad, sizeof block);
  for (size_t i = 0; i < size; i++) block[i] ^= key[i];
  hasher_init(h, HASH_SHA256);
  hasher_update(h, block, sizeof block);
}

/* In a time that does not depend on where they differ. */
static bool equal(const char *a, const char *b) {
  unsigned differs = 0;
  for (size_t i = 0; i < HEX; i++) differs |= (unsigned)(a[i] ^ b[i]);
  return differs == 0;
}

/* isHmac(key, message, hashed, hex): whether `hex` is that of the HMAC under `key`, of at most a
 * block, over `message` followed by the hexadecimal SHA-256 of `hashed`. */
napi_value is_hmac(napi_env env, napi_callback_info info) {
  napi_value values[4], result;
  size_t count = 4, size, length;
  void *key;
  char given[HEX + 2], hex[HEX];
  uint8_t digest[HASH_LONGEST];
  hasher inner, outer, text;
  CHECK(napi_get_cb_info(env, info, &count, values, NULL, NULL));
  CHECK(napi_get_buffer_info(env, values[0], &key, &size));
  if (size > BLOCK) return fail(env);
  CHECK(napi_get_value_string_latin1(env, values[3], given, sizeof given, &length));
  start(&inner, key, size, 0x36);
  if (!update_text(env, &inner, values[1])) return fail(env);
  hasher_init(&text, HASH_SHA256);
  if (!update_text(env, &text, values[2])) return fail(env);
  hasher_digest(&text, HASH_SHA256, digest);
  to_hex(digest, hex);
  hasher_update(&inner, hex, sizeof hex);
  hasher_digest(&inner, HASH_SHA256, digest);
  start(&outer, key, size, 0x5c);
  hasher_update(&outer, digest, DIGEST);
  hasher_digest(&outer, HASH_SHA256, digest);
  to_hex(digest, hex);
  CHECK(napi_get_boolean(env, length == HEX && equal(hex, given), &result));
  return result;
}
