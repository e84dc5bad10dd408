import { parseB3, parseB3Multi } from './b3.ts'
import { formatTraceparent, parseTraceContext } from './context.ts'
import { formatUberTraceId, parseUberTraceId } from './jaeger-context.ts'
import type { RemoteParent, Span } from './recorder.ts'
import type { Propagator } from './tracing-config.ts'
import { formatXray, parseXray } from './xray-context.ts'

/** Header fields as node:http hands them out. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>

/** Who called us, by the first of the propagators that finds a context. */
export function extractContext(
  headers: HeaderFields,
  propagators: readonly Propagator[],
): RemoteParent | undefined {
  for (const propagator of propagators) {
    const found = EXTRACT[propagator](headers)
    if (found !== undefined) return found
  }
  return undefined
}

const EXTRACT: Readonly<Record<Propagator, (headers: HeaderFields) => RemoteParent | undefined>> = {
  tracecontext: (headers) => {
    const traceparent = one(headers['traceparent'])
    // Most requests have none.
    if (traceparent === undefined) return undefined
    return parseTraceContext({ traceparent, tracestate: one(headers['tracestate']) })
  },
  b3: (headers) => parseB3(one(headers['b3'])),
  b3multi: (headers) =>
    parseB3Multi({
      traceId: one(headers['x-b3-traceid']),
      spanId: one(headers['x-b3-spanid']),
      sampled: one(headers['x-b3-sampled']),
      flags: one(headers['x-b3-flags']),
    }),
  jaeger: (headers) => parseUberTraceId(one(headers['uber-trace-id'])),
  xray: (headers) => parseXray(one(headers['x-amzn-trace-id'])),
}

function one(field: string | readonly string[] | undefined): string | undefined {
  return typeof field === 'string' ? field : undefined
}

/**
 * Headers for a request of our own that is made under `span`, for whoever answers it to continue the trace. Add them
 * after signing: proxies may change them. Baggage is not handed on, the caller's tracestate is.
 */
export function contextHeaders(span: Span): Readonly<Record<string, string>> {
  const { recorder, spanId } = span
  const { traceId, parent, sampling } = recorder
  const headers: Record<string, string> = {}
  if (sampling === undefined || sampling.propagators.length === 0) return headers
  const sampled = sampling.isSampledSoFar(recorder)
  for (const propagator of sampling.propagators) {
    switch (propagator) {
      case 'tracecontext':
        headers['traceparent'] = formatTraceparent(traceId, spanId, sampled)
        if (parent?.traceState !== undefined) headers['tracestate'] = parent.traceState
        break
      case 'b3':
        headers['b3'] = `${traceId}-${spanId}-${sampled ? '1' : '0'}`
        break
      case 'b3multi':
        headers['x-b3-traceid'] = traceId
        headers['x-b3-spanid'] = spanId
        headers['x-b3-sampled'] = sampled ? '1' : '0'
        break
      case 'jaeger':
        headers['uber-trace-id'] = formatUberTraceId(traceId, spanId, sampled)
        break
      case 'xray':
        headers['x-amzn-trace-id'] = formatXray(traceId, spanId, sampled)
        break
    }
  }
  return headers
}
