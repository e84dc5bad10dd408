import { NO_KEYS, type AttributeKeys } from './attribute-keys.ts'
import { currentAnchor, nowNs, type Anchor } from './clock.ts'
import type { Lost } from './limits.ts'
import type { Propagator } from './tracing-config.ts'
import { newTraceId, randomWord, spanIdInCapitals, spanIdText } from './ids.ts'

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

/** https://opentelemetry.io/docs/specs/otel/trace/api/#spankind */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

/** Who called us, as far as the headers tell: https://www.w3.org/TR/trace-context/#traceparent-header */
export interface RemoteParent {
  readonly traceId: string
  readonly spanId: string
  /** Undefined where that is left to us, which only B3 does. */
  readonly sampled: boolean | undefined
  readonly traceState: string | undefined
}

const NONE: Attributes = Object.freeze({})

/** What has to be known of sampling before a request is over: what is said to those whom it asks. */
export interface SamplingSoFar {
  readonly propagators: readonly Propagator[]
  isSampledSoFar(recorder: Recorder): boolean
}

/** A span of another trace that has to do with this one. */
export interface SpanLink {
  readonly context: RemoteParent
  readonly attributes: Attributes
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
  recording: boolean
  readonly anchor: Anchor
  /** In the order of their creation: a parent stands before its children. */
  readonly spans: Span[] = []
  readonly root: Span
  /** Other traces that this one's root is linked to, such as that of a caller who was not continued. */
  links: readonly SpanLink[] | undefined
  /** Of the gateway's tracing; undefined in records that nobody decides about. */
  sampling: SamplingSoFar | undefined
  /** The caller's signature was valid. */
  isAuthenticated = false
  /** What the head sampler said while it could not trust the caller, so that it says the same again. */
  untrustedSampled: boolean | undefined
  /** Whether the head sampler chose this trace, once that is known; the tail rule may keep it all the same. */
  headSampled: boolean | undefined
  /** How deep it goes where it is kept (`span-kinds.ts`). */
  level = 0
  /** Spans for which there was no room. */
  lostSpans = 0
  /** Of spans that are not what the gateway's own are: its roots are `server`, all others `internal`. */
  kinds: Map<Span, SpanKind> | undefined
  /** Set once, at the end, by `decide`: late entries follow it. */
  decision: 'open' | 'kept' | 'dropped' = 'open'
  /** Takes the spans that end after a trace was kept. */
  late: ((span: Span) => void) | undefined
  #rootIdInCapitals = ''

  constructor(recording: boolean, parent: RemoteParent | undefined, startNs: number = nowNs()) {
    this.recording = recording
    this.parent = parent
    this.traceId = parent === undefined ? newTraceId() : parent.traceId
    this.anchor = currentAnchor(startNs)
    this.root = new Span(this, undefined, 'S3.Unknown', startNs)
    this.spans.push(this.root)
  }

  /** The root's `spanId`, as the answer has it and, where it is kept, the trace. */
  get rootIdInCapitals(): string {
    if (this.#rootIdInCapitals === '')
      this.#rootIdInCapitals = spanIdInCapitals(this.root.idHigh, this.root.idLow)
    return this.#rootIdInCapitals
  }

  link(context: RemoteParent, attributes: Attributes = NONE): void {
    this.links = [...(this.links ?? []), { context, attributes }]
  }

  /** Takes a span below the root, while there is room; a record that has lost one takes no more, so that no child is orphaned. */
  add(span: Span): void {
    if (this.decision !== 'open') return
    if (this.spans.length < USUAL_SPANS || this.#isGrantedMore()) this.spans.push(span)
    else this.lostSpans++
  }

  #isGrantedMore(): boolean {
    if (this.lostSpans > 0 || this.spans.length >= MAX_SPANS || extraSpans >= MAX_EXTRA_SPANS)
      return false
    extraSpans++
    return true
  }

  /** Once; what comes now is late. */
  decide(decision: 'kept' | 'dropped'): void {
    this.decision = decision
    extraSpans -= Math.max(0, this.spans.length - USUAL_SPANS)
  }
}

export function kindOf(span: Span): SpanKind {
  return span.recorder.kinds?.get(span) ?? (span.parent === undefined ? 'server' : 'internal')
}

/** What a request needs that does not assemble an upload. How many requests there are at a time is bounded elsewhere. */
const USUAL_SPANS = 1000

/** An upload of ten thousand parts has some forty thousand. */
const MAX_SPANS = 100_000

/** What all requests under way have together beyond the usual: some 150 MB. */
const MAX_EXTRA_SPANS = 500_000
let extraSpans = 0

/** The same for events: one a part. */
const MAX_EVENTS = 20_000

/**
 * One span under construction; it may grow until the decision is made.
 *
 * Attributes are two lists, keys and values, not an object: one that gains its twentieth property one by one becomes a hash
 * table, ten times slower to make and to read. A key may stand there more than once: the later value wins.
 */
export class Span {
  readonly recorder: Recorder
  readonly parent: Span | undefined
  name: string
  startNs: number
  /** 0 while the span is open. */
  endNs = 0
  keys: AttributeKeys = NO_KEYS
  values: AttributeValue[] | undefined
  events: SpanEvent[] | undefined
  failure: SpanFailure | undefined
  /** Raw system-call records under this span, as the addon wrote them; see `io/syscalls.ts` for their layout. */
  syscalls: Float64Array | undefined
  /** What limits have cut off (`limits.ts`). */
  lost: Lost | undefined
  #idHigh = 0
  #idLow = 0

  constructor(recorder: Recorder, parent: Span | undefined, name: string, startNs: number) {
    this.recorder = recorder
    this.parent = parent
    this.name = name
    this.startNs = startNs
  }

  /** All attributes, in a new object. */
  get attributes(): Attributes {
    const all: Record<string, AttributeValue> = {}
    for (const [i, key] of this.keys.list.entries()) {
      const value = this.values?.[i]
      if (value !== undefined) all[key] = value
    }
    return all
  }

  /** In place of all there were. */
  set attributes(attributes: Attributes) {
    this.keys = NO_KEYS
    this.values = undefined
    this.setAll(attributes)
  }

  get recording(): boolean {
    return this.recorder.recording
  }

  /** One attribute. */
  read(key: string): AttributeValue | undefined {
    return this.values?.[this.keys.indexOf(key)]
  }

  /** 16 hex digits. */
  get spanId(): string {
    return spanIdText(this.idHigh, this.idLow)
  }

  /** The id's first 32 bits; the id is made when first asked for. */
  get idHigh(): number {
    if (this.#idHigh === 0) this.#makeId()
    return this.#idHigh
  }

  /** The id's last 32 bits. */
  get idLow(): number {
    if (this.#idHigh === 0) this.#makeId()
    return this.#idLow
  }

  /** Opens a span below this one. */
  child(name: string, attributes?: Attributes, startNs: number = nowNs()): Span {
    const span = new Span(this.recorder, this, name, startNs)
    if (!this.recorder.recording) return span
    if (attributes !== undefined) span.setAll(attributes)
    this.recorder.add(span)
    return span
  }

  set(key: string, value: AttributeValue): void {
    if (!this.recorder.recording) return
    this.keys = this.keys.with(key)
    if (this.values === undefined) this.values = [value]
    else this.values.push(value)
  }

  /** The attributes of a span that has none yet, for those who know their keys beforehand. The values are the span's from then on. */
  describe(keys: AttributeKeys, values: AttributeValue[]): void {
    this.keys = keys
    this.values = values
  }

  setAll(attributes: Attributes): void {
    for (const key in attributes) {
      const value = attributes[key]
      if (value !== undefined) this.set(key, value)
    }
  }

  addEvent(name: string, attributes: Attributes, atNs: number = nowNs()): void {
    if (!this.recorder.recording) return
    this.events ??= []
    if (this.events.length < MAX_EVENTS) this.events.push({ name, atNs, attributes })
    else this.lost = { attributes: 0, links: 0, events: (this.lost?.events ?? 0) + 1 }
  }

  fail(failure: SpanFailure): void {
    this.failure = failure
  }

  /** Ends the span; a second call changes nothing. */
  end(atNs: number = nowNs()): void {
    if (this.endNs !== 0) return
    this.endNs = atNs
    if (this.recorder.late !== undefined) this.recorder.late(this)
  }

  #makeId(): void {
    do this.#idHigh = randomWord()
    while (this.#idHigh === 0)
    this.#idLow = randomWord()
  }
}
