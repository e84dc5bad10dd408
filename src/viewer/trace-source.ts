import type { ServingProcess } from '../workers/workers.ts'
import type { GatewayView, TraceFilter } from './api-types.ts'
import type { Asked, NewsMarks, Question } from './questions.ts'
import { TracesBusy, type ThreadedTraces } from './threaded-traces.ts'

/** Traces of all workers, as JSON that the page is sent (`api-types.ts`). All throw TracesBusy. */
export interface TraceSource {
  size(): Promise<Pick<GatewayView, 'held' | 'workers'>>
  /** A `TraceList`. */
  list(filter: TraceFilter, limit: number, beforeMs: number | undefined): Promise<Asked>
  /** A `TraceList`, the slowest first. */
  slowest(filter: TraceFilter, limit: number): Promise<Asked>
  /** A `TraceNews`, and where to go on from. */
  news(filter: TraceFilter, limit: number, from: NewsMark): Promise<Asked>
  /** A `TraceAnswer`, by trace id or request id. */
  find(id: string): Promise<Asked>
  /** OTLP's JSON. */
  otlp(id: string): Promise<Asked>
  /** An `ActivityView`. */
  activity(slots: number, group: number): Promise<Asked>
}

export interface NewsMark {
  /** None asks for no traces, only for where to go on. */
  readonly marks: NewsMarks | undefined
  /** Of those before: how many were not passed on. */
  readonly missed: number
}

/** What the workers ask each other. */
const QUESTION = 'viewer'
/** Whoever is so busy is left out: the page is for now. */
const TIMEOUT_MS = 2000
/** One trace may be large, and is not left out. */
const FIND_TIMEOUT_MS = 15_000
/** A trace of 10,000 spans has some 10 MB as it is shown. */
const MAX_BYTES = 64 * 1024 * 1024
/** Requests of one trace id that are shown. */
const MAX_FOUND = 20

export function createTraceSource(own: ThreadedTraces, workers: ServingProcess): TraceSource {
  // Both ends are this program: question and answer are of one kind.
  workers.answer(QUESTION, async (question) => {
    try {
      return (await own.ask(question as Question)).body
    } catch (error) {
      // Whoever asks goes without: that is no fault.
      if (error instanceof TracesBusy) return undefined
      throw error
    }
  })

  const ask = async (question: Question, timeoutMs = TIMEOUT_MS): Promise<Asked> => {
    const bounds = { others: true, timeoutMs, maxBytes: MAX_BYTES }
    const { answers } = await workers.ask(QUESTION, question, bounds)
    const told = answers.map(({ value }) => value)
    return own.ask(
      question,
      told.filter((value) => value instanceof Uint8Array),
    )
  }

  return {
    async size() {
      const { body } = await ask({ kind: 'size' })
      const { workers, ...held } = JSON.parse(Buffer.from(body).toString()) as Sizes
      return { workers, held }
    },
    list: (filter, limit, beforeMs) => ask({ kind: 'list', filter, limit, beforeMs }),
    slowest: (filter, limit) => ask({ kind: 'slowest', filter, limit }),
    news: (filter, limit, from) => ask({ kind: 'news', filter, limit, ...from }),
    find: (id) => ask({ kind: 'find', id, limit: MAX_FOUND }, FIND_TIMEOUT_MS),
    otlp: (id) => ask({ kind: 'otlp', id, limit: MAX_FOUND }, FIND_TIMEOUT_MS),
    activity: (slots, group) => ask({ kind: 'activity', slots, group }),
  }
}

type Sizes = GatewayView['held'] & Pick<GatewayView, 'workers'>
