import type {
  ActivityView,
  TraceAnswer,
  TraceFilter,
  TraceList,
  TraceNews,
  TraceView,
} from './api-types.ts'
import { LATENCY_BOUNDS_MS } from '../trace/activity.ts'
import { gatherActivity, gatherLists, gatherNews } from './gathered.ts'
import type { LocalTraces } from './local-traces.ts'

/** Traces of all workers. */
export interface TraceSource {
  size(): Promise<{ readonly traces: number; readonly bytes: number; readonly workers: number }>
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

/** Requests of one trace id that are shown. */
const MAX_FOUND = 20

/** A gateway of one process. */
export function ownTraces(local: LocalTraces): TraceSource {
  return {
    size: async () => ({ ...local.size(), workers: 1 }),
    list: async (filter, limit, beforeMs) =>
      gatherLists([local.list({ kind: 'list', filter, limit, beforeMs })], limit),
    slowest: async (filter, limit) => ({
      traces: local.slowest({ kind: 'slowest', filter, limit }),
    }),
    news: async (filter, limit, from) => {
      const answer = local.news({ kind: 'news', filter, limit, after: from?.get(1) })
      return { ...gatherNews([answer], limit), mark: new Map([[1, answer.last]]) }
    },
    find: async (id) => ({
      traces: newestFirst(local.find({ kind: 'find', id, limit: MAX_FOUND })),
    }),
    otlp: async (id) => local.otlp({ kind: 'otlp', id, limit: MAX_FOUND }),
    activity: async (slots, group) => ({
      ...gatherActivity([local.activity({ kind: 'activity', slots })], group),
      latencyBoundsMs: LATENCY_BOUNDS_MS,
    }),
  }
}

function newestFirst(traces: readonly TraceView[]): readonly TraceView[] {
  return traces.toSorted((a, b) => b.startMs - a.startMs).slice(0, MAX_FOUND)
}
