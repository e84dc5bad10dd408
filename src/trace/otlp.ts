import type { Anchor } from './clock.ts'
import { wordAt } from './ids.ts'
import type { Lost } from './limits.ts'
import { attributeKey, writeAttribute, type AttributeKey } from './otlp-attribute.ts'
import { prepare, preparedFrom, type Prepared, type ProtobufWriter } from './protobuf.ts'
import {
  kindOf,
  type Attributes,
  type AttributeValue,
  type Recorder,
  type Span,
  type SpanEvent,
  type SpanFailure,
  type SpanKind,
  type SpanLink,
} from './recorder.ts'
import { durationMs, nameRules, throughputMbps, type NameRules } from './span-kinds.ts'

/**
 * Encodes settled spans straight from their record to OTLP protobuf. The SDK's objects and serialiser take some thirty
 * times as long; a test decodes what both make of one record and compares. Field numbers are those of
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 *
 * Speed comes from what recurs: span names and attribute keys are kept as bytes, and for each place in the attribute
 * list of a span name the last key and value with them, since most are the same from request to request. So most
 * attributes take two comparisons of pointers and a short copy. Everything is written forward into one block.
 */
export class OtlpEncoder {
  readonly #writer: ProtobufWriter
  readonly #names = new Map<string, NameEntry>()
  readonly #keys = new Map<string, AttributeKey>()
  readonly #traceId = new Int32Array(4)
  #traceIdText = ''
  /** Counts attribute lists: a key whose `seenIn` is the current one has been written already. */
  #list = 0

  constructor(writer: ProtobufWriter) {
    this.#writer = writer
  }

  /**
   * Writes one span as an element of ScopeSpans.spans, unless it stands below `level`. No span stands at a higher level
   * than its parent, so the cut leaves no orphan.
   */
  span(span: Span, recorder: Recorder, level: number): boolean {
    const { parent } = span
    const entry = this.#nameEntry(span.name)
    if (parent !== undefined && entry.rules.level > level) return false
    const writer = this.#writer
    writer.reserve(ROOM_FOR_FIXED_FIELDS + entry.name.length)
    const start = writer.open(SCOPE_SPANS_SPAN)
    this.#ids(span, recorder)
    writer.prepared(entry.name)
    this.#fixedFields(span, recorder)
    this.#spanAttributes(span, entry)
    const traceState = recorder.parent?.traceState
    if (traceState !== undefined) writer.string(TAG.traceState, traceState)
    if (span.events !== undefined)
      for (const event of span.events) this.#event(event, recorder.anchor)
    if (span.failure !== undefined) this.#failure(span.failure, span.endNs, recorder.anchor)
    if (parent === undefined && recorder.links !== undefined)
      for (const link of recorder.links) this.#link(link)
    if (span.lost !== undefined) this.#lost(span.lost)
    writer.close(start)
    return true
  }

  /** An attribute list on its own, as in a resource. */
  attributes(tag: number, attributes: Attributes): void {
    for (const key in attributes) {
      const value = attributes[key]
      if (value !== undefined) writeAttribute(this.#writer, tag, this.#key(key), value)
    }
  }

  #ids(span: Span, recorder: Recorder): void {
    const writer = this.#writer
    const { view, at } = writer
    const { parent } = span
    view.setUint16(at, TRACE_ID_HEAD)
    this.#copyTraceId(at + 2, recorder.traceId)
    view.setUint16(at + 18, SPAN_ID_HEAD)
    view.setInt32(at + 20, span.idHigh)
    view.setInt32(at + 24, span.idLow)
    writer.at = at + 28
    if (parent === undefined && recorder.parent === undefined) return
    view.setUint16(at + 28, PARENT_ID_HEAD)
    view.setInt32(
      at + 30,
      parent === undefined ? wordAt(recorder.parent?.spanId ?? '', 0) : parent.idHigh,
    )
    view.setInt32(
      at + 34,
      parent === undefined ? wordAt(recorder.parent?.spanId ?? '', 8) : parent.idLow,
    )
    writer.at = at + 38
  }

  #copyTraceId(at: number, traceId: string): void {
    const words = this.#traceId
    if (traceId !== this.#traceIdText) {
      this.#traceIdText = traceId
      for (let i = 0; i < 4; i++) words[i] = wordAt(traceId, i * 8)
    }
    const { view } = this.#writer
    for (let i = 0; i < 4; i++) view.setInt32(at + i * 4, words[i] ?? 0)
  }

  /** Kind, times and flags: fields 6, 7, 8 and 16. */
  #fixedFields(span: Span, recorder: Recorder): void {
    const writer = this.#writer
    const { view, at } = writer
    const isRoot = span.parent === undefined
    view.setUint16(
      at,
      recorder.kinds === undefined ? (isRoot ? KIND.server : KIND.internal) : KIND[kindOf(span)],
    )
    view.setUint8(at + 2, TAG.startTime)
    writeTime(view, at + 3, span.startNs, recorder.anchor)
    view.setUint8(at + 11, TAG.endTime)
    writeTime(view, at + 12, span.endNs, recorder.anchor)
    view.setUint16(at + 20, FLAGS_TAG)
    view.setUint32(
      at + 22,
      FLAG.sampled |
        FLAG.hasIsRemote |
        (isRoot && recorder.parent !== undefined ? FLAG.isRemote : 0),
      true,
    )
    writer.at = at + 26
  }

  /** What is written first wins: derived values, then the later of those set. */
  #spanAttributes(span: Span, { rules, places }: NameEntry): void {
    const list = ++this.#list
    const ns = span.endNs - span.startNs
    if (rules.duration !== undefined) this.#derived(rules.duration, durationMs(ns))
    if (span.failure !== undefined) this.#derived('error.type', span.failure.type)
    if (rules.movedBytes !== undefined) {
      const moved = span.read(rules.movedBytes)
      if (typeof moved === 'number')
        this.#derived('posix.throughput_mbps', throughputMbps(moved, ns))
    }
    const { added, given } = span
    let index = 0
    if (added !== undefined) {
      for (let i = added.length - 2; i >= 0; i -= 2) {
        const place = this.#place(places, index++, added[i])
        if (place.key.seenIn !== list) this.#atPlace(place, added[i + 1])
      }
    }
    for (const key in given) {
      const place = this.#place(places, index++, key)
      if (place.key.seenIn !== list) this.#atPlace(place, given[key])
    }
  }

  #derived(key: string, value: AttributeValue): void {
    const entry = this.#key(key)
    entry.seenIn = this.#list
    writeAttribute(this.#writer, TAG.attribute, entry, value)
  }

  #atPlace(place: Place, value: AttributeValue | undefined): void {
    place.key.seenIn = this.#list
    if (value === undefined) return
    const writer = this.#writer
    if (value === place.value) {
      if (place.misses > 0) place.misses--
      writer.reserve(place.bytes.length + 4)
      writer.prepared(place.bytes)
      return
    }
    const start = writer.at
    writeAttribute(writer, TAG.attribute, place.key, value)
    // A place whose value mostly differs gives up, but for a try now and then.
    place.misses += COST_OF_MISS
    if (place.misses > MAX_MISSES && place.misses < RETRY) return
    if (place.misses >= RETRY) place.misses = 0
    place.value = value
    place.bytes = preparedFrom(writer, start, writer.at)
  }

  #event(event: SpanEvent, anchor: Anchor): void {
    const writer = this.#writer
    writer.reserve(32)
    const start = writer.open(TAG.event)
    writer.byte(TAG.eventTime)
    writeTime(writer.view, writer.at, event.atNs, anchor)
    writer.at += 8
    writer.string(TAG.eventName, event.name)
    this.attributes(TAG.eventAttribute, event.attributes)
    writer.close(start)
  }

  /** The exception event and the status ERROR of a span that failed. */
  #failure(failure: SpanFailure, atNs: number, anchor: Anchor): void {
    const writer = this.#writer
    this.#event({ name: 'exception', atNs, attributes: exceptionAttributes(failure) }, anchor)
    writer.reserve(16)
    const start = writer.open(TAG.status)
    writer.string(TAG.statusMessage, failure.message)
    writer.reserve(4)
    writer.byte(TAG.statusCode)
    writer.byte(STATUS_ERROR)
    writer.close(start)
  }

  #link({ context, attributes }: SpanLink): void {
    const { traceId, spanId, sampled, traceState } = context
    const writer = this.#writer
    writer.reserve(64)
    const start = writer.open(TAG.link)
    writer.bytes(TAG.linkTraceId, Buffer.from(traceId, 'hex'))
    writer.bytes(TAG.linkSpanId, Buffer.from(spanId, 'hex'))
    if (traceState !== undefined) writer.string(TAG.linkTraceState, traceState)
    this.attributes(TAG.linkAttribute, attributes)
    writer.reserve(8)
    writer.byte(TAG.linkFlags)
    writer.view.setUint32(
      writer.at,
      (sampled ? FLAG.sampled : 0) | FLAG.hasIsRemote | FLAG.isRemote,
      true,
    )
    writer.at += 4
    writer.close(start)
  }

  #lost({ attributes, events, links }: Lost): void {
    const writer = this.#writer
    writer.reserve(32)
    writer.byte(TAG.droppedAttributes)
    writer.varint(attributes)
    writer.byte(TAG.droppedEvents)
    writer.varint(events)
    writer.byte(TAG.droppedLinks)
    writer.varint(links)
  }

  #nameEntry(name: string): NameEntry {
    const known = this.#names.get(name)
    if (known !== undefined) return known
    const entry = {
      name: prepare((writer) => writer.string(TAG.name, name)),
      rules: nameRules(name),
      places: [],
    }
    if (this.#names.size < MAX_CACHED) this.#names.set(name, entry)
    return entry
  }

  #place(places: Place[], index: number, key: AttributeValue | undefined): Place {
    const first = places[index]
    for (let place = first; place !== undefined; place = place.other)
      if (place.key.key === key) return place
    return (places[index] = {
      key: this.#key(String(key)),
      value: undefined,
      bytes: NOTHING,
      misses: 0,
      other: first?.other?.other === undefined ? first : undefined,
    })
  }

  #key(key: string): AttributeKey {
    const known = this.#keys.get(key)
    if (known !== undefined) return known
    const entry = attributeKey(key)
    if (this.#keys.size < MAX_CACHED) this.#keys.set(key, entry)
    return entry
  }
}

/** What a failure looks like in OpenTelemetry: https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/ */
export function exceptionAttributes({ type, message, stack }: SpanFailure): Attributes {
  const attributes = { 'exception.type': type, 'exception.message': message }
  return stack === undefined ? attributes : { ...attributes, 'exception.stacktrace': stack }
}

/** A span name: its field, what follows from it, and the attributes that the last span of that name had, in order. */
interface NameEntry {
  readonly name: Prepared
  readonly rules: NameRules
  readonly places: Place[]
}

/** A place in an attribute list, and what stood there last. */
interface Place {
  readonly key: AttributeKey
  value: AttributeValue | undefined
  /** The whole attribute with `value`. */
  bytes: Prepared
  /** Grows with each other value that came, and shrinks with each that was the same. */
  misses: number
  /** Other keys that stand there too: some names are those of several kinds of spans. */
  other: Place | undefined
}

const NOTHING: Prepared = { bytes: new Uint8Array(0), words: new Int32Array(0), length: 0 }

const COST_OF_MISS = 2
const MAX_MISSES = 8
const RETRY = 1024

/** Names and keys come from the program, not from requests; the bound is for those who extend it carelessly. */
const MAX_CACHED = 4096

/** Field number × 8 + wire type. */
const TAG = {
  traceState: 0x1a,
  name: 0x2a,
  startTime: 0x39,
  endTime: 0x41,
  attribute: 0x4a,
  event: 0x5a,
  eventTime: 0x09,
  eventName: 0x12,
  eventAttribute: 0x1a,
  link: 0x6a,
  linkTraceId: 0x0a,
  linkSpanId: 0x12,
  linkTraceState: 0x1a,
  linkAttribute: 0x22,
  linkFlags: 0x35,
  droppedAttributes: 0x50,
  droppedEvents: 0x60,
  droppedLinks: 0x70,
  status: 0x7a,
  statusMessage: 0x12,
  statusCode: 0x18,
} as const

/** Tag and length of the ids, tag and value of the kinds, the two-byte tag of field 16. */
const TRACE_ID_HEAD = 0x0a10
const SPAN_ID_HEAD = 0x1208
const PARENT_ID_HEAD = 0x2208
const KIND = {
  internal: 0x3001,
  server: 0x3002,
  client: 0x3003,
  producer: 0x3004,
  consumer: 0x3005,
} as const satisfies Record<SpanKind, number>
const FLAGS_TAG = 0x8501

/** ScopeSpans.spans. */
const SCOPE_SPANS_SPAN = 0x12
const STATUS_ERROR = 2

/** SpanFlags: the low byte is W3C's trace flags, bits 8 and 9 say whether the parent is remote. */
const FLAG = { sampled: 0x01, hasIsRemote: 0x100, isRemote: 0x200 } as const

/** Tag and length of the span, ids, kind, times and flags, and what `prepared` may write beyond its end. */
const ROOM_FOR_FIXED_FIELDS = 96

/** Nanoseconds since 1970, added up in two halves because they do not fit in a double. */
function writeTime(view: DataView, at: number, ns: number, anchor: Anchor): void {
  const low = anchor.unixLow + Math.round(ns - anchor.monotonicNs)
  const carry = Math.floor(low / 0x1_0000_0000)
  view.setUint32(at, low - carry * 0x1_0000_0000, true)
  view.setUint32(at + 4, anchor.unixHigh + carry, true)
}
