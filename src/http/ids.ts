import { randomBytes } from 'node:crypto'
import type { Recorder } from '../trace/recorder.ts'

/** What fills up the host id: the same for all answers of one process. 30 bytes are 40 characters of base64, no padding. */
const HOST = randomBytes(30).toString('base64')

/** X-Amz-Id-2: 88 characters of base64's alphabet, of which the first 48 are the trace id and the id of the root span. */
export function hostId(recorder: Recorder): string {
  return recorder.traceId + recorder.root.spanId + HOST
}
