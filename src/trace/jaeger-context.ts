import type { RemoteParent } from './recorder.ts'

/** `uber-trace-id` of Jaeger's own clients: https://www.jaegertracing.io/docs/1.76/client-libraries/#propagation-format */
const UBER = /^([0-9a-f]{1,32}):([0-9a-f]{1,16}):[0-9a-f]{1,16}:([0-9a-f]{1,2})$/i

/** Ids may have lost the zeros before them. Bit 1 of the flags says sampled, bit 2 debug. */
export function parseUberTraceId(header: string | undefined): RemoteParent | undefined {
  if (header === undefined) return undefined
  const text = header.includes('%') ? header.replaceAll(/%3a/gi, ':') : header
  const [, trace, span, flags] = UBER.exec(text.trim()) ?? []
  if (trace === undefined || span === undefined || flags === undefined) return undefined
  const traceId = trace.toLowerCase().padStart(32, '0')
  const spanId = span.toLowerCase().padStart(16, '0')
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  const sampled = (Number.parseInt(flags, 16) & 3) !== 0
  return { traceId, spanId, sampled, traceState: undefined }
}

export function formatUberTraceId(traceId: string, spanId: string, sampled: boolean): string {
  return `${traceId}:${spanId}:0:${sampled ? '1' : '0'}`
}
