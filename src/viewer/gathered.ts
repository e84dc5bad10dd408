import { SLOT_MS, type ActivityReport, type OperationActivity } from '../trace/activity.ts'
import type { ListAnswer, NewsAnswer } from './local-traces.ts'
import type { TraceList, TraceNews } from './api-types.ts'

/** Makes one list of those of several workers. What one of them has not searched to the end ends the list. */
export function gatherLists(answers: readonly ListAnswer[], limit: number): TraceList {
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

export function gatherNews(answers: readonly NewsAnswer[], limit: number): TraceNews {
  const all = answers.flatMap(({ rows }) => rows)
  all.sort((a, b) => a.startMs + a.durationMs - b.startMs - b.durationMs)
  const skipped = answers.reduce((sum, answer) => sum + answer.skipped, 0)
  return { traces: all.slice(-limit), skipped: skipped + Math.max(0, all.length - limit) }
}

/** Adds up the workers' hours, and `group` slots to one. */
export function gatherActivity(reports: readonly ActivityReport[], group: number): ActivityReport {
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
