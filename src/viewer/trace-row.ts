import type { AttributeValue } from '../trace/recorder.ts'
import type { RecentTrace } from '../trace/trace-ring.ts'
import { readSpans, type StoredSpan } from '../trace/otlp-reader.ts'
import type { TraceRow } from './api-types.ts'

/** The root and, near the beginning, who was authenticated: all that a line of the list needs. */
const FIRST_SPANS = 3

export function traceRow(trace: RecentTrace): TraceRow {
  const spans = readSpans(trace.bytes, FIRST_SPANS)
  return rowOf(trace, spans)
}

export function rowOf(trace: RecentTrace, spans: readonly StoredSpan[]): TraceRow {
  const root = spans[0]?.attributes ?? {}
  const access = spans.find(({ name }) => name.startsWith('Auth.'))?.attributes['auth.access_key']
  return {
    traceId: trace.traceId,
    requestId: trace.requestId.toUpperCase(),
    startMs: trace.startMs,
    durationMs: trace.durationMs,
    operation: shortName(trace.operation),
    ...textOf('bucket', root['s3.bucket']),
    ...textOf('key', root['s3.key']),
    status: trace.status,
    ...textOf('error', root['error.type']),
    ...(typeof root['s3.content_length'] === 'number' ? { bytes: root['s3.content_length'] } : {}),
    ...textOf('access', access),
    reason: String(root['vgw.sampling.reason'] ?? ''),
    spans: trace.spans,
  }
}

/** `GetObject` of `S3.GetObject`; what is not S3's keeps its first word. */
export function shortName(rootSpan: string): string {
  return rootSpan.startsWith('S3.') ? rootSpan.slice(3) : rootSpan
}

function textOf<K extends string>(
  key: K,
  value: AttributeValue | undefined,
): { readonly [P in K]?: string } {
  // A computed key loses its type.
  return (value === undefined ? {} : { [key]: String(value) }) as { readonly [P in K]?: string }
}
