import { setTimeout as sleep } from 'node:timers/promises'
import type { Answers, Workers } from '../workers/workers.ts'
import { counter, gauge, type Family } from './family.ts'
import { labelled, lasting, sumFamilies } from './sum.ts'

/** The question that workers answer with a `WorkerMetrics`. */
export const METRICS_QUESTION = 'metrics'

export interface WorkerMetrics {
  /** Another one than before: the process has been replaced, and counts from zero. */
  readonly instance: string
  readonly families: readonly Family[]
}

export interface CollectorOptions {
  readonly workers: Workers
  /** Of the process that collects, where it is none of the workers. */
  readonly own: () => readonly Family[]
  readonly restarts: () => number
  readonly version: string
}

/** A scrape does not wait longer for a worker; its counters are then those of the last scrape. */
const TIMEOUT_MS = 2000
const MAX_BYTES = 4 * 1024 * 1024

/** Whoever scrapes in a loop takes no more than a few percent of the process that hands out connections. */
const INTERVAL_MS = 50

/**
 * Gathers the metrics of all workers and adds them up. Counters never fall: what a worker had counted when it was last
 * asked still counts when it is gone, since to Prometheus a counter that falls is one that began anew.
 */
export class Collector {
  readonly #options: CollectorOptions
  readonly #last = new Map<number, WorkerMetrics>()
  #departed: readonly Family[] = []
  /** Not before this workers are asked again. */
  #nextMs = 0
  #collecting: Promise<readonly Family[]> | undefined

  constructor(options: CollectorOptions) {
    this.#options = options
  }

  /** Scrapes that come together are one. */
  collect(): Promise<readonly Family[]> {
    this.#collecting ??= this.#collectSoon().finally(() => (this.#collecting = undefined))
    return this.#collecting
  }

  async #collectSoon(): Promise<readonly Family[]> {
    const waitMs = this.#nextMs - performance.now()
    if (waitMs > 0) await sleep(waitMs)
    this.#nextMs = performance.now() + INTERVAL_MS
    return this.#collect()
  }

  async #collect(): Promise<readonly Family[]> {
    const { workers, own, restarts, version } = this.#options
    const bounds = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES }
    const answers = await workers.ask(METRICS_QUESTION, undefined, bounds)
    const current = answers.answers.map(({ worker, value }) => {
      const metrics = value as WorkerMetrics
      this.#remember(worker, metrics)
      return labelled(metrics.families, String(worker))
    })
    const absent = answers.silent.map(({ worker }) =>
      lasting(this.#last.get(worker)?.families ?? []),
    )
    return sumFamilies([
      [buildInfo(version), ...workerFamilies(answers, restarts())],
      ...current,
      ...absent,
      this.#departed,
      labelled(own(), 'primary'),
    ])
  }

  #remember(worker: number, metrics: WorkerMetrics): void {
    const last = this.#last.get(worker)
    if (last !== undefined && last.instance !== metrics.instance)
      this.#departed = sumFamilies([this.#departed, lasting(last.families)])
    this.#last.set(worker, metrics)
  }
}

function buildInfo(version: string): Family {
  const help = 'What this gateway is: always 1.'
  return { ...gauge('versitygw_build_info', help, 1), series: [{ labels: { version }, value: 1 }] }
}

function workerFamilies({ answers, silent }: Answers, restarts: number): readonly Family[] {
  return [
    gauge('versitygw_workers', 'Processes that are to serve.', answers.length + silent.length),
    gauge('versitygw_workers_silent', 'Of them, those that did not answer.', silent.length),
    counter(
      'versitygw_worker_restarts_total',
      'Workers started in place of others that ended.',
      restarts,
    ),
  ]
}
