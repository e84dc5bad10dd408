import { LATENCY_BOUNDS_MS, type ActivityReport } from '../trace/activity.ts'
import type { RecentTraces } from '../trace/recent.ts'
import type { ServingProcess } from '../workers/workers.ts'
import type {
  ActivityView,
  TraceAnswer,
  TraceFilter,
  TraceList,
  TraceNews,
  TraceRow,
  TraceView,
} from './api-types.ts'
import { gatherActivity, gatherLists, gatherNews } from './gathered.ts'
import type { ListAnswer, LocalTraces, NewsAnswer, Question } from './local-traces.ts'

/** Traces of all workers. */
export interface TraceSource {
  size(): Promise<RecentTraces['size'] & { readonly workers: number }>
  list(filter: TraceFilter, limit: number, beforeMs: number | undefined): Promise<TraceList>
  /** The slowest first. */
  slowest(filter: TraceFilter, limit: number): Promise<TraceList>
  /** Where to go on from: pass it to the next call. Without one there is no news yet. */
  news(filter: TraceFilter, limit: number, from: NewsMark | undefined): Promise<News>
  /** By trace id or request id. */
  find(id: string): Promise<TraceAnswer>
  otlp(id: string): Promise<readonly object[]>
  activity(slots: number, group: number): Promise<ActivityView>
}

export interface News extends TraceNews {
  readonly mark: NewsMark
}

/** How far each worker has been read, by its number. */
export type NewsMark = ReadonlyMap<number, number>

/** What the workers ask each other. */
const QUESTION = 'viewer'
/** Whoever is so busy is left out: the page is for now. */
const TIMEOUT_MS = 1500
/** A trace of 10,000 spans has some 10 MB as it is shown. */
const MAX_BYTES = 32 * 1024 * 1024
/** Requests of one trace id that are shown. */
const MAX_FOUND = 20

export function createTraceSource(local: LocalTraces, workers: ServingProcess): TraceSource {
  // Both ends are this program: question and answer are of one kind.
  workers.answer(QUESTION, (question) => answer(local, question as Question))

  const askAll = async <T>(question: Question): Promise<readonly Told<T>[]> => {
    const others = workers.ask(QUESTION, question, {
      others: true,
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
    })
    const own = { worker: workers.number, value: answer(local, question) as T }
    const { answers } = await others
    return [own, ...answers.map(({ worker, value }) => ({ worker, value: value as T }))]
  }
  const values = async <T>(question: Question): Promise<readonly T[]> =>
    (await askAll<T>(question)).map(({ value }) => value)

  return {
    async size() {
      const sizes = await values<ReturnType<LocalTraces['size']>>({ kind: 'size' })
      return { ...sumOf(sizes), workers: sizes.length }
    },
    list: async (filter, limit, beforeMs) =>
      gatherLists(await values<ListAnswer>({ kind: 'list', filter, limit, beforeMs }), limit),
    async slowest(filter, limit) {
      const rows = await values<readonly TraceRow[]>({ kind: 'slowest', filter, limit })
      return {
        traces: rows
          .flat()
          .sort((a, b) => b.durationMs - a.durationMs)
          .slice(0, limit),
      }
    },
    async news(filter, limit, from) {
      const marks = from === undefined ? undefined : Object.fromEntries(from)
      const told = await askAll<NewsAnswer>({ kind: 'news', filter, limit, marks })
      // A worker that has said nothing this time is read on from where it was.
      const mark = new Map([...(from ?? []), ...told.map(lastOf)])
      return {
        ...gatherNews(
          told.map(({ value }) => value),
          limit,
        ),
        mark,
      }
    },
    async find(id) {
      const found = await values<readonly TraceView[]>({ kind: 'find', id, limit: MAX_FOUND })
      const traces = found.flat().sort((a, b) => b.startMs - a.startMs)
      return { traces: traces.slice(0, MAX_FOUND) }
    },
    otlp: async (id) =>
      (await values<readonly object[]>({ kind: 'otlp', id, limit: MAX_FOUND })).flat(),
    activity: async (slots, group) => ({
      ...gatherActivity(await values<ActivityReport>({ kind: 'activity', slots }), group),
      latencyBoundsMs: LATENCY_BOUNDS_MS,
    }),
  }
}

type Size = RecentTraces['size']

function sumOf(sizes: readonly Size[]): Size {
  const sum = (key: keyof Size): number => sizes.reduce((total, size) => total + size[key], 0)
  return { traces: sum('traces'), bytes: sum('bytes'), thinned: sum('thinned') }
}

interface Told<T> {
  readonly worker: number
  readonly value: T
}

function lastOf({ worker, value }: Told<NewsAnswer>): readonly [number, number] {
  return [worker, value.last]
}

function answer(local: LocalTraces, question: Question): unknown {
  return local[question.kind](question as never)
}
