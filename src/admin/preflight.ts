import { OPEN } from '../s3/access-rules.ts'
import { operation, type Operation, type Route } from '../s3/operation.ts'
import { preflightWithoutRules } from '../s3/operations/preflight-options.ts'

/**
 * What a browser asks before it calls the admin API. It is answered without a word of CORS: no page may, unless `--cors-allow-origin`
 * names it.
 *
 * Beside buckets only preflights of PATCH are these, for a bucket may be called like an operation, and no operation of S3 is
 * a PATCH; on listeners of the admin API's own all of them.
 */
export function preflight(
  { target, word }: Pick<Route, 'target' | 'word'>,
  besideBuckets: boolean,
): Operation {
  const http: Route = { method: 'OPTIONS', target, ...(word === undefined ? {} : { word }) }
  const header = { 'access-control-request-method': 'PATCH' }
  return operation(
    {
      name: 'PreflightOptions',
      http: besideBuckets ? { ...http, header } : http,
      input: {},
      backendOperation: false,
    },
    { access: OPEN, handle: (_, context) => Promise.resolve(preflightWithoutRules(context)) },
  )
}
