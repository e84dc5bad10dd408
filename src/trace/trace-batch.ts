/**
 * Kept traces on their way from the thread that serves requests to the one that holds them for the viewer: one block of
 * bytes, trace behind trace, each the spans as `otlp.ts` writes them behind a head of fixed length.
 */

/** Which ring a trace goes to; what failed and what was slow have rings of their own. */
export const RING = { failed: 0, slow: 1, plain: 2 } as const

/** What is known of a trace without decoding its spans. */
export interface TraceHead {
  readonly ring: number
  /** A span that came after its trace. */
  readonly isLate: boolean
  readonly status: number
  /** Spans it had, and of these those for which there was no room. */
  readonly spans: number
  readonly dropped: number
  /** Unix time, milliseconds. */
  readonly startMs: number
  readonly durationMs: number
  /** Bytes of the spans. */
  readonly length: number
}

/** Before a trace's ids: two words of four bytes each. */
const IDS_AT = 32
/** The trace id, and the root's span id. */
const ID_WORDS = 6
export const HEAD_BYTES = IDS_AT + ID_WORDS * 4

export function writeHead(view: DataView, at: number, head: TraceHead): void {
  view.setUint32(at, head.length, true)
  view.setUint8(at + 4, head.ring)
  view.setUint8(at + 5, head.isLate ? 1 : 0)
  view.setUint16(at + 6, head.status, true)
  view.setUint32(at + 8, head.spans, true)
  view.setUint32(at + 12, head.dropped, true)
  view.setFloat64(at + 16, head.startMs, true)
  view.setFloat64(at + 24, head.durationMs, true)
}

/** The ids of a head, word by word: four of the trace, two of the root. */
export function writeIdWord(view: DataView, at: number, index: number, word: number): void {
  view.setInt32(at + IDS_AT + index * 4, word, true)
}

export function readIdWord(view: DataView, at: number, index: number): number {
  return view.getInt32(at + IDS_AT + index * 4, true)
}

export function readHead(view: DataView, at: number): TraceHead {
  return {
    length: view.getUint32(at, true),
    ring: view.getUint8(at + 4),
    isLate: view.getUint8(at + 5) === 1,
    status: view.getUint16(at + 6, true),
    spans: view.getUint32(at + 8, true),
    dropped: view.getUint32(at + 12, true),
    startMs: view.getFloat64(at + 16, true),
    durationMs: view.getFloat64(at + 24, true),
  }
}
