import { Histogram } from '../trace/histogram.ts'
import type { Recorder } from '../trace/recorder.ts'
import type { Exemplar, Family, Labels, Series } from './family.ts'

/** What is counted of an operation; only its names are looked at. */
export interface CountedOperation {
  readonly api: 'S3' | 'Admin'
  readonly name: string
}

/** How a request ended. */
export interface RequestEnd {
  /** 0 where no answer was begun. */
  readonly status: number
  readonly errorCode: string | undefined
  /** Of bodies, as they were on the wire. */
  readonly bytesIn: number
  readonly bytesOut: number
}

/** Seconds: from a read out of memory to a large object over a slow line. */
const DURATION_BOUNDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
]

const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

/** S3 errors are a closed set; the bound is for whoever changes that. */
const MAX_ERROR_CODES = 256
const OTHER = 'other'

/** A bucket's exemplar is replaced when it is this old: often enough to be of the last minutes, seldom enough to cost nothing. */
const EXEMPLAR_NS = 1e9

const UNROUTED: CountedOperation = { api: 'S3', name: 'Unknown' }

/** Counts requests when they are over: a few array accesses each, and nothing is allocated but now and then an exemplar. */
export class RequestMetrics {
  readonly #operations = new Map<CountedOperation, OperationMetrics>()
  readonly #errors = new Map<string, number>()

  add(operation: CountedOperation | undefined, recorder: Recorder, end: RequestEnd): void {
    const counted = operation ?? UNROUTED
    let metrics = this.#operations.get(counted)
    if (metrics === undefined) {
      metrics = new OperationMetrics(counted)
      this.#operations.set(counted, metrics)
    }
    metrics.add(recorder, end)
    if (end.errorCode !== undefined) this.#countError(end.errorCode)
  }

  read(): readonly Family[] {
    const all = [...this.#operations.values()]
    return [
      {
        name: 'versitygw_requests_total',
        type: 'counter',
        help: 'Requests that are over, by operation and class of their status.',
        series: all.flatMap((one) => one.requests()),
      },
      {
        name: 'versitygw_request_duration_seconds',
        type: 'histogram',
        help: 'From the parsed head of a request to the last byte of its answer.',
        series: all.flatMap((one) => one.durations()),
      },
      {
        name: 'versitygw_request_errors_total',
        type: 'counter',
        help: 'Requests answered with an error, by its S3 code.',
        series: [...this.#errors].map(([error, value]) => ({ labels: { error }, value })),
      },
      {
        name: 'versitygw_request_body_bytes_total',
        type: 'counter',
        help: 'Bytes read of bodies of requests, by operation.',
        series: all.map(({ labels, bytesIn }) => ({ labels, value: bytesIn })),
      },
      {
        name: 'versitygw_response_body_bytes_total',
        type: 'counter',
        help: 'Bytes sent of bodies of answers, by operation.',
        series: all.map(({ labels, bytesOut }) => ({ labels, value: bytesOut })),
      },
    ]
  }

  #countError(code: string): void {
    const known = this.#errors.get(code)
    if (known !== undefined) this.#errors.set(code, known + 1)
    else if (this.#errors.size < MAX_ERROR_CODES) this.#errors.set(code, 1)
    else this.#errors.set(OTHER, (this.#errors.get(OTHER) ?? 0) + 1)
  }
}

class OperationMetrics {
  readonly labels: Labels
  bytesIn = 0
  bytesOut = 0
  /** By class of status. */
  readonly #durations: (Durations | undefined)[] = STATUS_CLASSES.map(() => undefined)

  constructor({ api, name }: CountedOperation) {
    this.labels = { api, operation: name }
  }

  add(recorder: Recorder, { status, bytesIn, bytesOut }: RequestEnd): void {
    this.bytesIn += bytesIn
    this.bytesOut += bytesOut
    const statusClass = Math.min(5, Math.trunc(status / 100))
    let durations = this.#durations[statusClass]
    if (durations === undefined) {
      durations = new Durations()
      this.#durations[statusClass] = durations
    }
    durations.add(recorder)
  }

  requests(): readonly Series[] {
    return this.#classes().map(({ labels, durations }) => ({
      labels,
      value: durations.histogram.counts.reduce((sum, count) => sum + count, 0),
    }))
  }

  durations(): readonly Series[] {
    return this.#classes().map(({ labels, durations: { histogram, exemplars } }) => ({
      labels,
      value: {
        bounds: histogram.bounds,
        counts: [...histogram.counts],
        sum: histogram.sum,
        exemplars: exemplars.map((exemplar) => exemplar && readExemplar(exemplar)),
      },
    }))
  }

  #classes(): { labels: Labels; durations: Durations }[] {
    return this.#durations.flatMap((durations, i) =>
      durations === undefined
        ? []
        : [{ labels: { ...this.labels, status: STATUS_CLASSES[i] ?? 'none' }, durations }],
    )
  }
}

class Durations {
  readonly histogram = new Histogram(DURATION_BOUNDS)
  readonly exemplars: (KeptRequest | undefined)[] = Array.from(
    { length: DURATION_BOUNDS.length + 1 },
    () => undefined,
  )

  /** Only a trace that was kept can be looked up. */
  add(recorder: Recorder): void {
    const { root } = recorder
    const seconds = (root.endNs - root.startNs) / 1e9
    const bucket = this.histogram.add(seconds)
    if (recorder.decision !== 'kept') return
    const known = this.exemplars[bucket]
    if (known !== undefined && root.endNs - known.endNs < EXEMPLAR_NS) return
    this.exemplars[bucket] = {
      traceId: recorder.traceId,
      spanId: root.spanId,
      seconds,
      endNs: root.endNs,
      unixMs: Date.now(),
    }
  }
}

interface KeptRequest {
  readonly traceId: string
  readonly spanId: string
  readonly seconds: number
  readonly endNs: number
  readonly unixMs: number
}

function readExemplar({ traceId, spanId, seconds, unixMs }: KeptRequest): Exemplar {
  return { traceId, spanId, value: seconds, unixMs }
}
