import { readActivity, type ActivityReport, type OperationSlots } from '../trace/activity-slots.ts'
import { RING } from '../trace/trace-batch.ts'
import type { RecentTrace } from '../trace/trace-ring.ts'
import type { TraceStore } from '../trace/trace-store.ts'
import type { GatewayView, TraceRow, TraceView } from './api-types.ts'
import { resourceSpans } from './otlp-json.ts'
import type { Question } from './questions.ts'
import { hasId, matches, mayMatch, needsRow } from './trace-filter.ts'
import { traceRow } from './trace-row.ts'
import { traceView, type Surroundings } from './trace-view.ts'

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
  /** The sequence of the last trace that was looked at. */
  readonly last: number
}

/** What one process knows of its traces: the answers to `Question`, in what JSON can hold. */
export interface LocalTraces {
  size(): GatewayView['held']
  list(question: Of<'list'>): ListAnswer
  /** The slowest first. */
  slowest(question: Of<'slowest'>): readonly TraceRow[]
  news(question: Of<'news'>): NewsAnswer
  find(question: Of<'find'>): readonly TraceView[]
  /** OTLP's ResourceSpans. */
  otlp(question: Of<'otlp'>): readonly object[]
  activity(question: Of<'activity'>): ActivityReport
}

type Of<K extends Question['kind']> = Extract<Question, { kind: K }>

/** In one answer; a trace has some hundred thousand at most. */
const MAX_SPANS = 150_000

export interface Held {
  readonly store: TraceStore
  readonly operations: ReadonlyMap<string, OperationSlots>
  readonly thinned: number
}

export function createLocalTraces(
  { store, operations, thinned }: Held,
  surroundings: Surroundings,
): LocalTraces {
  return {
    size: () => ({ ...store.size, thinned }),
    list: (question) => listNewest(store, question),
    slowest: (question) => listSlowest(store, question),
    news: (question) => listNews(store, question, surroundings.worker),
    find: ({ id, limit }) =>
      found(store, id, limit).map((trace) => traceView(trace, store.spansOf(trace), surroundings)),
    otlp: ({ id, limit }) =>
      found(store, id, limit).map((trace) =>
        resourceSpans(store.spansOf(trace), surroundings.resource),
      ),
    activity: ({ slots }) => readActivity(operations, slots),
  }
}

function found(store: TraceStore, id: string, limit: number): RecentTrace[] {
  const traces: RecentTrace[] = []
  let spans = 0
  store.visit((trace) => {
    if (!hasId(trace, id)) return true
    spans += trace.spans
    if (traces.length === 0 || spans <= MAX_SPANS) traces.push(trace)
    return traces.length < limit && spans < MAX_SPANS
  })
  return traces
}

function listNewest(store: TraceStore, { filter, limit, beforeMs }: Of<'list'>): ListAnswer {
  const rows: ListedRow[] = []
  let stoppedMs: number | undefined
  store.visit((trace) => {
    if (beforeMs !== undefined && trace.endMs >= beforeMs) return true
    if (!mayMatch(trace, filter)) return true
    const row = traceRow(trace)
    if (matches(row, filter)) rows.push({ endMs: trace.endMs, row })
    if (rows.length < limit) return true
    stoppedMs = trace.endMs
    return false
  })
  return { rows, stoppedMs }
}

function listSlowest(store: TraceStore, { filter, limit }: Of<'slowest'>): TraceRow[] {
  const candidates: RecentTrace[] = []
  store.visit((trace) => {
    if (mayMatch(trace, filter)) candidates.push(trace)
    return true
  })
  candidates.sort((a, b) => b.durationMs - a.durationMs)
  const rows: TraceRow[] = []
  for (const trace of candidates) {
    const row = traceRow(trace)
    if (matches(row, filter)) rows.push(row)
    if (rows.length >= limit) break
  }
  return rows
}

/** Where more came than are wanted, what failed or was slow goes before the rest, and of each the newest. */
function listNews(
  store: TraceStore,
  { filter, limit, marks }: Of<'news'>,
  worker: number,
): NewsAnswer {
  const last = store.sequence
  if (marks === undefined) return { rows: [], skipped: 0, last }
  // One that has been started anew counts from the beginning, and is read from there.
  const mark = marks[worker] ?? 0
  const after = mark > last ? 0 : mark
  const remarkable: TraceRow[] = []
  const plain: TraceRow[] = []
  let skipped = 0
  store.visit((trace, ring) => {
    if (trace.sequence <= after) return false
    if (!mayMatch(trace, filter)) return true
    const rows = ring === RING.plain ? plain : remarkable
    if (rows.length >= limit && !needsRow(filter)) {
      skipped++
      return true
    }
    const row = traceRow(trace)
    if (!matches(row, filter)) return true
    if (rows.length < limit) rows.push(row)
    else skipped++
    return true
  })
  const room = limit - remarkable.length
  const rows = [...remarkable, ...plain.slice(0, room)].sort((a, b) => endOf(a) - endOf(b))
  return { rows, skipped: skipped + Math.max(0, plain.length - room), last }
}

/** Unix time, milliseconds. */
export function endOf({ startMs, durationMs }: TraceRow): number {
  return startMs + durationMs
}
