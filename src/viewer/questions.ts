import type { TraceFilter } from './api-types.ts'

/** What processes are asked about their traces. */
export type Question =
  | { readonly kind: 'size' }
  | {
      readonly kind: 'list'
      readonly filter: TraceFilter
      readonly limit: number
      /** Only traces that ended before: Unix time, milliseconds. */
      readonly beforeMs?: number | undefined
    }
  | { readonly kind: 'slowest'; readonly filter: TraceFilter; readonly limit: number }
  | {
      readonly kind: 'news'
      readonly filter: TraceFilter
      readonly limit: number
      /** How far each worker has been read; undefined asks for no traces, only for where to go on. */
      readonly marks?: NewsMarks | undefined
      /** Traces that whoever asks was not given before. */
      readonly missed: number
    }
  | { readonly kind: 'find'; readonly id: string; readonly limit: number }
  | { readonly kind: 'otlp'; readonly id: string; readonly limit: number }
  | { readonly kind: 'activity'; readonly slots: number; readonly group: number }

/** How far each worker has been read, by its number. */
export type NewsMarks = Readonly<Record<number, number>>

/** An answer as the page is sent it. */
export interface Asked {
  /** JSON. */
  readonly body: Uint8Array<ArrayBuffer>
  /** Of traces in it. */
  readonly count: number
  /** Of news: where to go on. */
  readonly marks?: NewsMarks | undefined
}
