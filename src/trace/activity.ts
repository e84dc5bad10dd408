import { OperationSlots, SLOT_MS } from './activity-slots.ts'
import type { Recorder } from './recorder.ts'

/**
 * What went on during the last hour, request by request but not one by one: counts by operation, by time and by latency, of
 * all requests, whether their traces were kept or not. Plain arrays that are written round and round.
 */
export interface Activity {
  /** By the root span's name: `S3.GetObject`. */
  readonly operations: ReadonlyMap<string, OperationSlots>
  /** Counts a request that is over. */
  add(recorder: Recorder, status: number): void
}

/** Operations are a closed set; the bound is for whoever changes that. */
const MAX_OPERATIONS = 256

/** `onOperation` is told of each operation when it is seen first. */
export function createActivity(
  onOperation: (name: string, slots: OperationSlots) => void,
): Activity {
  const operations = new Map<string, OperationSlots>()
  const addOperation = (name: string): OperationSlots | undefined => {
    if (operations.size >= MAX_OPERATIONS) return undefined
    const slots = new OperationSlots(name)
    operations.set(name, slots)
    onOperation(name, slots)
    return slots
  }
  return {
    operations,
    add(recorder, status) {
      const { name } = recorder.root
      const slots = operations.get(name) ?? addOperation(name)
      slots?.add(Math.floor(Date.now() / SLOT_MS), recorder, status)
    },
  }
}
