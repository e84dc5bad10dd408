import type { Anchor } from './clock.ts'
import { wordAt } from './ids.ts'
import type { SpanKind } from './recorder.ts'

/**
 * Fields of opentelemetry.proto.trace.v1.Span, and how some of them begin on the wire:
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 */

/** Field number × 8 + wire type. */
export const TAG = {
  traceState: 0x1a,
  name: 0x2a,
  startTime: 0x39,
  endTime: 0x41,
  attribute: 0x4a,
  event: 0x5a,
  eventTime: 0x09,
  eventName: 0x12,
  eventAttribute: 0x1a,
  link: 0x6a,
  linkTraceId: 0x0a,
  linkSpanId: 0x12,
  linkTraceState: 0x1a,
  linkAttribute: 0x22,
  linkFlags: 0x35,
  droppedAttributes: 0x50,
  droppedEvents: 0x60,
  droppedLinks: 0x70,
  status: 0x7a,
  statusMessage: 0x12,
  statusCode: 0x18,
} as const

/** Tag and length of the ids, tag and value of the kinds, the two-byte tag of field 16. */
export const TRACE_ID_HEAD = 0x0a10
export const SPAN_ID_HEAD = 0x1208
export const PARENT_ID_HEAD = 0x2208
export const KIND = {
  internal: 0x3001,
  server: 0x3002,
  client: 0x3003,
  producer: 0x3004,
  consumer: 0x3005,
} as const satisfies Record<SpanKind, number>
const FLAGS_TAG = 0x8501

/** ScopeSpans.spans. */
export const SCOPE_SPANS_SPAN = 0x12

/** SpanFlags: the low byte is W3C's trace flags, bits 8 and 9 say whether the parent is remote. */
export const FLAG = { sampled: 0x01, hasIsRemote: 0x100, isRemote: 0x200 } as const

/** Nanoseconds since 1970, added up in two halves because they do not fit in a double. */
export function writeTime(view: DataView, at: number, ns: number, anchor: Anchor): void {
  const low = anchor.unixLow + Math.round(ns - anchor.monotonicNs)
  const carry = Math.floor(low / 0x1_0000_0000)
  view.setUint32(at, low - carry * 0x1_0000_0000, true)
  view.setUint32(at + 4, anchor.unixHigh + carry, true)
}

/** The words of the trace whose spans are being written. */
const traceWords = new Int32Array(4)
let traceText = ''

/** The 16 bytes of a trace id, which the spans of a trace have in common. */
export function writeTraceId(view: DataView, at: number, traceId: string): void {
  if (traceId !== traceText) {
    traceText = traceId
    for (let i = 0; i < 4; i++) traceWords[i] = wordAt(traceId, i * 8)
  }
  for (let i = 0; i < 4; i++) view.setInt32(at + i * 4, traceWords[i] ?? 0)
}

/** Fields 6, 7, 8 and 16, one behind the other, and where in them the times go (`writeTime`). */
export const FIXED = { bytes: 26, startTime: 3, endTime: 12 } as const

/** Kind and flags, and the tags of the times between them. */
export function writeFixed(view: DataView, at: number, kind: number, flags: number): void {
  view.setUint16(at, kind)
  view.setUint8(at + FIXED.startTime - 1, TAG.startTime)
  view.setUint8(at + FIXED.endTime - 1, TAG.endTime)
  view.setUint16(at + 20, FLAGS_TAG)
  view.setUint32(at + 22, flags, true)
}
