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
          query: request.rawQuery === '' ? undefined : redactQuery(request.rawQuery),
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

/** Headers whose values may be shown. What is not here is told by its name alone. */
const SHOWN: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'cache-control',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'date',
  'expect',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'traceparent',
  'transfer-encoding',
  'x-amz-acl',
  'x-amz-checksum-algorithm',
  'x-amz-checksum-mode',
  'x-amz-checksum-type',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-decoded-content-length',
  'x-amz-metadata-directive',
  'x-amz-object-ownership',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-storage-class',
  'x-amz-tagging-directive',
  'x-amz-trailer',
])

/** One header name is no secret, but somebody may have pasted one there. */
const HEADER_NAME = /^[a-z][a-z0-9-]{0,47}$/

function redactHeaders(rawHeaders: readonly string[]): Record<string, string> {
  const shown: Record<string, string> = {}
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase()
    const value = rawHeaders[i + 1] ?? ''
    if (name === 'user-agent') shown[name] = redactUserAgent(value)
    else if (SHOWN.has(name)) shown[name] = value
    else shown[nameOf(name)] = 'REDACTED'
  }
  return shown
}

/** User metadata is named by whoever wrote it. */
function nameOf(name: string): string {
  if (name.startsWith('x-amz-meta-')) return 'x-amz-meta-*'
  return HEADER_NAME.test(name) ? name : 'REDACTED'
}
