import type { SealedBatch } from './otlp-batch.ts'
import type { Endpoint } from './endpoint.ts'
import { readRejectedSpans } from './otlp-response.ts'
import type { TracingConfig } from './tracing-config.ts'

/** Brings encoded batches to a receiver. `done` is called once a batch, with what went wrong if something did. */
export interface Transport {
  send(batch: SealedBatch, done: (error: Error | undefined) => void): void
  close(): Promise<void>
}

/** What a transport takes from the configuration. */
export type TransportOptions = Pick<TracingConfig, 'protocol' | 'headers' | 'serviceVersion'> & {
  /** Undefined leaves it to OTEL_EXPORTER_OTLP_[TRACES_]ENDPOINT. */
  readonly endpoint: Endpoint | undefined
  /** Spans that the receiver took with an answer of partial success, but did not accept. */
  readonly onRejected: (spans: number) => void
}

/**
 * The official OTLP transports (TLS, retries, compression, OTEL_EXPORTER_OTLP_* variables), given bytes instead of span
 * objects: their base packages take a serializer, and ours has nothing left to do. They are loaded here, when traces are
 * exported at all.
 */
export function openTransport(options: TransportOptions): Promise<Transport> {
  return options.protocol === 'grpc' ? openGrpc(options) : openHttp(options)
}

const METRICS = { name: 'span' as const, countItems: (batch: SealedBatch) => batch.spans }

async function openGrpc(options: TransportOptions): Promise<Transport> {
  const base = await import('@opentelemetry/otlp-grpc-exporter-base')
  const metadata = base.createEmptyMetadata()
  for (const [name, value] of Object.entries(options.headers)) metadata.set(name, value)
  const url = options.endpoint === undefined ? {} : { url: options.endpoint.url }
  return fromDelegate(
    base.createOtlpGrpcExportDelegate(
      base.convertLegacyOtlpGrpcOptions({ ...url, metadata, userAgent: userAgent(options) }, 'TRACES'),
      passThrough(options),
      'otlp_grpc_span_exporter',
      METRICS,
      undefined,
      'TraceExportService',
      '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    ),
  )
}

async function openHttp(options: TransportOptions): Promise<Transport> {
  const base = await import('@opentelemetry/otlp-exporter-base/node-http')
  const url = options.endpoint === undefined ? {} : { url: options.endpoint.url }
  const given = { ...url, headers: { ...options.headers }, userAgent: userAgent(options) }
  const required = { 'Content-Type': 'application/x-protobuf' }
  return fromDelegate(
    base.createOtlpHttpExportDelegate(
      base.convertLegacyHttpOptions(given, 'TRACES', 'v1/traces', required),
      passThrough(options),
      'otlp_http_span_exporter',
      METRICS,
      undefined,
    ),
  )
}

function userAgent({ serviceVersion }: TransportOptions): string {
  return serviceVersion === '' ? 'versitygw-ts' : `versitygw-ts/${serviceVersion}`
}

function passThrough({ onRejected }: TransportOptions) {
  return {
    serializeRequest: (batch: SealedBatch): Uint8Array => batch.bytes,
    deserializeResponse: (bytes: Uint8Array): object => {
      const rejected = readRejectedSpans(bytes)
      if (rejected > 0) onRejected(rejected)
      return {}
    },
  }
}

/** The part of the packages' delegates that is used. */
interface Delegate {
  export(batch: SealedBatch, callback: (result: { code: number; error?: Error }) => void): void
  shutdown(): Promise<void>
}

function fromDelegate(delegate: Delegate): Transport {
  return {
    send(batch, done) {
      // ExportResultCode.SUCCESS is 0.
      delegate.export(batch, ({ code, error }) => done(code === 0 ? undefined : (error ?? new Error('export failed'))))
    },
    close: () => delegate.shutdown(),
  }
}
