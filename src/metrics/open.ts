import type { Listener } from '../http/listener.ts'
import type { HttpServers } from '../http/server.ts'
import { GATEWAY_VERSION } from '../version.ts'
import type { Workers } from '../workers/workers.ts'
import { Collector } from './collector.ts'
import type { Family } from './family.ts'
import { createMetricsListener } from './listener.ts'

export interface MetricsOptions {
  readonly listeners: readonly Listener[]
  readonly socketMode: number | undefined
  readonly workers: Workers
  /** Of this process, where it is none of the workers. */
  readonly own?: () => readonly Family[]
  readonly restarts?: () => number
  readonly onFault: (error: unknown) => void
}

/** The listeners of the metrics: one process of the gateway has them, for all. */
export function openMetrics(options: MetricsOptions): HttpServers {
  const { listeners, socketMode, workers, onFault } = options
  const own = options.own ?? (() => [])
  const restarts = options.restarts ?? (() => 0)
  const collector = new Collector({ workers, own, restarts, version: GATEWAY_VERSION })
  const collect = (): Promise<readonly Family[]> => collector.collect()
  return createMetricsListener({ listeners, socketMode, collect, onFault })
}
