import type { ActivityReport, Activity } from '../trace/activity.ts'
import type { RecentTraces } from '../trace/recent.ts'
import type { RecentTrace } from '../trace/trace-ring.ts'
import type { TraceFilter, TraceRow, TraceView } from './api-types.ts'
import { resourceSpans } from './otlp-json.ts'
import { hasId, matches, mayMatch } from './trace-filter.ts'
import { traceRow } from './trace-row.ts'
import { traceView, type Surroundings } from './trace-view.ts'

/** What one process is asked about its traces; question and answer are plain JSON, for they may travel between workers. */
export type Question =
  | { readonly kind: 'size' }
  | {
      readonly kind: 'list'
      readonly filter: TraceFilter
      readonly limit: number
      /** Only traces that ended before: Unix time, milliseconds. */
      readonly beforeMs?: number | undefined
    }
  | {
      readonly kind: 'news'
      readonly filter: TraceFilter
      readonly limit: number
      /** How far each worker has been read; undefined asks for no traces, only for where to go on. */
      readonly marks?: Readonly<Record<number, number>> | undefined
    }
  | { readonly kind: 'slowest'; readonly filter: TraceFilter; readonly limit: number }
  | { readonly kind: 'find'; readonly id: string; readonly limit: number }
  | { readonly kind: 'otlp'; readonly id: string; readonly limit: number }
  | { readonly kind: 'activity'; readonly slots: number }

export interface ListAnswer {
  readonly rows: readonly ListedRow[]
  /** Where the search stopped before it had come to the end. */
  readonly stoppedMs?: number | undefined
}

export interface ListedRow {
  readonly endMs: number
  readonly row: TraceRow
}

export interface NewsAnswer {
  readonly rows: readonly TraceRow[]
  readonly skipped: number
  readonly last: number
}

export interface LocalTraces {
  size(): RecentTraces['size']
  list(question: Extract<Question, { kind: 'list' }>): ListAnswer
  /** The slowest first. */
  slowest(question: Extract<Question, { kind: 'slowest' }>): readonly TraceRow[]
  news(question: Extract<Question, { kind: 'news' }>): NewsAnswer
  find(question: Extract<Question, { kind: 'find' }>): readonly TraceView[]
  /** OTLP's ResourceSpans. */
  otlp(question: Extract<Question, { kind: 'otlp' }>): readonly object[]
  activity(question: Extract<Question, { kind: 'activity' }>): ActivityReport
}

/** Traces decoded for one question, at some microseconds each: requests are being served meanwhile. */
const MAX_DECODED = 2000

export function createLocalTraces(
  { recent, activity }: { readonly recent: RecentTraces; readonly activity: Activity },
  { worker, ...surroundings }: Surroundings & { readonly worker: number },
): LocalTraces {
  const found = (id: string, limit: number): RecentTrace[] => {
    const traces: RecentTrace[] = []
    recent.visit((trace) => {
      if (hasId(trace, id)) traces.push(trace)
      return traces.length < limit
    })
    return traces
  }
  return {
    size: () => recent.size,
    list: (question) => listNewest(recent, question),
    slowest: (question) => listSlowest(recent, question),
    news: (question) => listNews(recent, question, worker),
    find: ({ id, limit }) =>
      found(id, limit).map((trace) => traceView(trace, recent.spansOf(trace), surroundings)),
    otlp: ({ id, limit }) =>
      found(id, limit).map((trace) => resourceSpans(recent.spansOf(trace), surroundings.resource)),
    activity: ({ slots }) => activity.read(slots),
  }
}

function listNewest(
  recent: RecentTraces,
  { filter, limit, beforeMs }: Extract<Question, { kind: 'list' }>,
): ListAnswer {
  const rows: ListedRow[] = []
  let decoded = 0
  let stoppedMs: number | undefined
  recent.visit((trace) => {
    if (beforeMs !== undefined && trace.endMs >= beforeMs) return true
    if (!mayMatch(trace, filter)) return true
    const row = traceRow(trace)
    decoded++
    if (matches(row, filter)) rows.push({ endMs: trace.endMs, row })
    if (rows.length < limit && decoded < MAX_DECODED) return true
    stoppedMs = trace.endMs
    return false
  })
  return { rows, stoppedMs }
}

function listSlowest(
  recent: RecentTraces,
  { filter, limit }: Extract<Question, { kind: 'slowest' }>,
): TraceRow[] {
  const candidates: RecentTrace[] = []
  recent.visit((trace) => {
    if (mayMatch(trace, filter)) candidates.push(trace)
    return true
  })
  candidates.sort((a, b) => b.durationMs - a.durationMs)
  const rows: TraceRow[] = []
  for (const trace of candidates.slice(0, MAX_DECODED)) {
    const row = traceRow(trace)
    if (matches(row, filter)) rows.push(row)
    if (rows.length >= limit) break
  }
  return rows
}

function listNews(
  recent: RecentTraces,
  { filter, limit, marks }: Extract<Question, { kind: 'news' }>,
  worker: number,
): NewsAnswer {
  const rows: TraceRow[] = []
  const last = recent.sequence
  let skipped = 0
  if (marks === undefined) return { rows, skipped, last }
  // One that has been started anew counts from the beginning, and is read from there.
  const mark = marks[worker] ?? 0
  const after = mark > last ? 0 : mark
  let decoded = 0
  recent.visit((trace) => {
    if (trace.sequence <= after) return false
    if (!mayMatch(trace, filter)) return true
    if (rows.length >= limit || decoded >= MAX_DECODED) {
      skipped++
      return true
    }
    const row = traceRow(trace)
    decoded++
    if (matches(row, filter)) rows.push(row)
    return true
  })
  return { rows: rows.toReversed(), skipped, last }
}
