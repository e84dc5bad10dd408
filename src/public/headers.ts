import { formatTraceparent } from '../trace/context.ts'
import { contextHeaders, extractContext, type HeaderFields } from '../trace/propagation.ts'
import type { Span as Recorded } from '../trace/recorder.ts'
import type { Propagator } from '../trace/tracing-config.ts'
import type { HeadersLike, RemoteContext } from './types.ts'

/** Pairs of lower-case names and values; a name that occurs more than once has its values joined. */
export function headerEntries(headers: HeadersLike): [string, string][] {
  const entries =
    headers instanceof Headers || Array.isArray(headers)
      ? [...(headers as Iterable<readonly [string, string]>)]
      : Object.entries(headers)
  const joined = new Map<string, string>()
  for (const [name, value] of entries) {
    if (value === undefined) continue
    const key = name.toLowerCase()
    const text = typeof value === 'string' ? value : value.join(',')
    const before = joined.get(key)
    joined.set(key, before === undefined ? text : `${before},${text}`)
  }
  return [...joined]
}

/** The headers with those that carry `span` on. Baggage of somebody else's is not forwarded. */
export function injected(
  headers: HeadersLike,
  span: Recorded,
  correlation: string,
): Record<string, string> {
  return {
    ...Object.fromEntries(headerEntries(headers)),
    ...contextHeaders(span),
    'x-correlation-id': correlation,
  }
}

export function extracted(
  headers: HeadersLike,
  propagators: readonly Propagator[],
): RemoteContext | undefined {
  const found = new Map(headerEntries(headers))
  const caller = extractContext(Object.fromEntries(found), propagators)
  const correlationId = correlationOf(found)
  if (caller === undefined && correlationId === undefined) return undefined
  return {
    ...(caller === undefined
      ? {}
      : {
          traceparent: formatTraceparent(caller.traceId, caller.spanId, caller.sampled !== false),
        }),
    ...(caller?.traceState === undefined ? {} : { tracestate: caller.traceState }),
    ...(correlationId === undefined ? {} : { correlationId }),
  }
}

/** What `extracted` found, in the form of each propagator that may be asked for. */
export function callerHeaders({ traceparent, tracestate }: RemoteContext = {}): HeaderFields {
  if (traceparent === undefined) return {}
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-')
  const sampled = flags.slice(1)
  return {
    traceparent,
    tracestate,
    b3: `${traceId}-${spanId}-${sampled}`,
    'x-b3-traceid': traceId,
    'x-b3-spanid': spanId,
    'x-b3-sampled': sampled,
    'uber-trace-id': `${traceId}:${spanId}:0:${sampled}`,
    'x-amzn-trace-id': `Root=1-${traceId.slice(0, 8)}-${traceId.slice(8)};Parent=${spanId};Sampled=${sampled}`,
  }
}

/** It comes from outside and goes into headers and logs. */
const CORRELATION = /^[\w.:/+=-]{1,128}$/

function correlationOf(headers: ReadonlyMap<string, string>): string | undefined {
  const text = headers.get('x-correlation-id') ?? headers.get('x-request-id')
  return text !== undefined && CORRELATION.test(text) ? text : undefined
}
