import type { RemoteParent } from './recorder.ts'

/** The fields of the long form: https://github.com/openzipkin/b3-propagation#multiple-headers */
export interface B3Fields {
  readonly traceId: string | undefined
  readonly spanId: string | undefined
  /** `1` or `0`, and `true` or `false` of older clients; absent leaves it to the receiver. */
  readonly sampled: string | undefined
  /** `1` asks for debugging, which includes sampling. */
  readonly flags: string | undefined
}

const TRACE_ID = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/
const SPAN_ID = /^[0-9a-f]{16}$/
const SINGLE = /^([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/

/** The one header: https://github.com/openzipkin/b3-propagation#single-header. A decision alone carries no trace. */
export function parseB3(header: string | undefined): RemoteParent | undefined {
  const [, traceId, spanId, state] = SINGLE.exec(header?.trim() ?? '') ?? []
  return remote(traceId, spanId, state === undefined ? undefined : state !== '0')
}

export function parseB3Multi({
  traceId,
  spanId,
  sampled,
  flags,
}: B3Fields): RemoteParent | undefined {
  if (traceId === undefined || !TRACE_ID.test(traceId)) return undefined
  if (spanId === undefined || !SPAN_ID.test(spanId)) return undefined
  const state = sampled?.toLowerCase()
  const isWanted = flags === '1' || state === '1' || state === 'true'
  const isUnwanted = state === '0' || state === 'false'
  return remote(traceId, spanId, isWanted ? true : isUnwanted ? false : undefined)
}

/** Ids of 64 bits become ours with zeros before them. */
function remote(
  traceId: string | undefined,
  spanId: string | undefined,
  sampled: boolean | undefined,
): RemoteParent | undefined {
  if (traceId === undefined || spanId === undefined) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId: traceId.padStart(32, '0'), spanId, sampled, traceState: undefined }
}
