import type { RemoteParent } from './recorder.ts'

/** The two headers of W3C Trace Context, as node:http hands them out (repeated ones joined by commas). */
export interface TraceHeaders {
  readonly traceparent?: string | undefined
  readonly tracestate?: string | undefined
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const ZERO_TRACE = '0'.repeat(32)
const ZERO_SPAN = '0'.repeat(16)

/**
 * Who called us, or undefined where there is no traceparent or a malformed one: then a new trace starts and tracestate
 * must be ignored (https://www.w3.org/TR/trace-context/#a-traceparent-is-received).
 */
export function parseTraceContext({
  traceparent,
  tracestate,
}: TraceHeaders): RemoteParent | undefined {
  if (traceparent === undefined) return undefined
  const match = TRACEPARENT.exec(traceparent.trim())
  if (match === null) return undefined
  const [, version, traceId = ZERO_TRACE, spanId = ZERO_SPAN, flags = '00', more] = match
  // Version ff is invalid; version 00 has four fields, later ones may have more (section 3.2.4, versioning).
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined
  if (traceId === ZERO_TRACE || spanId === ZERO_SPAN) return undefined
  return {
    traceId,
    spanId,
    sampled: (Number.parseInt(flags, 16) & 1) === 1,
    traceState: tracestate === undefined ? undefined : parseTraceState(tracestate),
  }
}

/** `traceparent` for a request that we send: always version 00, only the sampled flag. */
export function formatTraceparent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}

/**
 * We must hand on at least 512 characters and may drop what is longer; we do, since it would be repeated in every span.
 * Members are at most 32, keys unique: https://www.w3.org/TR/trace-context/#tracestate-header-field-values
 */
const MAX_TRACESTATE = 512
const MAX_MEMBERS = 32
const KEY =
  /^(?:[a-z0-9][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/** The list with its white space taken out, or undefined where it breaks the grammar, is empty or too long. */
function parseTraceState(text: string): string | undefined {
  const members = text
    .split(',')
    .flatMap((member) => member.replaceAll(/^[ \t]+|[ \t]+$/g, '') || [])
  if (members.length === 0 || members.length > MAX_MEMBERS) return undefined
  const keys = new Set<string>()
  for (const member of members) {
    const equals = member.indexOf('=')
    const key = member.slice(0, equals)
    if (equals < 0 || !KEY.test(key) || !VALUE.test(member.slice(equals + 1)) || keys.has(key))
      return undefined
    keys.add(key)
  }
  const state = members.join(',')
  return state.length > MAX_TRACESTATE ? undefined : state
}
