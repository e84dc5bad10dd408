/** A span as somebody who took it tells of it when asked, whoever that is. */
export interface SeenSpan {
  readonly traceId: string
  readonly spanId: string
  /** Empty for a root. */
  readonly parentSpanId: string
  /** Zipkin knows no capitals. */
  readonly name: string
  readonly kind: 'SERVER' | 'CLIENT' | 'INTERNAL' | 'PRODUCER' | 'CONSUMER'
  readonly durationMs: number
  readonly attributes: ReadonlyMap<string, SeenValue>
  readonly resource: ReadonlyMap<string, SeenValue>
  readonly isError: boolean
  readonly events: readonly SeenEvent[]
  readonly links: readonly string[]
}

export interface SeenEvent {
  readonly name: string
  readonly attributes: ReadonlyMap<string, SeenValue>
}

/** With its type, where the receiver keeps types. */
export interface SeenValue {
  readonly type: 'string' | 'int' | 'double' | 'bool' | undefined
  readonly value: string | number | boolean
}

/** Takes spans, and gives them back when asked. */
export interface TraceStore extends AsyncDisposable {
  /** What a gateway is started with, so that its spans come here; of `--otel-exporter` and the receiver's address. */
  readonly exporter: 'otlp' | 'jaeger' | 'zipkin'
  readonly flags: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** False where names have lost their capitals, values their types, and events their attributes, and links are not kept. */
  readonly isExact: boolean
  /** What there is of a trace so far. */
  trace(traceId: string): Promise<readonly SeenSpan[]>
}

/** A root has come, and every other span's parent. */
export function isWhole(spans: readonly SeenSpan[]): boolean {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const roots = spans.filter(({ parentSpanId }) => !ids.has(parentSpanId))
  return roots.length === 1 && roots[0]?.kind === 'SERVER'
}
