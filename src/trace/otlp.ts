import type { Anchor } from './clock.ts'
import { wordAt } from './ids.ts'
import type { Lost } from './limits.ts'
import { attributeKey, writeAttribute, type AttributeKey } from './otlp-attribute.ts'
import {
  FIXED,
  FLAG,
  KIND,
  PARENT_ID_HEAD,
  SCOPE_SPANS_SPAN,
  SPAN_ID_HEAD,
  TAG,
  TRACE_ID_HEAD,
  writeFixed,
  writeTime,
  writeTraceId,
} from './otlp-fields.ts'
import { prepare, type Prepared, type ProtobufWriter } from './protobuf.ts'
import {
  kindOf,
  type Attributes,
  type AttributeValue,
  type Recorder,
  type Span,
  type SpanEvent,
  type SpanFailure,
  type SpanLink,
} from './recorder.ts'
import { isTemplated, SpanTemplate } from './span-template.ts'
import { durationMs, nameRules, throughputMbps, type NameRules } from './span-kinds.ts'

/**
 * Encodes settled spans straight from their record to OTLP protobuf. The SDK's objects and serialiser take some thirty
 * times as long; a test decodes what both make of one record and compares. Field numbers are those of
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 *
 * Speed comes from what recurs: spans of a name mostly have the same attributes in the same order, and most of them the same
 * values. So they are copied from a template (`span-template.ts`), and what is written here attribute by attribute are those
 * that are unlike others: failed ones, and those with events, links or a caller of their own.
 */
export class OtlpEncoder {
  readonly #writer: ProtobufWriter
  readonly #names = new Map<string, NameEntry>()
  readonly #keys = new Map<string, AttributeKey>()
  /** By the number of their keys, in lists. */
  readonly #templates: (SpanTemplate | undefined)[] = []
  #templateCount = 0
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
    if (isTemplated(span, recorder)) {
      const template = this.#template(span)
      if (template !== undefined) {
        if (!template.isRoot && template.level > level) return false
        if (template.write(span, recorder, this.#writer)) return true
      }
    }
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

  /** What spans of this name with these keys look like; undefined where there are too many kinds of them. */
  #template(span: Span): SpanTemplate | undefined {
    const { name, keys } = span
    const isRoot = span.parent === undefined
    let template = this.#templates[keys.id]
    while (template !== undefined && (template.spanName !== name || template.isRoot !== isRoot))
      template = template.next
    return template ?? this.#newTemplate(span)
  }

  #newTemplate(span: Span): SpanTemplate | undefined {
    const { id } = span.keys
    if (id < 0 || this.#templateCount >= MAX_TEMPLATES) return undefined
    this.#templateCount++
    const template = new SpanTemplate(span, this.#nameEntry(span.name), (key) => this.#key(key))
    template.next = this.#templates[id]
    this.#templates[id] = template
    return template
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
    writeTraceId(view, at + 2, recorder.traceId)
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

  /** Kind, times and flags: fields 6, 7, 8 and 16. */
  #fixedFields(span: Span, recorder: Recorder): void {
    const writer = this.#writer
    const { view, at } = writer
    const isRoot = span.parent === undefined
    const kind = recorder.kinds === undefined ? (isRoot ? 'server' : 'internal') : kindOf(span)
    const isRemote = isRoot && recorder.parent !== undefined
    const flags = FLAG.sampled | FLAG.hasIsRemote | (isRemote ? FLAG.isRemote : 0)
    writeFixed(view, at, KIND[kind], flags)
    writeTime(view, at + FIXED.startTime, span.startNs, recorder.anchor)
    writeTime(view, at + FIXED.endTime, span.endNs, recorder.anchor)
    writer.at = at + FIXED.bytes
  }

  /** What is written first wins: derived values, then the later of those set. */
  #spanAttributes(span: Span, { rules }: NameEntry): void {
    this.#list++
    const ns = span.endNs - span.startNs
    if (rules.duration !== undefined) this.#derived(rules.duration, durationMs(ns))
    if (span.failure !== undefined) this.#derived('error.type', span.failure.type)
    if (rules.movedBytes !== undefined) {
      const moved = span.read(rules.movedBytes)
      if (typeof moved === 'number')
        this.#derived('posix.throughput_mbps', throughputMbps(moved, ns))
    }
    const keys = span.keys.list
    for (let i = keys.length - 1; i >= 0; i--) this.#given(keys[i] ?? '', span.values?.[i])
  }

  #given(key: string, value: AttributeValue | undefined): void {
    const entry = this.#key(key)
    if (entry.seenIn === this.#list) return
    entry.seenIn = this.#list
    if (value !== undefined) writeAttribute(this.#writer, TAG.attribute, entry, value)
  }

  #derived(key: string, value: AttributeValue): void {
    const entry = this.#key(key)
    entry.seenIn = this.#list
    writeAttribute(this.#writer, TAG.attribute, entry, value)
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
    }
    if (this.#names.size < MAX_CACHED) this.#names.set(name, entry)
    return entry
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

/** A span name: its field, and what follows from it. */
interface NameEntry {
  readonly name: Prepared
  readonly rules: NameRules
}

/** Names and keys come from the program, not from requests; the bounds are for those who extend it carelessly. */
const MAX_CACHED = 4096
const MAX_TEMPLATES = 1024

const STATUS_ERROR = 2

/** Tag and length of the span, ids, kind, times and flags, and what `prepared` may write beyond its end. */
const ROOM_FOR_FIXED_FIELDS = 96
