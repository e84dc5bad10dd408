/**
 * Metrics at one moment, as plain data that can go from a worker to whoever renders them. Names and labels are those of
 * docs/metrics.md; labels have values of closed sets only: never a bucket, a key, an access key or an address.
 */
export interface Family {
  readonly name: string
  /** A counter's name ends in `_total`. */
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** Each worker's own: rendered with a label `worker` rather than summed. */
  readonly perWorker?: boolean
  readonly series: readonly Series[]
}

export interface Series {
  readonly labels: Labels
  readonly value: number | HistogramValue
}

export type Labels = Readonly<Record<string, string>>

/** As `Histogram` counts: buckets are not cumulative, the last one has no bound. */
export interface HistogramValue {
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
  /** By bucket: a request that fell into it, whose trace was kept. */
  readonly exemplars?: readonly (Exemplar | undefined)[]
}

export interface Exemplar {
  readonly traceId: string
  readonly spanId: string
  readonly value: number
  readonly unixMs: number
}

export const gauge = (name: string, help: string, value: number): Family => ({
  name,
  type: 'gauge',
  help,
  series: [{ labels: {}, value }],
})

export const counter = (name: string, help: string, value: number): Family => ({
  ...gauge(name, help, value),
  type: 'counter',
})
