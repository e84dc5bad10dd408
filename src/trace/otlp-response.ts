/**
 * ExportTraceServiceResponse.partial_success.rejected_spans, or 0: an answer may be a success and say all the same that
 * spans were thrown away (https://opentelemetry.io/docs/specs/otlp/#partial-success-1).
 */
export function readRejectedSpans(response: Uint8Array): number {
  const partialSuccess = find(response, 1)
  return partialSuccess instanceof Uint8Array ? Number(find(partialSuccess, 1) ?? 0) : 0
}

/** The first field of this number: a varint as number, a nested message as bytes. Anything malformed is absent. */
function find(message: Uint8Array, wanted: number): number | Uint8Array | undefined {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++] ?? 0
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const wireType = tag & 7
    const value = wireType === 0 ? varint() : undefined
    const length = wireType === 0 ? 0 : wireType === 2 ? varint() : wireType === 1 ? 8 : 4
    const content = message.subarray(at, at + length)
    at += length
    if (tag >>> 3 === wanted) return value ?? content
  }
  return undefined
}

/** The same of an answer in JSON; one that is no such document rejects nothing. */
export function readRejectedSpansOfJson(response: Uint8Array): number {
  try {
    const answer: unknown = JSON.parse(Buffer.from(response).toString())
    const rejected = Number(property(property(answer, 'partialSuccess'), 'rejectedSpans'))
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0
  } catch {
    return 0
  }
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
