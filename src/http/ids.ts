import { randomBytes } from 'node:crypto'
import type { Recorder } from '../trace/recorder.ts'

/** What fills up the host id: the same for all answers of one process. 42 bytes are 56 characters of base64, no padding. */
const HOST = randomBytes(42).toString('base64')

/**
 * X-Amz-Request-Id: 16 characters of A–Z and 0–9. It is the id of the root span in capitals, so that who has an error
 * document can find its trace.
 */
export function requestId(recorder: Recorder): string {
  return recorder.root.spanId.toUpperCase()
}

/** X-Amz-Id-2: 88 characters of base64 whose first 24 bytes are the trace id and the id of the root span. */
export function hostId(recorder: Recorder): string {
  return Buffer.from(recorder.traceId + recorder.root.spanId, 'hex').toString('base64') + HOST
}
