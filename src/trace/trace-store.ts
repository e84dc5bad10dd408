import { readName, readSpans, type StoredSpan } from './otlp-reader.ts'
import { HEAD_BYTES, readHead } from './trace-batch.ts'
import { TraceRing, type RecentTrace } from './trace-ring.ts'

export interface StoreOptions {
  /** Of all traces together, as they are encoded. */
  readonly maxBytes: number
  /** Of each of the three kinds. */
  readonly maxTraces: number
}

/** The share of the memory that what failed, what was slow and the rest have, in the order of `RING`. */
const SHARES = [0.25, 0.25, 0.5]

/** The most bytes of one trace that a store of `maxBytes` takes. */
export function largestTrace(maxBytes: number): number {
  return Math.floor((maxBytes * Math.min(...SHARES)) / 2)
}

/** Traces as `recent.ts` handed them over, each kind in a ring of its own. */
export class TraceStore {
  readonly #rings: readonly TraceRing[]
  #sequence = 0

  constructor({ maxBytes, maxTraces }: StoreOptions) {
    this.#rings = SHARES.map((share) => new TraceRing(Math.floor(maxBytes * share), maxTraces))
  }

  take(batch: Uint8Array): void {
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength)
    for (let at = 0; at + HEAD_BYTES <= batch.length;) {
      const head = readHead(view, at)
      const start = at + HEAD_BYTES
      const bytes = batch.subarray(start, start + head.length)
      const operation = readName(bytes)
      this.#rings[head.ring]?.add(bytes, { sequence: ++this.#sequence, operation, head, view, at })
      at = start + head.length
    }
  }

  /**
   * From the newest to the oldest, until `visit` says false. `ring` is one of `RING`. Entries are valid until the next batch
   * is taken.
   */
  visit(visit: (trace: RecentTrace, ring: number) => boolean): void {
    const cursors = this.#rings.map((ring) => ring.newest())
    for (;;) {
      let at = -1
      for (const [i, trace] of cursors.entries())
        if (trace !== undefined && trace.sequence > (cursors[at]?.sequence ?? -1)) at = i
      const newest = cursors[at]
      if (newest === undefined) return
      if (!newest.isLate && !visit(newest, at)) return
      cursors[at] = this.#rings[at]?.before(newest)
    }
  }

  /** All spans of one request, with those that ended after it; in the order in which they began. */
  spansOf(trace: RecentTrace): StoredSpan[] {
    const spans = readSpans(trace.bytes)
    const late: StoredSpan[][] = []
    for (const ring of this.#rings) {
      let other = ring.newest()
      for (; other !== undefined && other.sequence > trace.sequence; other = ring.before(other))
        if (other.isLate && isSame(other, trace)) late.push(readSpans(other.bytes))
    }
    return [...spans, ...late.flat()]
  }

  /** How many traces have been taken so far. */
  get sequence(): number {
    return this.#sequence
  }

  /** What is held. */
  get size(): { readonly traces: number; readonly bytes: number } {
    let traces = 0
    let bytes = 0
    for (const ring of this.#rings) {
      traces += ring.count
      bytes += ring.bytes
    }
    return { traces, bytes }
  }
}

function isSame(one: RecentTrace, other: RecentTrace): boolean {
  return one.requestId === other.requestId && one.traceId === other.traceId
}
