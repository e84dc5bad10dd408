import { currentAnchor, nowNs, type Anchor } from './clock.ts'
import { newSpanId, newTraceId } from './ids.ts'

export type AttributeValue = string | number | boolean
export type Attributes = Readonly<Record<string, AttributeValue>>

export interface SpanEvent {
  readonly name: string
  readonly atNs: number
  readonly attributes: Attributes
}

/** Why a span failed. `type` is an errno name or an S3 error code; `message` never holds a path or a secret. */
export interface SpanFailure {
  readonly type: string
  readonly message: string
  readonly stack?: string | undefined
}

/** Who called us, as far as W3C Trace Context tells: https://www.w3.org/TR/trace-context/#traceparent-header */
export interface RemoteParent {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
  readonly traceState: string | undefined
}

/**
 * What happened in one request: its ids and a flat list of spans, cheap enough to be kept for every request.
 *
 * Nothing here is an OpenTelemetry object. When the response has ended, one decision is made (`sampling.ts`); only a
 * record that is kept is encoded (`otlp.ts`) or turned into ReadableSpans (`readable-spans.ts`). With `recording`
 * false the ids still exist, because X-Trace-ID and the logs need them, and `child` hands out a span that forgets.
 */
export class Recorder {
  readonly traceId: string
  readonly parent: RemoteParent | undefined
  readonly recording: boolean
  readonly anchor: Anchor
  readonly spans: Span[] = []
  readonly root: Span
  /** Whether the head sampler chose this trace; the tail rule may keep it all the same. */
  headSampled = false
  /** Set once, at the end: late entries follow it. */
  decision: 'open' | 'kept' | 'dropped' = 'open'

  constructor(recording: boolean, parent: RemoteParent | undefined, startNs: number = nowNs()) {
    this.recording = recording
    this.parent = parent
    this.traceId = parent === undefined ? newTraceId() : parent.traceId
    this.anchor = currentAnchor(startNs)
    this.root = new Span(this, undefined, 'S3.Unknown', startNs)
    this.spans.push(this.root)
  }
}

/** One span under construction. `attributes` may grow until the decision is made. */
export class Span {
  readonly recorder: Recorder
  readonly parent: Span | undefined
  name: string
  readonly startNs: number
  /** 0 while the span is open. */
  endNs = 0
  attributes: Record<string, AttributeValue> = {}
  events: SpanEvent[] | undefined
  failure: SpanFailure | undefined
  /** Raw system-call records under this span, as the addon wrote them; see `io/syscalls.ts` for their layout. */
  syscalls: Float64Array | undefined
  #spanId: string | undefined

  constructor(recorder: Recorder, parent: Span | undefined, name: string, startNs: number) {
    this.recorder = recorder
    this.parent = parent
    this.name = name
    this.startNs = startNs
  }

  get recording(): boolean {
    return this.recorder.recording
  }

  /** 16 hex digits, made when first asked for. */
  get spanId(): string {
    return (this.#spanId ??= newSpanId())
  }

  /** Opens a span below this one. Attributes become the span's own object: pass a fresh literal. */
  child(name: string, attributes?: Record<string, AttributeValue>, startNs: number = nowNs()): Span {
    const span = new Span(this.recorder, this, name, startNs)
    if (attributes !== undefined) span.attributes = attributes
    if (this.recorder.recording) this.recorder.spans.push(span)
    return span
  }

  set(key: string, value: AttributeValue): void {
    this.attributes[key] = value
  }

  addEvent(name: string, attributes: Attributes, atNs: number = nowNs()): void {
    ;(this.events ??= []).push({ name, atNs, attributes })
  }

  fail(failure: SpanFailure): void {
    this.failure = failure
  }

  /** Ends the span; a second call changes nothing. */
  end(atNs: number = nowNs()): void {
    if (this.endNs === 0) this.endNs = atNs
  }
}
