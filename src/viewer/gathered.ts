import {
  LATENCY_BOUNDS_MS,
  SLOT_MS,
  type ActivityReport,
  type OperationActivity,
} from '../trace/activity-slots.ts'
import type { ActivityView, TraceAnswer, TraceList, TraceRow, TraceView } from './api-types.ts'
import { endOf, type ListAnswer, type LocalTraces, type NewsAnswer } from './local-traces.ts'
import type { Asked, NewsMarks, Question } from './questions.ts'

/** What one process said, as it goes to another: JSON of this. */
interface Told {
  readonly worker: number
  readonly value: unknown
}

/** Asks `local`; with what the `others` said, makes one answer of all. */
export function gather(
  question: Question,
  { local, worker }: { readonly local: LocalTraces; readonly worker: number },
  others: readonly Uint8Array[] | undefined,
): Asked {
  // Each question names its answerer.
  const own: Told = { worker, value: local[question.kind](question as never) }
  if (others === undefined) return { body: encode(own), count: 0 }
  const told = [own, ...others.map(decode)]
  const values = told.map(({ value }) => value)
  if (question.kind === 'news') return gatherNews(told, question)
  if (question.kind === 'list') return traces(gatherLists(values as ListAnswer[], question.limit))
  if (question.kind === 'slowest')
    return traces(gatherSlowest(values as TraceRow[][], question.limit))
  if (question.kind === 'find') return traces(gatherFound(values as TraceView[][], question.limit))
  if (question.kind === 'otlp') {
    const resourceSpans = (values as object[][]).flat()
    return { body: encode({ resourceSpans }), count: resourceSpans.length }
  }
  if (question.kind === 'size')
    return { body: encode({ ...sumOf(values as Size[]), workers: told.length }), count: 0 }
  const view: ActivityView = {
    ...gatherActivity(values as ActivityReport[], question.group),
    latencyBoundsMs: LATENCY_BOUNDS_MS,
  }
  return { body: encode(view), count: 0 }
}

const UTF8 = new TextEncoder()
const FROM_UTF8 = new TextDecoder()

function encode(value: unknown): Uint8Array<ArrayBuffer> {
  return UTF8.encode(JSON.stringify(value))
}

/** Both ends are this program. */
function decode(bytes: Uint8Array): Told {
  return JSON.parse(FROM_UTF8.decode(bytes)) as Told
}

function traces(answer: TraceList | TraceAnswer): Asked {
  return { body: encode(answer), count: answer.traces.length }
}

type Size = ReturnType<LocalTraces['size']>

function sumOf(sizes: readonly Size[]): Size {
  const sum = (key: keyof Size): number => sizes.reduce((total, size) => total + size[key], 0)
  return { traces: sum('traces'), bytes: sum('bytes'), thinned: sum('thinned') }
}

function gatherSlowest(answers: readonly (readonly TraceRow[])[], limit: number): TraceList {
  const rows = answers.flat().sort((a, b) => b.durationMs - a.durationMs)
  return { traces: rows.slice(0, limit) }
}

function gatherFound(answers: readonly (readonly TraceView[])[], limit: number): TraceAnswer {
  const found = answers.flat().sort((a, b) => b.startMs - a.startMs)
  return { traces: found.slice(0, limit) }
}

/** Makes one list of those of several workers. What one of them has not searched to the end ends the list. */
function gatherLists(answers: readonly ListAnswer[], limit: number): TraceList {
  const stopped = Math.max(...answers.map(({ stoppedMs }) => stoppedMs ?? Number.NEGATIVE_INFINITY))
  const all = answers
    .flatMap(({ rows }) => rows)
    .filter(({ endMs }) => endMs >= stopped)
    .sort((a, b) => b.endMs - a.endMs)
  const traces = all.slice(0, limit)
  const next = all.length > limit ? traces.at(-1)?.endMs : stopped
  return {
    traces: traces.map(({ row }) => row),
    ...(next === undefined || next === Number.NEGATIVE_INFINITY ? {} : { next: String(next) }),
  }
}

function gatherNews(
  told: readonly Told[],
  { limit, marks, missed }: Extract<Question, { kind: 'news' }>,
): Asked {
  const answers = told.map(({ value }) => value as NewsAnswer)
  const all = answers.flatMap(({ rows }) => rows).sort((a, b) => endOf(a) - endOf(b))
  const skipped =
    answers.reduce((sum, answer) => sum + answer.skipped, missed) + Math.max(0, all.length - limit)
  // A worker that has said nothing this time is read on from where it was.
  const next: NewsMarks = {
    ...marks,
    ...Object.fromEntries(told.map(({ worker }, i) => [worker, answers[i]?.last ?? 0])),
  }
  const news = { traces: all.slice(-limit), skipped }
  return { body: encode(news), count: news.traces.length + skipped, marks: next }
}

/** Adds up the workers' hours, and `group` slots to one. */
function gatherActivity(reports: readonly ActivityReport[], group: number): ActivityReport {
  const slots = Math.max(...reports.map((report) => report.slots))
  const startMs = Math.max(...reports.map((report) => report.startMs))
  const grouped = Math.ceil(slots / group)
  const operations = new Map<string, Sums>()
  for (const report of reports) {
    // Two workers may have been asked in different slots.
    const shift = (report.startMs - startMs) / SLOT_MS
    for (const activity of report.operations) {
      const sums = operations.get(activity.operation) ?? new Sums(grouped)
      operations.set(activity.operation, sums)
      for (let slot = 0; slot < report.slots; slot++)
        sums.add(activity, slot, Math.floor((slot + shift) / group))
    }
  }
  return {
    startMs,
    slotMs: SLOT_MS * group,
    slots: grouped,
    operations: [...operations]
      .map(([operation, sums]) => ({ operation, ...sums.report() }))
      .sort((a, b) => a.operation.localeCompare(b.operation)),
  }
}

const COLUMNS = [
  'requests',
  'clientErrors',
  'serverErrors',
  'durationMs',
  'longestMs',
  'queueMs',
  'bytesIn',
  'bytesOut',
] as const

class Sums {
  readonly #columns: ReadonlyMap<(typeof COLUMNS)[number], number[]>
  readonly #latency: Map<number, number>[]

  constructor(slots: number) {
    const zeros = (): number[] => Array.from({ length: slots }, () => 0)
    this.#columns = new Map(COLUMNS.map((name) => [name, zeros()]))
    this.#latency = Array.from({ length: slots }, () => new Map<number, number>())
  }

  add(activity: OperationActivity, from: number, to: number): void {
    const latency = this.#latency[to]
    if (latency === undefined) return
    for (const [name, column] of this.#columns) {
      const value = activity[name][from] ?? 0
      const sum = column[to] ?? 0
      column[to] = name === 'longestMs' ? Math.max(sum, value) : sum + value
    }
    const pairs = activity.latency[from] ?? []
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const bin = pairs[i] ?? 0
      latency.set(bin, (latency.get(bin) ?? 0) + (pairs[i + 1] ?? 0))
    }
  }

  report(): Omit<OperationActivity, 'operation'> {
    const column = (name: (typeof COLUMNS)[number]): readonly number[] =>
      this.#columns.get(name) ?? []
    return {
      requests: column('requests'),
      clientErrors: column('clientErrors'),
      serverErrors: column('serverErrors'),
      durationMs: column('durationMs'),
      longestMs: column('longestMs'),
      queueMs: column('queueMs'),
      bytesIn: column('bytesIn'),
      bytesOut: column('bytesOut'),
      latency: this.#latency.map((bins) =>
        [...bins].sort(([a], [b]) => a - b).flatMap(([bin, count]) => [bin, count]),
      ),
    }
  }
}
