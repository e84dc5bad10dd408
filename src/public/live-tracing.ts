import type { AsyncLocalStorage } from 'node:async_hooks'
import type { MiddlewareHandler } from 'hono'
import { RotatingFile } from '../io/rotating-file.ts'
import { readPemFileNow } from '../io/tls-files.ts'
import { useAmbientSpan } from '../trace/ambient.ts'
import { nowNs } from '../trace/clock.ts'
import { requestId } from '../trace/correlation.ts'
import type { TlsTexts } from '../trace/exporters.ts'
import type { Recorder, Span as Recorded } from '../trace/recorder.ts'
import { createTracing as createTraces, type Tracing as Traces } from '../trace/tracing.ts'
import type { TracingConfig } from '../trace/tracing-config.ts'
import { instrumentRequests, tracedFetch } from './client-requests.ts'
import { callerHeaders, extracted, headerEntries, injected } from './headers.ts'
import { honoMiddleware } from './hono-middleware.ts'
import { NO_SPAN } from './no-span.ts'
import { RecordedSpan } from './recorded-span.ts'
import { SpanMetrics } from './span-metrics.ts'
import type { Attributes, HeadersLike, RemoteContext, Span, SpanOptions, Tracing } from './types.ts'

/** Spans of one trace beyond this are left out. */
const MAX_SPANS = 1000

interface Parts {
  readonly autoInstrument: boolean
  readonly metrics: boolean
}

/**
 * Tracing that is on. What has a current span goes into the record of that one, which in a request of the gateway is
 * the request's: it shares its decision and leaves with it. What has none is a local root with a record of its own.
 */
export class LiveTracing implements Tracing {
  readonly enabled = true
  readonly fetch: typeof globalThis.fetch
  readonly #config: TracingConfig
  readonly #traces: Traces
  readonly #current: AsyncLocalStorage<Recorded>
  readonly #metrics: SpanMetrics | undefined
  readonly #correlations = new WeakMap<Recorder, string>()
  readonly #stopInstrumenting: () => void

  constructor(config: TracingConfig, { autoInstrument, metrics }: Parts) {
    this.#config = config
    this.#current = useAmbientSpan()
    this.#metrics = metrics ? new SpanMetrics() : undefined
    this.#traces = createTraces(config, {
      log: (level, message) => {
        if (level === 'warn') process.emitWarning(message, 'TracingWarning')
      },
      readSyscalls: () => [],
      tls: readTls(config),
      openFile: (file) => new RotatingFile(file),
    })
    this.fetch = autoInstrument ? (input, init) => globalThis.fetch(input, init) : tracedFetch(this)
    this.#stopInstrumenting = autoInstrument ? instrumentRequests(this) : () => undefined
  }

  startSpan(name: string, options: SpanOptions = {}): Span {
    return this.#start(name, options) ?? NO_SPAN
  }

  scope<T>(name: string, work: (span: Span) => T, options: SpanOptions = {}): T {
    const span = this.#start(name, options)
    if (span === undefined) return work(NO_SPAN)
    try {
      const result = this.#current.run(span.recorded, work, span)
      if (!isPromiseLike(result)) {
        span.end()
        return result
      }
      const settled = result.then(
        (value) => {
          span.end()
          return value
        },
        (error: unknown) => {
          span.fail(error).end()
          throw error
        },
      )
      // A promise of the same value, with the span's end before those who wait for it.
      return settled as T
    } catch (error) {
      span.fail(error).end()
      throw error
    }
  }

  wrap<A extends readonly unknown[], R>(
    name: string,
    work: (...args: A) => R,
    options: SpanOptions = {},
  ): (...args: A) => R {
    return (...args) => this.scope(name, () => work(...args), options)
  }

  runIn<T>(span: Span, work: () => T): T {
    return span instanceof RecordedSpan ? this.#current.run(span.recorded, work) : work()
  }

  event(name: string, attributes?: Attributes): void {
    this.currentSpan()?.event(name, attributes)
  }

  /** Whoever has not started it cannot end it either. */
  currentSpan(): Span | undefined {
    const recorded = this.#current.getStore()
    return recorded === undefined ? undefined : new RecordedSpan(recorded, () => undefined)
  }

  currentTraceId(): string | undefined {
    return this.#current.getStore()?.recorder.traceId
  }

  correlationId(): string | undefined {
    const recorder = this.#current.getStore()?.recorder
    return recorder === undefined ? undefined : this.#correlationOf(recorder)
  }

  inject(headers: HeadersLike = {}): Record<string, string> {
    const span = this.#current.getStore()
    return span === undefined
      ? Object.fromEntries(headerEntries(headers))
      : injected(headers, span, this.#correlationOf(span.recorder))
  }

  extract(headers: HeadersLike): RemoteContext | undefined {
    return extracted(headers, this.#config.propagators)
  }

  middleware(): MiddlewareHandler {
    return honoMiddleware(this)
  }

  metricsText(): string {
    return this.#metrics?.text(this.#traces.stats()) ?? ''
  }

  flush(): Promise<void> {
    return this.#traces.flush()
  }

  close(): Promise<void> {
    this.#stopInstrumenting()
    return this.#traces.close()
  }

  #start(name: string, { parent, kind, attributes }: SpanOptions): RecordedSpan | undefined {
    if (parent === NO_SPAN) return undefined
    const above = parent === undefined ? this.#current.getStore() : recordedOf(parent)
    const recorded =
      above === undefined
        ? this.#openRoot(parent === null || !isRemote(parent) ? undefined : parent)
        : openChild(above)
    if (recorded === undefined) return undefined
    recorded.name = name
    if (kind !== undefined || above === undefined)
      (recorded.recorder.kinds ??= new Map()).set(recorded, kind ?? 'internal')
    const span = new RecordedSpan(recorded, (ended) => this.#ended(ended, above === undefined))
    return attributes === undefined ? span : span.setAll(attributes)
  }

  #openRoot(caller: RemoteContext | undefined): Recorded {
    const recorder = this.#traces.start(callerHeaders(caller), nowNs())
    // Whoever extracted it has looked at it.
    recorder.isAuthenticated = true
    this.#correlations.set(recorder, caller?.correlationId ?? recorder.traceId)
    return recorder.root
  }

  #ended(recorded: Recorded, isRoot: boolean): void {
    this.#metrics?.add(recorded)
    if (!isRoot) return
    this.#traces.finish(recorded.recorder, { authenticated: true, status: 0, isHead: false })
  }

  /** What has no entry is a request of the gateway. */
  #correlationOf(recorder: Recorder): string {
    return this.#correlations.get(recorder) ?? requestId(recorder)
  }
}

function readTls({ exporters, tlsFiles: { ca, cert, key } }: TracingConfig): TlsTexts {
  if (!exporters.includes('otlp')) return {}
  const read = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : readPemFileNow(path)
  return { ca: read(ca), cert: read(cert), key: read(key) }
}

function openChild(above: Recorded): Recorded | undefined {
  return above.recorder.spans.length >= MAX_SPANS ? undefined : above.child('')
}

function isRemote(parent: SpanOptions['parent']): parent is RemoteContext {
  return parent !== undefined && parent !== null && !(parent instanceof RecordedSpan)
}

function recordedOf(parent: SpanOptions['parent']): Recorded | undefined {
  return parent instanceof RecordedSpan ? parent.recorded : undefined
}

function isPromiseLike<T>(value: T): value is T & PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}
