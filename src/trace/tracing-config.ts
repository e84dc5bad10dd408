/** What a started gateway knows about tracing; flags and environment are read elsewhere, values are valid already. */
export interface TracingConfig {
  readonly enabled: boolean
  readonly exporters: readonly ExporterName[]
  /** Where OTLP goes, as the user wrote it (see `endpoint.ts`). */
  readonly endpoint: string
  readonly protocol: 'grpc' | 'http'
  /** Of OTLP; JSON goes over HTTP only. */
  readonly encoding: 'protobuf' | 'json'
  /** A bare `host:port` endpoint is spoken to without TLS. */
  readonly insecure: boolean
  /** Sent with each export; secret. */
  readonly headers: Readonly<Record<string, string>>
  /** Paths of PEM files: whom TLS towards the OTLP receiver trusts, and what it shows of itself. */
  readonly tlsFiles: TlsFiles
  /** Of what is sent by OTLP. */
  readonly compression: 'none' | 'gzip'
  /** An OTLP request that has no answer after this time is given up. */
  readonly requestTimeoutMs: number
  readonly zipkinEndpoint: string
  /** Where the `file` exporter writes; see `io/rotating-file.ts`. */
  readonly file: { readonly path: string; readonly maxBytes: number }
  readonly serviceName: string
  readonly environment: string
  readonly serviceVersion: string
  /** OTEL_RESOURCE_ATTRIBUTES: they do not replace what the other fields say. */
  readonly resourceAttributes: Readonly<Record<string, string>>
  /** 0..1 */
  readonly sampleRate: number
  /** Whether a trusted caller's sampled flag decides; without it the ratio alone does (OTEL_TRACES_SAMPLER=traceidratio). */
  readonly parentBased: boolean
  /** Which failed requests are kept whatever the head decided. */
  readonly keepErrors: KeepErrors
  /** A request is slow, and kept whatever the head decided, when it took longer than this and … ; 0: none is. */
  readonly slowThresholdMs: number
  /** … what its object bytes take at this rate, in bytes per second; 0 gives them no time. */
  readonly slowBytesPerSecond: number
  readonly depth: Depth
  readonly trustParent: TrustParent
  readonly semconv: Semconv
  readonly propagators: readonly Propagator[]
  readonly spanLimits: SpanLimits
  readonly batch: BatchConfig
}

export type ExporterName = 'otlp' | 'zipkin' | 'console' | 'file' | 'none'

export interface TlsFiles {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

/** Headers that carry a trace's context: W3C's, one of the two ways of Zipkin's B3, Jaeger's, or AWS X-Ray's. */
export type Propagator = 'tracecontext' | 'b3' | 'b3multi' | 'jaeger' | 'xray'

/** How much a span may hold; undefined: all there is. */
export interface SpanLimits {
  /** Characters of a text. */
  readonly attributeValueLength: number | undefined
  readonly attributeCount: number | undefined
  readonly eventCount: number | undefined
  readonly linkCount: number | undefined
  readonly eventAttributeCount: number | undefined
  readonly linkAttributeCount: number | undefined
}

/** How far down a trace goes: `http` the root, `backend` also Auth, IAM and Backend, `io` also Posix.IO, `syscall` all. */
export type Depth = 'http' | 'backend' | 'io' | 'syscall'

/** `all`: 400 and above, except 412 and a HEAD's 404. */
export type KeepErrors = 'all' | '5xx' | 'none'

/** Whose `traceparent` decides sampling; `never` starts a new trace, linked to the caller's. */
export type TrustParent = 'always' | 'authenticated' | 'never'

/** Which HTTP attribute names the root span has: stable, the older ones, or both. */
export type Semconv = 'dup' | 'stable' | 'legacy'

/** The knobs of OpenTelemetry's batch span processor (OTEL_BSP_*). */
export interface BatchConfig {
  /**
   * What the two sizes count. OTEL_BSP_* count spans. Ours count traces, of some ten spans each: a trace is kept or lost
   * whole, and an export costs the same whatever it holds.
   */
  readonly unit: 'traces' | 'spans'
  /** How many wait for an export; a trace that arrives when so many wait is dropped and counted. */
  readonly maxQueueSize: number
  /** How many one export holds at most. */
  readonly maxExportBatchSize: number
  /** A batch that does not fill is sent after this time. */
  readonly scheduleDelayMs: number
  /** An export that has no answer after this time is given up. */
  readonly exportTimeoutMs: number
}

/** The numbers are those of https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#batch-span-processor */
export const DEFAULT_BATCH: BatchConfig = {
  unit: 'traces',
  maxQueueSize: 2048,
  maxExportBatchSize: 512,
  scheduleDelayMs: 5000,
  exportTimeoutMs: 30_000,
}

/** What the pipeline knows when a response has ended. */
export interface Outcome {
  /** The signature was valid: with `authenticated`, only then the caller's sampled flag is obeyed. */
  readonly authenticated: boolean
  /** The HTTP status, or 0 when none was sent. */
  readonly status: number
  readonly isHead: boolean
}

/** One line about tracing itself, for the gateway's log. Never holds headers. */
export type TraceLog = (level: 'debug' | 'info' | 'warn', message: string) => void

/** One system call under a span, as the addon measured it. What does not apply is undefined. */
export interface SyscallFacts {
  /** As in the manual: `openat2`, `pwrite`. */
  readonly name: string
  readonly startNs: number
  readonly endNs: number
  readonly fd?: number | undefined
  readonly offset?: number | undefined
  readonly bytes?: number | undefined
  /** 0 when it succeeded. */
  readonly errno: number
}

/** Reads `Span.syscalls`, whose layout only `io` knows. */
export type ReadSyscalls = (records: Float64Array) => Iterable<SyscallFacts>
