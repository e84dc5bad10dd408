import type { Activity } from './activity.ts'
import { applyLimits, hasLimits, limitSpan } from './limits.ts'
import type { LoopLag } from './loop-lag.ts'
import { extractContext, type HeaderFields } from './propagation.ts'
import { Recorder, type Attributes, type SamplingSoFar, type Span } from './recorder.ts'
import type { TlsTexts } from './exporters.ts'
import type { RenewableTransport } from './renewable-transport.ts'
import { resourceAttributes } from './resource.ts'
import { decide, decideEarly, hasTailRule, isHeadSampled, type SamplingReason } from './sampling.ts'
import { addSyscallSpans, settle, syscallSpans } from './settle.ts'
import { sumOfStats, type Sink, type SinkStats } from './sink.ts'
import { createSinks, type SinkParts } from './sinks.ts'
import type { Outcome, ReadSyscalls, Semconv, TraceLog, TracingConfig } from './tracing-config.ts'

/** Tracing as the HTTP layer sees it: one recorder a request, handed back when the request is over. */
export interface Tracing {
  readonly enabled: boolean
  /** What identifies this process in its traces. */
  readonly resource: Attributes
  readonly semconv: Semconv
  /** The record of a request whose head has been parsed, continuing the caller's trace where there is one. */
  start(headers: HeaderFields, startNs: number): Recorder
  /**
   * Decides about the trace and sends it on. Call it once, when the answer has gone and the work for it has ended. Only
   * of a trace that is kept the describer is asked for what remains to be said of the root.
   */
  finish(recorder: Recorder, outcome: Outcome, describer?: RootDescriber): void
  stats(): TracingStats
  /** Certificates for OTLP from now on. */
  renewTls(tls: TlsTexts): void
  /** Sends what waits; resolves when it has left or is lost. */
  flush(): Promise<void>
  /** Flushes for a few seconds at most and stops. What has not left by then is lost. */
  close(): Promise<void>
}

/** Knows the attributes of a root that nothing but an exported trace needs. */
export interface RootDescriber {
  describeRoot(root: Span): void
}

export interface ExporterStats extends SinkStats, Pick<Sink, 'exporter'> {
  /** Of its queue, from 0 to 1; undefined where it has none. */
  readonly fullness: number | undefined
}

export interface TracingStats extends SinkStats {
  readonly byExporter: readonly ExporterStats[]
  /** Traces. */
  readonly kept: number
  /** The same by why they were kept. */
  readonly keptFor: Readonly<Record<SamplingReason, number>>
  readonly sampledOut: number
  /** Spans that ended after their trace was decided about. */
  readonly late: number
}

export interface TracingParts extends SinkParts {
  readonly readSyscalls: ReadSyscalls
  /** Counts every request, kept or not. */
  readonly activity?: Activity | undefined
  /** Tells of kept requests how long the event loop had no time for them. */
  readonly loopLag?: LoopLag | undefined
}

/** How long `close` waits for a receiver. */
const CLOSE_LIMIT_MS = 5000

export function createTracing(config: TracingConfig, parts: TracingParts): Tracing {
  const resource = resourceAttributes(config)
  const { activity } = parts
  const renewable: RenewableTransport[] = []
  const sinks = createSinks(config, resource, { ...parts, renewable })
  const recording = sinks.length > 0
  const isLimited = hasLimits(config.spanLimits)
  const keptFor: Record<SamplingReason, number> = { head: 0, error: 0, slow: 0 }
  let sampledOut = 0
  let late = 0

  const addLate = (span: Span): void => {
    late++
    const spans =
      config.depth === 'syscall' ? [span, ...syscallSpans(span, parts.readSyscalls)] : [span]
    for (const one of spans) {
      if (isLimited) limitSpan(one, config.spanLimits)
      give(sinks, parts.log, (sink) => sink.addLate(one, one.recorder.level))
    }
  }

  return {
    enabled: config.enabled,
    resource,
    semconv: config.semconv,
    start: starter(config, recording),
    finish(recorder, outcome, describer) {
      recorder.root.end()
      if (!recording || recorder.decision !== 'open') return
      activity?.add(recorder, outcome.status)
      const reason = recorder.recording ? decide(recorder, outcome, config) : undefined
      if (reason === undefined) {
        if (!recorder.recording) recorder.decide('dropped')
        sampledOut++
        return
      }
      keptFor[reason]++
      describer?.describeRoot(recorder.root)
      parts.loopLag?.describe(recorder.root)
      settle(recorder)
      if (config.depth === 'syscall') addSyscallSpans(recorder, parts.readSyscalls)
      if (isLimited) applyLimits(recorder, config.spanLimits)
      give(sinks, parts.log, (sink) => sink.add(recorder, recorder.level))
      recorder.late = addLate
    },
    stats: () => ({
      ...sumOfStats(sinks.map((sink) => sink.stats())),
      byExporter: sinks.map(statsOf),
      kept: keptFor.head + keptFor.error + keptFor.slow,
      keptFor: { ...keptFor },
      sampledOut,
      late,
    }),
    renewTls: (tls) => renewAll(renewable, tls),
    flush: () => all(sinks, (sink) => sink.flush()),
    close() {
      parts.loopLag?.close()
      return all(sinks, (sink) => sink.close(CLOSE_LIMIT_MS))
    },
  }
}

function starter(config: TracingConfig, recording: boolean): Tracing['start'] {
  const recordsAll = hasTailRule(config)
  const { propagators } = config
  const sampling: SamplingSoFar = {
    propagators,
    isSampledSoFar: (recorder) =>
      config.enabled && (recorder.headSampled ?? isHeadSampled(recorder, config)),
  }
  return (headers, startNs) => {
    const caller = extractContext(headers, propagators)
    const continued = config.trustParent === 'never' ? undefined : caller
    const recorder = new Recorder(recording, continued, startNs)
    recorder.sampling = sampling
    if (continued === undefined && caller !== undefined) recorder.link(caller)
    if (recording && !recordsAll) {
      recorder.headSampled = decideEarly(recorder, config)
      // Nothing but the head decides: what it leaves out need not be recorded.
      recorder.recording = recorder.headSampled !== false
    }
    return recorder
  }
}

function statsOf(sink: Sink): ExporterStats {
  return { exporter: sink.exporter, fullness: sink.fullness?.(), ...sink.stats() }
}

function renewAll(transports: readonly RenewableTransport[], tls: TlsTexts): void {
  for (const transport of transports) transport.renew(tls)
}

async function all(sinks: readonly Sink[], end: (sink: Sink) => Promise<void>): Promise<void> {
  await Promise.all(sinks.map(end))
}

function give(sinks: readonly Sink[], log: TraceLog, to: (sink: Sink) => void): void {
  for (const sink of sinks) {
    try {
      to(sink)
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error)
      log('warn', `a trace could not be exported: ${cause}`)
    }
  }
}
