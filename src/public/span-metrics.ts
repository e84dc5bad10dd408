import type { Span } from '../trace/recorder.ts'
import type { TracingStats } from '../trace/tracing.ts'

/** Upper bounds of the histogram, in seconds: those of OpenTelemetry's http.server.request.duration. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/** Names beyond this many are counted together: somebody may put ids in them. */
const MAX_NAMES = 200
const OTHER = 'other'

interface Series {
  readonly buckets: number[]
  sumSeconds: number
  ok: number
  failed: number
}

/** Counts and times spans by name. */
export class SpanMetrics {
  readonly #series = new Map<string, Series>()

  add({ name, startNs, endNs, failure }: Span): void {
    const series = this.#of(name)
    const seconds = (endNs - startNs) / 1e9
    const place = BOUNDS.findIndex((bound) => seconds <= bound)
    const index = place < 0 ? BOUNDS.length : place
    series.buckets[index] = (series.buckets[index] ?? 0) + 1
    series.sumSeconds += seconds
    if (failure === undefined) series.ok++
    else series.failed++
  }

  /** https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
  text(stats: TracingStats): string {
    const lines = [
      '# HELP tracing_spans_total Spans that have ended, by name and outcome.',
      '# TYPE tracing_spans_total counter',
    ]
    for (const [name, { ok, failed }] of this.#series) {
      lines.push(`tracing_spans_total{span=${quoted(name)},outcome="ok"} ${ok}`)
      lines.push(`tracing_spans_total{span=${quoted(name)},outcome="failed"} ${failed}`)
    }
    lines.push(
      '# HELP tracing_span_duration_seconds How long spans took, by name.',
      '# TYPE tracing_span_duration_seconds histogram',
    )
    for (const [name, series] of this.#series) lines.push(...histogram(name, series))
    for (const [fate, count] of fates(stats)) {
      lines.push(
        `# HELP tracing_${fate}_total ${HELP[fate]}`,
        `# TYPE tracing_${fate}_total counter`,
        `tracing_${fate}_total ${count}`,
      )
    }
    return `${lines.join('\n')}\n`
  }

  #of(name: string): Series {
    const known = this.#series.get(name)
    if (known !== undefined) return known
    if (this.#series.size >= MAX_NAMES && name !== OTHER) return this.#of(OTHER)
    const series = {
      buckets: Array.from({ length: BOUNDS.length + 1 }, () => 0),
      sumSeconds: 0,
      ok: 0,
      failed: 0,
    }
    this.#series.set(name, series)
    return series
  }
}

function histogram(name: string, { buckets, sumSeconds, ok, failed }: Series): string[] {
  const label = `span=${quoted(name)}`
  let below = 0
  const lines = BOUNDS.map((bound, index) => {
    below += buckets[index] ?? 0
    return `tracing_span_duration_seconds_bucket{${label},le="${bound}"} ${below}`
  })
  return [
    ...lines,
    `tracing_span_duration_seconds_bucket{${label},le="+Inf"} ${ok + failed}`,
    `tracing_span_duration_seconds_sum{${label}} ${sumSeconds}`,
    `tracing_span_duration_seconds_count{${label}} ${ok + failed}`,
  ]
}

const HELP = {
  traces_kept: 'Traces that were kept.',
  traces_sampled_out: 'Traces that were not sampled.',
  spans_exported: 'Spans that an exporter has taken.',
  spans_dropped: 'Spans that were never sent, for too many waited.',
  spans_failed: 'Spans whose export failed or was refused.',
} as const

function fates(stats: TracingStats): readonly (readonly [keyof typeof HELP, number])[] {
  return [
    ['traces_kept', stats.kept],
    ['traces_sampled_out', stats.sampledOut],
    ['spans_exported', stats.exported],
    ['spans_dropped', stats.dropped],
    ['spans_failed', stats.failed + stats.rejected],
  ]
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
