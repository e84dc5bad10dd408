import { performance } from 'node:perf_hooks'
import type { ServingProcess } from '../workers/workers.ts'
import { METRICS_QUESTION, type WorkerMetrics } from './collector.ts'
import { gatherMetrics, type MetricSources } from './gather.ts'
import { ProcessMetrics } from './process-metrics.ts'
import type { RequestMetrics } from './request-metrics.ts'

/** Lets this process answer the collector. Gives back what ends it. */
export function measure(
  workers: ServingProcess,
  requests: RequestMetrics,
  sources: MetricSources,
): () => void {
  const own = new ProcessMetrics()
  const instance = `${process.pid} ${performance.timeOrigin}`
  workers.answer(METRICS_QUESTION, (): WorkerMetrics => {
    const families = [...requests.read(), ...gatherMetrics(sources), ...own.read()]
    return { instance, families }
  })
  return () => own.close()
}
