import type { Recorder, Span } from './recorder.ts'

/**
 * X-Amz-Request-Id: 16 characters of A–Z and 0–9. It is the id of the root span in capitals, so that who has an error
 * document can find its trace.
 */
export function requestId(recorder: Recorder): string {
  return recorder.rootIdInCapitals
}

/** What leads from a line of the log, or from an error report, to its request and its trace. */
export interface CorrelationIds {
  readonly trace_id: string
  readonly span_id: string
  readonly request_id: string
}

/** The ids of what happens under `span`. They exist whether or not it is recorded. */
export function correlationIds(span: Span): CorrelationIds {
  const { recorder } = span
  return { trace_id: recorder.traceId, span_id: span.spanId, request_id: requestId(recorder) }
}
