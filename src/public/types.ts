import type { MiddlewareHandler } from 'hono'

/** What an attribute of a span or an event may be. Anything else is turned into text. */
export type AttributeValue = string | number | boolean

export type Attributes = Readonly<Record<string, AttributeValue | undefined>>

export type ExporterName = 'console' | 'otlp' | 'zipkin' | 'jaeger' | 'file' | 'none'

export interface TracingOptions {
  /** `service.name` of the traces. */
  readonly serviceName: string
  /** Where traces go; a list is allowed. The console unless given; `none` turns tracing off. */
  readonly exporter?: ExporterName | readonly ExporterName[]
  /**
   * Where the exporter sends: `http://host:4317`, `https://…` or `host:port` for otlp and jaeger, the URL of the spans for
   * zipkin, a path for file.
   */
  readonly endpoint?: string
  /** OTLP by gRPC, which is the default, or by HTTP/protobuf. */
  readonly protocol?: 'grpc' | 'http'
  /** Sent with each OTLP export, such as API keys. Never shown. */
  readonly headers?: Readonly<Record<string, string>>
  /** `service.version`, `deployment.environment.name` and whatever else tells processes apart. */
  readonly resourceAttributes?: Readonly<Record<string, string>>
  /** Share of traces that is kept, 0 to 1; 1 unless given. A caller who brings a trace has decided already. */
  readonly samplingRatio?: number
  /** A span for each request that this process sends by fetch, node:http or node:https while there is a current span. */
  readonly autoInstrument?: boolean
  /** Counts and times spans by name: see `metricsText`. */
  readonly metrics?: boolean
}

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

/** Somebody else's span, as its headers tell: what `extract` finds. Without traceparent a new trace starts. */
export interface RemoteContext {
  readonly traceparent?: string
  readonly tracestate?: string
  readonly correlationId?: string
}

export interface SpanOptions {
  readonly attributes?: Attributes
  /** `internal` unless given. */
  readonly kind?: SpanKind
  /** Whose child it is: the current span unless given. A RemoteContext starts a new local root, `null` a new trace. */
  readonly parent?: Span | RemoteContext | null
}

/** One span. Methods do nothing once it has ended, and when tracing is off. */
export interface Span {
  /** 32 hex digits; empty when tracing is off. */
  readonly traceId: string
  /** 16 hex digits; empty when tracing is off. */
  readonly spanId: string
  set(name: string, value: AttributeValue): this
  setAll(attributes: Attributes): this
  event(name: string, attributes?: Attributes): this
  /** Marks it as failed. Of the error its class, code, stack and message are shown, the message without what it quotes. */
  fail(error: unknown): this
  /** A second call changes nothing. */
  end(): void
}

/** Headers in any form that fetch takes, or as node:http has them. */
export type HeadersLike =
  | Headers
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | readonly (readonly [string, string])[]

export interface Tracing {
  /** False when there is nowhere for traces to go: then everything here does nothing, and costs nothing. */
  readonly enabled: boolean
  /** A span that is ended by hand and is not made the current one. */
  startSpan(name: string, options?: SpanOptions): Span
  /** Runs `work` in a span of its own, which is the current one meanwhile; what `work` throws is recorded and thrown on. */
  scope<T>(name: string, work: (span: Span) => T, options?: SpanOptions): T
  /** The function, each call in a scope. */
  wrap<A extends readonly unknown[], R>(
    name: string,
    work: (...args: A) => R,
    options?: SpanOptions,
  ): (...args: A) => R
  /** Runs `work` with a span that was started by hand as the current one; it is not ended. */
  runIn<T>(span: Span, work: () => T): T
  /** An event of the current span. */
  event(name: string, attributes?: Attributes): void
  /** The current span: of a scope, or a request of the gateway. */
  currentSpan(): Span | undefined
  /** The id of the current trace, also where it is not going to be kept. */
  currentTraceId(): string | undefined
  /**
   * What ties together what belongs to one matter: the caller's `x-correlation-id` or `x-request-id`, in a request of the gateway
   * its `x-amz-request-id`, else the trace id.
   */
  correlationId(): string | undefined
  /** Headers with `traceparent`, `tracestate` and `x-correlation-id` of the current span; the rest as given. */
  inject(headers?: HeadersLike): Record<string, string>
  /** What a caller says of his span; undefined where he says nothing or nonsense. */
  extract(headers: HeadersLike): RemoteContext | undefined
  /** As fetch, in a span of kind client, with the headers of `inject`. */
  readonly fetch: typeof globalThis.fetch
  /** For `app.use`: each request is a span of kind server, which continues the caller's trace; answers have X-Trace-ID. */
  middleware(): MiddlewareHandler
  /** Prometheus text: spans and their durations by name, exports and losses. Empty without `metrics`. */
  metricsText(): string
  /** Sends what waits. */
  flush(): Promise<void>
  /** Flushes for five seconds at most, and stops: spans that start later are lost. */
  close(): Promise<void>
}
