import { bytesFields, numberField } from './protobuf-fields.ts'

/** https://grpc.io/docs/guides/status-codes/ */
export const UNAVAILABLE = 14
const RESOURCE_EXHAUSTED = 8

/**
 * CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE and DATA_LOSS may be over the next time; any other
 * failure must not be tried again: https://opentelemetry.io/docs/specs/otlp/#failures
 */
const TRANSIENT: ReadonlySet<unknown> = new Set([1, 4, 10, 11, UNAVAILABLE, 15])

export function grpcCode(error: Error): unknown {
  return 'code' in error ? error.code : undefined
}

/**
 * How long the receiver asks to be left alone before it is sent the same spans again, in milliseconds: 0 where it does
 * not say. Undefined: it must not be sent them again.
 */
export function retryDelayMs(error: Error): number | undefined {
  const code = grpcCode(error)
  // Exhausted may mean a quota as well, which only RetryInfo tells from a moment's load.
  if (code === RESOURCE_EXHAUSTED) return readRetryInfo(error)
  return TRANSIENT.has(code) ? (readRetryInfo(error) ?? 0) : undefined
}

/** Carries the encoded google.rpc.Status: https://grpc.io/docs/guides/error/#richer-error-model */
const STATUS_HEADER = 'grpc-status-details-bin'

/** google.rpc.RetryInfo.retry_delay, where the answer's google.rpc.Status.details have one. */
function readRetryInfo(error: Error): number | undefined {
  for (const status of headerValues(error))
    for (const detail of bytesFields(status, 3)) {
      const [typeUrl = EMPTY] = bytesFields(detail, 1)
      if (!Buffer.from(typeUrl).toString().endsWith('/google.rpc.RetryInfo')) continue
      const [retryInfo = EMPTY] = bytesFields(detail, 2)
      const [duration = EMPTY] = bytesFields(retryInfo, 1)
      return numberField(duration, 1) * 1000 + numberField(duration, 2) / 1e6
    }
  return undefined
}

const EMPTY = new Uint8Array()

/** grpc-js hands a binary header over as buffers. */
function headerValues(error: Error): readonly Uint8Array[] {
  if (!('metadata' in error)) return []
  const { metadata } = error as { readonly metadata: { get(name: string): unknown[] } }
  return metadata.get(STATUS_HEADER).filter((value) => value instanceof Uint8Array)
}
