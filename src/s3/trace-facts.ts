import type { Call } from '../backend/backend.ts'
import type { AttributeValue } from '../trace/recorder.ts'

/** What an operation adds to its trace, by the names of the trace contract (3.1 and 3.3). */
type Fact =
  | 's3.content_length'
  | 's3.copy_source'
  | 's3.etag'
  | 's3.part_count'
  | 's3.part_number'
  | 's3.upload_id'
  | 's3.version_id'

const NOT_OF_THE_BACKEND: ReadonlySet<Fact> = new Set([
  's3.copy_source',
  's3.etag',
  's3.version_id',
])

/**
 * Puts a fact on the root span and on the backend's, wherever the contract wants it. Tell it as soon as it is known: the
 * trace of a failed request needs it most.
 */
export function tell(call: Call, fact: Fact, value: AttributeValue | undefined): void {
  const { span } = call
  if (!span.recording || value === undefined) return
  if (!NOT_OF_THE_BACKEND.has(fact)) span.set(fact, value)
  if (fact !== 's3.part_count') span.recorder.root.set(fact, value)
}
