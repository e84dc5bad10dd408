import { bytesFields, numberField } from './protobuf-fields.ts'

/**
 * ExportTraceServiceResponse.partial_success.rejected_spans, or 0: an answer may be a success and say all the same that
 * spans were thrown away (https://opentelemetry.io/docs/specs/otlp/#partial-success-1).
 */
export function readRejectedSpans(response: Uint8Array): number {
  const [partialSuccess] = bytesFields(response, 1)
  return partialSuccess === undefined ? 0 : numberField(partialSuccess, 1)
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
