import type { SpanProcessor } from '@opentelemetry/sdk-trace-node'
import type { Activity } from './activity.ts'
import type { ConsoleOutput } from './console.ts'
import { parseTraceContext } from './context.ts'
import { parseEndpoint } from './endpoint.ts'
import { PackageTransport } from './exporters.ts'
import { OtlpSink } from './otlp-sink.ts'
import { ReadableSink } from './readable-sink.ts'
import { Recorder, type Attributes, type Span } from './recorder.ts'
import { resourceAttributes } from './resource.ts'
import { decide, decideEarly, hasTailRule, type SamplingReason } from './sampling.ts'
import { addSyscallSpans, settle, syscallSpans } from './settle.ts'
import { sumOfStats, type Sink, type SinkStats } from './sink.ts'
import { ThreadedTransport } from './threaded-transport.ts'
import type { Outcome, ReadSyscalls, Semconv, TraceLog, TracingConfig } from './tracing-config.ts'

/** Tracing as the HTTP layer sees it: one recorder a request, handed back when the request is over. */
export interface Tracing {
  readonly enabled: boolean
  /** What identifies this process in its traces. */
  readonly resource: Attributes
  readonly semconv: Semconv
  /** The record of a request whose head has been parsed, continuing the caller's trace where there is one. */
  start(traceparent: string | undefined, tracestate: string | undefined, startNs: number): Recorder
  /**
   * Decides about the trace and sends it on. Call it once, when the answer has gone and the work for it has ended. Only
   * of a trace that is kept the describer is asked for what remains to be said of the root.
   */
  finish(recorder: Recorder, outcome: Outcome, describer?: RootDescriber): void
  stats(): TracingStats
  /** Sends what waits; resolves when it has left or is lost. */
  flush(): Promise<void>
  /** Flushes for a few seconds at most and stops. What has not left by then is lost. */
  close(): Promise<void>
}

/** Knows the attributes of a root that nothing but an exported trace needs. */
export interface RootDescriber {
  describeRoot(root: Span): void
}

export interface TracingStats extends SinkStats {
  /** Traces. */
  readonly kept: number
  /** The same by why they were kept. */
  readonly keptFor: Readonly<Record<SamplingReason, number>>
  readonly sampledOut: number
  /** Spans that ended after their trace was decided about. */
  readonly late: number
}

export interface TracingParts {
  readonly log: TraceLog
  readonly readSyscalls: ReadSyscalls
  /** Where the console exporter writes; standard output unless given. */
  readonly output?: ConsoleOutput
  /** Takes kept traces as well, also where tracing is off otherwise: what the viewer shows. */
  readonly recent?: Sink | undefined
  /** Counts every request, kept or not. */
  readonly activity?: Activity | undefined
  /** Processors of whoever embeds the gateway: they see the spans of kept traces when these are over. */
  readonly processors?: readonly SpanProcessor[]
}

/** How long `close` waits for a receiver. */
const CLOSE_LIMIT_MS = 5000

export function createTracing(config: TracingConfig, parts: TracingParts): Tracing {
  const resource = resourceAttributes(config)
  const { activity } = parts
  const sinks = createSinks(config, resource, parts)
  const recording = sinks.length > 0
  const recordsAll = hasTailRule(config)
  const keptFor: Record<SamplingReason, number> = { head: 0, error: 0, slow: 0 }
  let sampledOut = 0
  let late = 0

  const addLate = (span: Span): void => {
    late++
    const spans =
      config.depth === 'syscall' ? [span, ...syscallSpans(span, parts.readSyscalls)] : [span]
    for (const one of spans) give(sinks, parts.log, (sink) => sink.addLate(one, one.recorder.level))
  }

  return {
    enabled: config.enabled,
    resource,
    semconv: config.semconv,
    start(traceparent, tracestate, startNs) {
      const caller = parseTraceContext({ traceparent, tracestate })
      const continued = config.trustParent === 'never' ? undefined : caller
      const recorder = new Recorder(recording, continued, startNs)
      if (continued === undefined) recorder.linked = caller
      if (recording && !recordsAll) {
        recorder.headSampled = decideEarly(recorder, config)
        // Nothing but the head decides: what it leaves out need not be recorded.
        recorder.recording = recorder.headSampled !== false
      }
      return recorder
    },
    finish(recorder, outcome, describer) {
      recorder.root.end()
      if (!recording || recorder.decision !== 'open') return
      activity?.add(recorder, outcome.status)
      const reason = recorder.recording ? decide(recorder, outcome, config) : undefined
      if (reason === undefined) {
        recorder.decision = 'dropped'
        sampledOut++
        return
      }
      keptFor[reason]++
      describer?.describeRoot(recorder.root)
      settle(recorder)
      if (config.depth === 'syscall') addSyscallSpans(recorder, parts.readSyscalls)
      give(sinks, parts.log, (sink) => sink.add(recorder, recorder.level))
      recorder.late = addLate
    },
    stats: () => ({
      ...sumOfStats(sinks.map((sink) => sink.stats())),
      kept: keptFor.head + keptFor.error + keptFor.slow,
      keptFor: { ...keptFor },
      sampledOut,
      late,
    }),
    flush: () => all(sinks, (sink) => sink.flush()),
    close: () => all(sinks, (sink) => sink.close(CLOSE_LIMIT_MS)),
  }
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

function createSinks(config: TracingConfig, resource: Attributes, parts: TracingParts): Sink[] {
  const sinks: Sink[] = parts.recent === undefined ? [] : [parts.recent]
  if (!config.enabled) return sinks
  if (config.exporters.includes('otlp')) sinks.push(createOtlpSink(config, resource, parts))
  const isOnConsole = config.exporters.includes('console')
  const processors = parts.processors ?? []
  if (isOnConsole || processors.length > 0) {
    const load = async () => {
      const { createSpanReader } = await import('./readable-spans.ts')
      const { consoleConsumer, processorConsumer } = await import('./consumers.ts')
      const consumers = processors.map(processorConsumer)
      if (isOnConsole) consumers.push(consoleConsumer(parts.output ?? process.stdout))
      return { read: createSpanReader(resource, config.serviceVersion), consumers }
    }
    sinks.push(new ReadableSink({ load, maxQueueSize: config.batch.maxQueueSize }))
  }
  return sinks
}

function createOtlpSink(config: TracingConfig, resource: Attributes, { log }: TracingParts): Sink {
  const endpoint =
    config.endpoint === undefined ? undefined : parseEndpoint(config.endpoint, config)
  const { protocol, headers, serviceVersion } = config
  const options = { protocol, headers, serviceVersion, endpoint }
  return new OtlpSink({
    resource,
    serviceVersion,
    endpoint,
    batch: config.batch,
    log,
    createTransport: (onRejected) =>
      COMPILED
        ? new ThreadedTransport(options, onRejected)
        : new PackageTransport(options, onRejected),
  })
}

/** A thread cannot be started from TypeScript sources on Node 20, as tests do. */
const COMPILED = import.meta.url.endsWith('.js')
