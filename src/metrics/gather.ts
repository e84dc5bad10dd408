import type { ConnectionCounts } from '../http/connections.ts'
import type { Io } from '../io/io.ts'
import type { Health } from '../trace/health.ts'
import type { SinkStats } from '../trace/sink.ts'
import type { TracingStats } from '../trace/tracing.ts'
import { counter, gauge, type Family, type Series } from './family.ts'

/** A service's own counts. */
export interface ServiceCounts {
  readonly listener: 's3' | 'admin'
  readonly inFlight: number
  readonly connections: ConnectionCounts
  /** Heads that could not be parsed. */
  readonly malformed: number
  /** Lines of the access log that were not written, since nobody took them. */
  readonly droppedLines: number
}

/** What one process knows of itself beside its requests. */
export interface MetricSources {
  readonly io: Io
  readonly tracing: { stats(): TracingStats }
  readonly health: readonly Health[]
  readonly reports: { readonly lost: number } | undefined
  readonly services: () => readonly ServiceCounts[]
}

export function gatherMetrics({
  io,
  tracing,
  health,
  reports,
  services,
}: MetricSources): readonly Family[] {
  return [
    ...serviceFamilies(services()),
    ...poolFamilies(io),
    ...tracingFamilies(tracing.stats()),
    counter(
      'versitygw_error_reports_lost_total',
      'Errors that were not reported to Sentry: too many, or nobody took them.',
      reports?.lost ?? 0,
    ),
    ...healthFamilies(health),
  ]
}

function serviceFamilies(services: readonly ServiceCounts[]): readonly Family[] {
  const each = (read: (counts: ServiceCounts) => number): readonly Series[] =>
    services.map((counts) => ({ labels: { listener: counts.listener }, value: read(counts) }))
  return [
    {
      name: 'versitygw_requests_in_flight',
      type: 'gauge',
      help: 'Requests that are being served.',
      series: each(({ inFlight }) => inFlight),
    },
    {
      name: 'versitygw_connections',
      type: 'gauge',
      help: 'Open connections of clients.',
      series: each(({ connections }) => connections.open),
    },
    {
      name: 'versitygw_connections_accepted_total',
      type: 'counter',
      help: 'Connections of clients since the start.',
      series: each(({ connections }) => connections.accepted),
    },
    {
      name: 'versitygw_connections_refused_total',
      type: 'counter',
      help: 'Connections closed at once because too many were open.',
      series: each(({ connections }) => connections.refused),
    },
    {
      name: 'versitygw_malformed_requests_total',
      type: 'counter',
      help: 'Heads of requests that could not be parsed.',
      series: each(({ malformed }) => malformed),
    },
    {
      name: 'versitygw_access_log_dropped_lines_total',
      type: 'counter',
      help: 'Lines of the access log that nobody took in time.',
      series: each(({ droppedLines }) => droppedLines),
    },
  ]
}

function poolFamilies(io: Io): readonly Family[] {
  const { threads, queued, running, sending, jobs, wakes, queueWait } = io.stats()
  return [
    gauge('versitygw_io_threads', 'Threads that run system calls.', threads),
    gauge('versitygw_io_jobs_queued', 'Jobs that wait for a thread.', queued),
    gauge('versitygw_io_jobs_running', 'Jobs that have a thread.', running),
    gauge('versitygw_io_files_sending', 'Files on their way to sockets.', sending),
    counter('versitygw_io_jobs_total', 'Jobs begun.', jobs),
    counter('versitygw_io_wakes_total', 'Threads woken.', wakes),
    {
      name: 'versitygw_io_queue_wait_seconds',
      type: 'histogram',
      help: 'From the hand-over of a job to the I/O pool to its first system call.',
      series: [
        {
          labels: {},
          value: {
            bounds: queueWait.bounds,
            counts: [...queueWait.counts],
            sum: queueWait.sum,
          },
        },
      ],
    },
  ]
}

function tracingFamilies(stats: TracingStats): readonly Family[] {
  // What the viewer holds has not gone anywhere.
  const exporters = stats.byExporter.filter(({ exporter }) => exporter !== 'viewer')
  const byExporter = (name: string, help: string, fate: keyof SinkStats): Family => ({
    name: `versitygw_spans_${name}`,
    type: name.endsWith('_total') ? 'counter' : 'gauge',
    help,
    series: exporters.map((one) => ({ labels: { exporter: one.exporter }, value: one[fate] })),
  })
  return [
    {
      name: 'versitygw_traces_kept_total',
      type: 'counter',
      help: 'Traces that were exported or held for the viewer, by why.',
      series: Object.entries(stats.keptFor).map(([reason, value]) => ({
        labels: { reason },
        value,
      })),
    },
    counter('versitygw_traces_sampled_out_total', 'Traces that were not kept.', stats.sampledOut),
    byExporter('exported_total', 'Spans that left for a receiver which took them.', 'exported'),
    byExporter('queued', 'Spans that wait for an export or its answer.', 'queued'),
    {
      name: 'versitygw_spans_queue_ratio',
      type: 'gauge',
      help: 'How full the queue is: at 1 what comes is dropped.',
      perWorker: true,
      series: exporters.flatMap(({ exporter, fullness }) =>
        fullness === undefined ? [] : [{ labels: { exporter }, value: fullness }],
      ),
    },
    byExporter('dropped_total', 'Spans never sent because too many waited.', 'dropped'),
    byExporter('failed_total', 'Spans whose export failed.', 'failed'),
    byExporter('rejected_total', 'Spans that a receiver answered it would not take.', 'rejected'),
    counter(
      'versitygw_spans_late_total',
      'Spans that ended after their trace was decided about.',
      stats.late,
    ),
  ]
}

function healthFamilies(health: readonly Health[]): readonly Family[] {
  return [
    {
      name: 'versitygw_up',
      type: 'gauge',
      help: 'Whether what the gateway depends on answered when it was last asked: 1 or 0.',
      perWorker: true,
      series: health.map(({ target, isUp }) => ({ labels: { target }, value: isUp ? 1 : 0 })),
    },
    {
      name: 'versitygw_health_changes_total',
      type: 'counter',
      help: 'How often that changed, by what it became.',
      series: health.flatMap(({ target, changes }) => [
        { labels: { target, to: 'up' }, value: changes.up },
        { labels: { target, to: 'down' }, value: changes.down },
      ]),
    },
  ]
}
