#include "glue.h"

napi_value fail(napi_env env) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, NULL, "the addon was called wrongly, or is out of memory");
  return NULL;
}

napi_value number(napi_env env, double value) {
  napi_value result = NULL;
  napi_create_double(env, value, &result);
  return result;
}

napi_value integer(napi_env env, int32_t value) {
  napi_value result = NULL;
  napi_create_int32(env, value, &result);
  return result;
}

struct io *arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values,
                     double *numbers) {
  void *data = NULL;
  if (napi_get_cb_info(env, info, &count, values, NULL, &data) != napi_ok) return NULL;
  for (size_t i = 0; numbers != NULL && i < count; i++)
    if (napi_get_value_double(env, values[i], &numbers[i]) != napi_ok) numbers[i] = 0;
  return data;
}
