import type { Recorder, Span } from './recorder.ts'

/** Where kept records go. Nothing here may wait for anybody, and all of it is bounded. */
export interface Sink {
  /** What it is called in metrics. */
  readonly exporter: 'otlp' | 'zipkin' | 'file' | 'console' | 'viewer'
  /** Takes a settled record, or drops it. `level`: how deep it goes (see `span-kinds.ts`). */
  add(recorder: Recorder, level: number): void
  /** Takes a span that ended after its trace was kept. */
  addLate(span: Span, level: number): void
  /** Resolves when all that was taken has left or is lost. */
  flush(): Promise<void>
  /** Flushes for at most so long, then stops. */
  close(limitMs: number): Promise<void>
  stats(): SinkStats
  /** How full its queue is, from 0 to 1: at 1 what comes is dropped. Without it there is none. */
  fullness?(): number
}

/** Spans by fate. */
export interface SinkStats {
  readonly exported: number
  /** Waiting or on their way. */
  readonly queued: number
  /** Never sent: so many waited that no more were taken. */
  readonly dropped: number
  /** Sent without success. */
  readonly failed: number
  /** Refused by a receiver that answered. */
  readonly rejected: number
}

const NOTHING: SinkStats = { exported: 0, queued: 0, dropped: 0, failed: 0, rejected: 0 }

export function sumOfStats(all: readonly SinkStats[]): SinkStats {
  return all.reduce(
    (sum, one) => ({
      exported: sum.exported + one.exported,
      queued: sum.queued + one.queued,
      dropped: sum.dropped + one.dropped,
      failed: sum.failed + one.failed,
      rejected: sum.rejected + one.rejected,
    }),
    NOTHING,
  )
}
