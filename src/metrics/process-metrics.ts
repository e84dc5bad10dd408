import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { Family, Labels } from './family.ts'

const RESOLUTION_MS = 20
/** Delays are those of the last window that is over. */
const WINDOW_MS = 10_000

/** What this process uses: memory, processor time, and how long its event loop lets things wait. */
export class ProcessMetrics {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  readonly #timer: NodeJS.Timeout
  #window = { p50: 0, p99: 0, max: 0 }

  constructor() {
    this.#delay.enable()
    this.#timer = setInterval(() => this.#turn(), WINDOW_MS).unref()
  }

  read(): readonly Family[] {
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
    const { user, system } = process.cpuUsage()
    const { active, idle } = performance.eventLoopUtilization()
    const { p50, p99, max } = this.#window
    return [
      own('process_cpu_seconds_total', 'counter', 'Processor time used.', [
        [{ mode: 'user' }, user / 1e6],
        [{ mode: 'system' }, system / 1e6],
      ]),
      own('process_resident_memory_bytes', 'gauge', 'Memory that is not swapped out.', [[{}, rss]]),
      own('process_start_time_seconds', 'gauge', 'When the process started, Unix time.', [
        [{}, Math.round(performance.timeOrigin) / 1000],
      ]),
      own('versitygw_heap_bytes', 'gauge', 'Memory of JavaScript.', [
        [{ kind: 'used' }, heapUsed],
        [{ kind: 'total' }, heapTotal],
        [{ kind: 'external' }, external],
      ]),
      own(
        'versitygw_event_loop_seconds_total',
        'counter',
        'Time the event loop was busy and idle.',
        [
          [{ state: 'active' }, active / 1e3],
          [{ state: 'idle' }, idle / 1e3],
        ],
      ),
      own(
        'versitygw_event_loop_delay_seconds',
        'gauge',
        'By how much timers were late in the last ten seconds.',
        [
          [{ stat: 'p50' }, p50],
          [{ stat: 'p99' }, p99],
          [{ stat: 'max' }, max],
        ],
      ),
    ]
  }

  close(): void {
    clearInterval(this.#timer)
    this.#delay.disable()
  }

  /** The monitor measures from one of its timers to the next, of which the resolution is meant. */
  #turn(): void {
    const late = (ns: number): number => Math.max(0, ns / 1e9 - RESOLUTION_MS / 1e3) || 0
    this.#window = {
      p50: late(this.#delay.percentile(50)),
      p99: late(this.#delay.percentile(99)),
      max: late(this.#delay.max),
    }
    this.#delay.reset()
  }
}

function own(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  values: readonly (readonly [Labels, number])[],
): Family {
  const series = values.map(([labels, value]) => ({ labels, value }))
  return { name, type, help, perWorker: true, series }
}
