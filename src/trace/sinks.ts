import type { SpanProcessor } from '@opentelemetry/sdk-trace-node'
import { BatchingSink, type BatchExporter } from './batching-sink.ts'
import type { ConsoleOutput } from './console.ts'
import { parseEndpoint } from './endpoint.ts'
import {
  PackageTransport,
  type TlsTexts,
  type Transport,
  type TransportEvents,
} from './exporters.ts'
import { OtlpSink } from './otlp-sink.ts'
import { ReadableSink } from './readable-sink.ts'
import type { Attributes } from './recorder.ts'
import type { Sink } from './sink.ts'
import { RenewableTransport } from './renewable-transport.ts'
import { ThreadedTransport } from './threaded-transport.ts'
import type { LineFile } from './trace-file.ts'
import type { TraceLog, TracingConfig } from './tracing-config.ts'

export interface SinkParts {
  readonly log: TraceLog
  /** What the files of `TracingConfig.tlsFiles` hold. */
  readonly tls?: TlsTexts
  /** Filled in: those that take other texts later. */
  readonly renewable?: RenewableTransport[]
  /** Opens the file that the `file` exporter writes; that exporter needs it. */
  readonly openFile?: (file: TracingConfig['file']) => LineFile
  /** Takes kept traces as well, also where tracing is off otherwise: what the viewer shows. */
  readonly recent?: Sink | undefined
  /** Where the console exporter writes; standard output unless given. */
  readonly output?: ConsoleOutput
  /** Processors of whoever embeds the gateway: they see the spans of kept traces when these are over. */
  readonly processors?: readonly SpanProcessor[]
}

/** One for each exporter that is asked for, but for `none`, and before them the viewer's. */
export function createSinks(config: TracingConfig, resource: Attributes, parts: SinkParts): Sink[] {
  const { exporters } = config
  const sinks: Sink[] = parts.recent === undefined ? [] : [parts.recent]
  if (!config.enabled) return sinks
  if (exporters.includes('otlp'))
    sinks.push(
      config.encoding === 'json'
        ? createOtlpJsonSink(config, resource, parts)
        : createOtlpSink(config, resource, parts),
    )
  if (exporters.includes('zipkin')) sinks.push(createZipkinSink(config, resource, parts))
  if (exporters.includes('file')) sinks.push(createFileSink(config, resource, parts))
  const isOnConsole = exporters.includes('console')
  const processors = parts.processors ?? []
  if (isOnConsole || processors.length > 0) {
    const load = async () => {
      const read = await loadReader(config, resource)
      const { consoleConsumer, processorConsumer } = await import('./consumers.ts')
      const consumers = processors.map(processorConsumer)
      if (isOnConsole) consumers.push(consoleConsumer(parts.output ?? process.stdout))
      return { read, consumers }
    }
    sinks.push(new ReadableSink({ load, maxQueueSize: config.batch.maxQueueSize }))
  }
  return sinks
}

async function loadReader(config: TracingConfig, resource: Attributes) {
  const { createSpanReader } = await import('./readable-spans.ts')
  return createSpanReader(resource, config.serviceVersion)
}

function createOtlpSink(config: TracingConfig, resource: Attributes, parts: SinkParts): Sink {
  return new OtlpSink({
    resource,
    serviceVersion: config.serviceVersion,
    endpoint: parseEndpoint(config.endpoint, config),
    batch: config.batch,
    log: parts.log,
    createTransport: (events) => createTransport(config, parts, events),
  })
}

function createOtlpJsonSink(config: TracingConfig, resource: Attributes, parts: SinkParts): Sink {
  const load = async () => {
    const { otlpJsonExporter } = await import('./otlp-json.ts')
    const read = await loadReader(config, resource)
    return { read, exporter: otlpJsonExporter(transport) }
  }
  const transport = createTransport(config, parts, {
    onRejected: (spans) => sink.rejected(spans),
    onRetry: () => {},
  })
  const target = parseEndpoint(config.endpoint, config)
  const { batch } = config
  const sink = new BatchingSink({ exporter: 'otlp', load, batch, log: parts.log, target })
  return sink
}

function createTransport(
  config: TracingConfig,
  { tls: first = {}, renewable }: SinkParts,
  events: TransportEvents,
): Transport {
  const { protocol, encoding, headers, serviceVersion, compression, batch } = config
  const options = {
    protocol,
    encoding,
    headers,
    serviceVersion,
    compression,
    // Nobody waits for an answer longer than for the export.
    requestTimeoutMs: Math.min(config.requestTimeoutMs, batch.exportTimeoutMs),
    endpoint: parseEndpoint(config.endpoint, config),
  }
  const create = (tls: TlsTexts): Transport =>
    COMPILED
      ? new ThreadedTransport({ ...options, tls }, events)
      : new PackageTransport({ ...options, tls }, events)
  const transport = new RenewableTransport(create, first)
  renewable?.push(transport)
  return transport
}

/** A thread cannot be started from TypeScript sources on Node 20, as tests do. */
const COMPILED = import.meta.url.endsWith('.js')

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#zipkin-exporter */
const ZIPKIN_TIMEOUT_MS = 10_000

function createZipkinSink(config: TracingConfig, resource: Attributes, { log }: SinkParts): Sink {
  const { zipkinEndpoint: url, headers, batch } = config
  const timeoutMs = Math.min(ZIPKIN_TIMEOUT_MS, batch.exportTimeoutMs)
  const load = async () => {
    const { zipkinExporter } = await import('./zipkin.ts')
    const exporter = zipkinExporter({ url, headers, timeoutMs })
    return { read: await loadReader(config, resource), exporter }
  }
  return new BatchingSink({ exporter: 'zipkin', load, batch, log, target: { url, tls: false } })
}

/** A file is looked into while it grows, and costs nothing for being written often. */
const FILE_DELAY_MS = 1000

function createFileSink(config: TracingConfig, resource: Attributes, parts: SinkParts): Sink {
  const { file, batch } = config
  const load = async () => {
    const { fileExporter } = await import('./trace-file.ts')
    if (parts.openFile === undefined) throw new Error('no file can be opened here')
    const exporter: BatchExporter = fileExporter(parts.openFile(file))
    return { read: await loadReader(config, resource), exporter }
  }
  return new BatchingSink({
    exporter: 'file',
    load,
    batch: { ...batch, scheduleDelayMs: Math.min(batch.scheduleDelayMs, FILE_DELAY_MS) },
    log: parts.log,
    target: { url: file.path, tls: false },
  })
}
