import type { IncomingMessage } from 'node:http'
import type { Logger } from 'pino'
import type { S3Request } from '../s3/request.ts'
import { correlationIds } from '../trace/correlation.ts'
import type { Recorder } from '../trace/recorder.ts'
import { redactQuery, redactUserAgent } from '../trace/root-attributes.ts'

/** Lines of the debug log about each request: one at its end, and with `--log-level trace` one at its start too. */
export interface RequestLog {
  started(recorder: Recorder, incoming: IncomingMessage): void
  finished(recorder: Recorder, request: S3Request, outcome: RequestOutcome): void
}

export interface RequestOutcome {
  readonly operation: string | undefined
  readonly status: number
  readonly errorCode: string | undefined
  readonly accessKey: string | undefined
}

/** Undefined below the level debug: then a request costs nothing here. */
export function createRequestLog(log: Logger): RequestLog | undefined {
  if (!log.isLevelEnabled('debug')) return undefined
  const tracesHeads = log.isLevelEnabled('trace')
  return {
    started(recorder, incoming) {
      if (!tracesHeads) return
      const { method, url = '', rawHeaders, httpVersion } = incoming
      log.trace(
        {
          ...correlationIds(recorder.root),
          method,
          target: redactTarget(url),
          http_version: httpVersion,
          headers: redactHeaders(rawHeaders),
        },
        'request head',
      )
    },
    finished({ root }, request, { operation, status, errorCode, accessKey }) {
      log.debug(
        {
          ...correlationIds(root),
          operation,
          method: request.method,
          path: request.rawPath,
          query: request.rawQuery === '' ? undefined : redactQuery(request.rawQuery, request.query),
          client: request.clientAddress,
          access_key: accessKey,
          status,
          error: errorCode,
          duration_ms: Math.round((root.endNs - root.startNs) / 1e3) / 1e3,
        },
        'request',
      )
    },
  }
}

/** What a target that is no path holds is not known: an authority may have a password. */
function redactTarget(target: string): string {
  if (!target.startsWith('/')) return 'REDACTED'
  const mark = target.indexOf('?')
  return mark < 0 ? target : `${target.slice(0, mark)}?${redactQuery(target.slice(mark + 1))}`
}

/** A date of HTTP or ISO 8601. */
const DATE =
  /^(?:[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT|\d{8}T\d{6}Z|\d{4}-\d\d-\d\dT[\d:.]{8,15}Z)$/
const NUMBER = /^\d{1,20}$/
const ALGORITHM = /^(?:CRC(?:32C?|64NVME)|SHA(?:1|256|512)|MD5|XXHASH(?:3|64|128))$/i
const DIRECTIVE = /^(?:COPY|REPLACE)$/i

/**
 * Headers that may be shown, and what their values have to look like for that: a header of a known name may hold anything, too. Of
 * those on the list without a form the name alone is shown.
 */
const SHOWN: ReadonlyMap<string, RegExp | undefined> = new Map<string, RegExp | undefined>([
  ['accept-encoding', /^(?:(?:gzip|deflate|br|zstd|identity|\*)(?:;q=[\d.]{1,5})?(?:, ?|$))+$/],
  ['connection', /^(?:keep-alive|close|upgrade)$/i],
  ['content-encoding', /^(?:(?:aws-chunked|gzip|deflate|br|zstd|identity)(?:, ?|$))+$/],
  ['content-length', NUMBER],
  [
    'content-type',
    // Digits stand at the end of names that are any (mp4), and all over keys.
    /^(?:application|audio|binary|font|image|multipart|text|video)\/[a-z.+-]{1,30}\d?$/i,
  ],
  ['date', DATE],
  ['expect', /^100-continue$/i],
  ['host', /^[\w.:[\]-]{1,255}$/],
  ['if-modified-since', DATE],
  ['if-unmodified-since', DATE],
  ['range', /^bytes=\d{0,20}-\d{0,20}$/],
  ['traceparent', /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/],
  ['transfer-encoding', /^chunked$/i],
  [
    'x-amz-acl',
    /^(?:private|public-read|public-read-write|authenticated-read|aws-exec-read|bucket-owner-(?:read|full-control))$/,
  ],
  ['x-amz-checksum-algorithm', ALGORITHM],
  [
    'x-amz-content-sha256',
    /^(?:[0-9a-f]{64}|UNSIGNED-PAYLOAD|STREAMING-(?:UNSIGNED|AWS4-HMAC-SHA256)-PAYLOAD(?:-TRAILER)?)$/,
  ],
  ['x-amz-date', DATE],
  ['x-amz-decoded-content-length', NUMBER],
  ['x-amz-metadata-directive', DIRECTIVE],
  ['x-amz-sdk-checksum-algorithm', ALGORITHM],
  ['x-amz-tagging-directive', DIRECTIVE],
  ['x-amz-trailer', /^x-amz-checksum-[a-z0-9]{1,10}$/],
  ...[
    'accept',
    'authorization',
    'baggage',
    'cache-control',
    'content-disposition',
    'content-language',
    'content-md5',
    'cookie',
    'if-match',
    'if-none-match',
    'if-range',
    'origin',
    'referer',
    'tracestate',
    'x-amz-copy-source',
    'x-amz-security-token',
    'x-amz-server-side-encryption-customer-algorithm',
    'x-amz-server-side-encryption-customer-key',
    'x-amz-storage-class',
    'x-amz-tagging',
    'x-forwarded-for',
  ].map((name) => [name, undefined] as const),
])

function redactHeaders(rawHeaders: readonly string[]): Record<string, string | number> {
  const shown: Record<string, string | number> = {}
  let others = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase()
    const value = rawHeaders[i + 1] ?? ''
    if (name === 'user-agent') shown[name] = redactUserAgent(value)
    else if (SHOWN.has(name))
      shown[name] = SHOWN.get(name)?.test(value) === true ? value : 'REDACTED'
    else others++
  }
  // Names, too, are whatever a client makes them: user metadata, or a secret in the wrong place.
  return others === 0 ? shown : { ...shown, others }
}
