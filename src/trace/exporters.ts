import type { EncodedSpans } from './otlp-batch.ts'
import type { Endpoint } from './endpoint.ts'
import { readRejectedSpans, readRejectedSpansOfJson } from './otlp-response.ts'
import { ReconnectingDelegate, type Delegate } from './reconnecting-delegate.ts'
import { RetryingDelegate } from './retrying-delegate.ts'
import type { TracingConfig } from './tracing-config.ts'

/** Brings encoded batches to a receiver. */
export interface Transport {
  /** Calls `done` once: with what went wrong if something did, and with the batch's memory for the next one. */
  send(batch: EncodedSpans, done: Done): void
  /** Ends after what is under way, however long that takes. */
  close(): Promise<void>
  /** Ends now. */
  abort(): Promise<void>
}

export type Done = (error: Error | undefined, block: ArrayBuffer | undefined) => void

/** What a transport takes from the configuration; it is handed to another thread, so it holds nothing but data. */
export type TransportOptions = Pick<
  TracingConfig,
  'protocol' | 'encoding' | 'headers' | 'serviceVersion' | 'compression' | 'requestTimeoutMs'
> & {
  readonly endpoint: Endpoint
  readonly tls: TlsTexts
}

/** PEM texts; undefined is what Node trusts, and no certificate of our own. */
export interface TlsTexts {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** What happens to spans on their way, beside what each batch ends with. */
export interface TransportEvents {
  /** The receiver did not accept so many though its answer was a success. */
  readonly onRejected: (spans: number) => void
  readonly onRetry: OnRetry
}

/** Is told what went wrong with so many spans that are going to be sent again. HTTP's retries are the package's own, and silent. */
export type OnRetry = (error: Error, spans: number) => void

/**
 * The official OTLP transports (TLS, compression, HTTP's retries), given bytes instead of span
 * objects: their base packages take a serializer, and ours has nothing left to do. The packages are loaded with the
 * first batch unless `open` was called before.
 */
export class PackageTransport implements Transport {
  readonly #options: TransportOptions
  readonly #events: TransportEvents
  #delegate: Promise<Delegate> | undefined

  constructor(options: TransportOptions, events: TransportEvents) {
    this.#options = options
    this.#events = events
  }

  /** Loads the packages; a failure is told to those who send. */
  open(): Promise<Delegate> {
    const open = this.#options.protocol === 'grpc' ? openGrpc : openHttp
    this.#delegate ??= open(this.#options, this.#events)
    return this.#delegate
  }

  send(batch: EncodedSpans, done: Done): void {
    let isOpen = true
    const settle = (error: Error | undefined): void => {
      if (isOpen) done(error, batch.bytes.buffer)
      isOpen = false
    }
    this.open()
      .then((delegate) => {
        delegate.export(batch, ({ code, error }) => {
          // ExportResultCode.SUCCESS is 0.
          settle(code === 0 ? undefined : (error ?? new Error('export failed')))
        })
      })
      // A header or certificate that the packages refuse.
      .catch((error: unknown) => settle(error instanceof Error ? error : new Error(String(error))))
  }

  async close(): Promise<void> {
    const delegate = await this.#delegate
    await delegate?.shutdown()
  }

  /** The packages offer no way: their sockets end by their own time limits or with the thread. */
  abort(): Promise<void> {
    return Promise.resolve()
  }
}

const METRICS = { name: 'span' as const, countItems: (batch: EncodedSpans) => batch.spans }

async function openGrpc(options: TransportOptions, events: TransportEvents): Promise<Delegate> {
  const base = await import('@opentelemetry/otlp-grpc-exporter-base')
  const metadata = base.createEmptyMetadata()
  for (const [name, value] of Object.entries(options.headers)) metadata.set(name, value)
  const { url, tls } = options.endpoint
  const { ca, cert, key } = options.tls
  const pem = (text: string | undefined): Buffer | undefined =>
    text === undefined ? undefined : Buffer.from(text)
  const credentials = tls
    ? base.createSslCredentials(pem(ca), pem(key), pem(cert))
    : base.createInsecureCredentials()
  const resolved = base.convertLegacyOtlpGrpcOptions(
    { url, metadata, credentials, userAgent: userAgent(options), ...(await shared(options)) },
    'TRACES',
  )
  const reconnecting = new ReconnectingDelegate(() =>
    base.createOtlpGrpcExportDelegate(
      resolved,
      passThrough(events, readRejectedSpans),
      'otlp_grpc_span_exporter',
      METRICS,
      undefined,
      'TraceExportService',
      '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    ),
  )
  return new RetryingDelegate(reconnecting, options.requestTimeoutMs, events.onRetry)
}

async function openHttp(options: TransportOptions, events: TransportEvents): Promise<Delegate> {
  const base = await import('@opentelemetry/otlp-exporter-base/node-http')
  const { ca, cert, key } = options.tls
  const given = {
    url: options.endpoint.url,
    headers: { ...options.headers },
    userAgent: userAgent(options),
    httpAgentOptions: {
      keepAlive: true,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
    ...(await shared(options)),
  }
  const isJson = options.encoding === 'json'
  const required = { 'Content-Type': isJson ? 'application/json' : 'application/x-protobuf' }
  return base.createOtlpHttpExportDelegate(
    base.convertLegacyHttpOptions(given, 'TRACES', 'v1/traces', required),
    passThrough(events, isJson ? readRejectedSpansOfJson : readRejectedSpans),
    'otlp_http_span_exporter',
    METRICS,
    undefined,
  )
}

/** All of them, so that nothing is left for the packages to look up in the environment. */
async function shared({ compression, requestTimeoutMs }: TransportOptions) {
  const { CompressionAlgorithm } = await import('@opentelemetry/otlp-exporter-base')
  return {
    compression: compression === 'gzip' ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE,
    timeoutMillis: requestTimeoutMs,
  }
}

function userAgent({ serviceVersion }: TransportOptions): string {
  return serviceVersion === '' ? 'versitygw-ts' : `versitygw-ts/${serviceVersion}`
}

function passThrough(
  { onRejected }: TransportEvents,
  readRejected: (response: Uint8Array) => number,
) {
  return {
    serializeRequest: (batch: EncodedSpans): Uint8Array => batch.bytes,
    deserializeResponse: (bytes: Uint8Array): object => {
      const rejected = readRejected(bytes)
      if (rejected > 0) onRejected(rejected)
      return {}
    },
  }
}
