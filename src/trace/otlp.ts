import type { Anchor } from './clock.ts'
import { wordAt } from './ids.ts'
import { prepare, varintSize, utf8Length, type Prepared, type ProtobufWriter } from './protobuf.ts'
import type { Attributes, AttributeValue, Recorder, RemoteParent, Span, SpanEvent, SpanFailure } from './recorder.ts'
import { durationMs, isDoubleKey, nameRules, throughputMbps, type NameRules } from './span-kinds.ts'

/**
 * Encodes settled spans straight from their record to OTLP protobuf. The SDK's objects and serialiser take some thirty
 * times as long; a test decodes what both make of one record and compares. Field numbers are those of
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 *
 * Speed comes from three things: what recurs is kept as bytes (span names, attribute keys); keys are guessed from the
 * span of that name before, so that most take a comparison of pointers and no look-up; and everything is written
 * forward into one block.
 */
export class OtlpEncoder {
  readonly #writer: ProtobufWriter
  readonly #names = new Map<string, NameEntry>()
  readonly #keys = new Map<string, KeyEntry>()
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
    const remote = parent === undefined ? recorder.parent : undefined
    writer.reserve(ROOM_FOR_FIXED_FIELDS + entry.name.length)
    const start = writer.open(SCOPE_SPANS_SPAN)
    writeTraceId(writer, TAG.traceId, recorder.traceId)
    writeSpanId(writer, TAG.spanId, span.idHigh, span.idLow)
    if (parent !== undefined) writeSpanId(writer, TAG.parentSpanId, parent.idHigh, parent.idLow)
    else if (remote !== undefined) writeSpanIdText(writer, TAG.parentSpanId, remote.spanId)
    writer.prepared(entry.name)
    writer.byte(TAG.kind)
    writer.byte(parent === undefined ? KIND_SERVER : KIND_INTERNAL)
    writeTime(writer, TAG.startTime, span.startNs, recorder.anchor)
    writeTime(writer, TAG.endTime, span.endNs, recorder.anchor)
    writer.byte(TAG.flags)
    writer.byte(TAG.flagsSecondByte)
    writer.fixed32(FLAG.sampled | FLAG.hasIsRemote | (remote === undefined ? 0 : FLAG.isRemote))
    this.#spanAttributes(span, entry)
    if (recorder.parent?.traceState !== undefined) writer.string(TAG.traceState, recorder.parent.traceState)
    if (span.events !== undefined) for (const event of span.events) this.#event(event, recorder.anchor)
    if (span.failure !== undefined) this.#failure(span.failure, span.endNs, recorder.anchor)
    if (parent === undefined && recorder.linked !== undefined) this.#link(recorder.linked)
    writer.close(start)
    return true
  }

  /** An attribute list on its own, as in a resource. */
  attributes(tag: number, attributes: Attributes): void {
    this.#list++
    for (const key in attributes) this.#attribute(tag, this.#keyEntry(key), attributes[key])
  }

  /** What is written first wins: derived values, then the later of those set. */
  #spanAttributes(span: Span, { rules, guesses }: NameEntry): void {
    const list = ++this.#list
    const ns = span.endNs - span.startNs
    if (rules.duration !== undefined) this.#attribute(TAG.attribute, this.#keyEntry(rules.duration), durationMs(ns))
    if (span.failure !== undefined) this.#attribute(TAG.attribute, this.#keyEntry('error.type'), span.failure.type)
    if (rules.movedBytes !== undefined) {
      const moved = span.read(rules.movedBytes)
      if (typeof moved === 'number') {
        this.#attribute(TAG.attribute, this.#keyEntry('posix.throughput_mbps'), throughputMbps(moved, ns))
      }
    }
    const { added, given } = span
    let index = 0
    if (added !== undefined) {
      for (let i = added.length - 2; i >= 0; i -= 2) {
        const entry = this.#guessedKey(guesses, index++, added[i])
        if (entry.seenIn !== list) this.#attribute(TAG.attribute, entry, added[i + 1])
      }
    }
    for (const key in given) {
      const entry = this.#guessedKey(guesses, index++, key)
      if (entry.seenIn !== list) this.#attribute(TAG.attribute, entry, given[key])
    }
  }

  /** KeyValue, whose value is an AnyValue; the key's bytes hold the tags around them as well. */
  #attribute(tag: number, entry: KeyEntry, value: AttributeValue | undefined): void {
    entry.seenIn = this.#list
    const writer = this.#writer
    const { bytes } = entry
    if (typeof value === 'string') {
      const length = utf8Length(value)
      const any = 1 + varintSize(length) + length
      const size = bytes.length + varintSize(any) + any
      writer.reserve(size + 16)
      writer.byte(tag)
      writer.varint(size)
      writer.prepared(bytes)
      writer.varint(any)
      writer.byte(ANY.string)
      writer.varint(length)
      writer.text(value, length)
    } else if (typeof value === 'number') {
      writer.reserve(bytes.length + 32)
      writer.byte(tag)
      if (entry.isDouble || !fitsInt64(value)) {
        writer.varint(bytes.length + 10)
        writer.prepared(bytes)
        writer.byte(9)
        writer.byte(ANY.double)
        writer.double(value)
      } else {
        const any = 1 + (value < 0 ? 10 : varintSize(value))
        writer.varint(bytes.length + 1 + any)
        writer.prepared(bytes)
        writer.byte(any)
        writer.byte(ANY.int)
        writer.int64(value)
      }
    } else if (value !== undefined) {
      writer.reserve(bytes.length + 16)
      writer.byte(tag)
      writer.varint(bytes.length + 3)
      writer.prepared(bytes)
      writer.byte(2)
      writer.byte(ANY.bool)
      writer.byte(value ? 1 : 0)
    }
  }

  #event(event: SpanEvent, anchor: Anchor): void {
    const writer = this.#writer
    writer.reserve(32)
    const start = writer.open(TAG.event)
    writeTime(writer, TAG.eventTime, event.atNs, anchor)
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

  #link({ traceId, spanId, sampled, traceState }: RemoteParent): void {
    const writer = this.#writer
    writer.reserve(64)
    const start = writer.open(TAG.link)
    writeTraceId(writer, TAG.linkTraceId, traceId)
    writeSpanIdText(writer, TAG.linkSpanId, spanId)
    if (traceState !== undefined) writer.string(TAG.linkTraceState, traceState)
    writer.reserve(8)
    writer.byte(TAG.linkFlags)
    writer.fixed32((sampled ? FLAG.sampled : 0) | FLAG.hasIsRemote | FLAG.isRemote)
    writer.close(start)
  }

  #nameEntry(name: string): NameEntry {
    const known = this.#names.get(name)
    if (known !== undefined) return known
    const entry = { name: prepare(field(TAG.name, Buffer.from(name))), rules: nameRules(name), guesses: [] }
    if (this.#names.size < MAX_CACHED) this.#names.set(name, entry)
    return entry
  }

  #guessedKey(guesses: KeyEntry[], index: number, key: AttributeValue | undefined): KeyEntry {
    const guess = guesses[index]
    if (guess !== undefined && guess.key === key) return guess
    return (guesses[index] = this.#keyEntry(String(key)))
  }

  #keyEntry(key: string): KeyEntry {
    const known = this.#keys.get(key)
    if (known !== undefined) return known
    const bytes = prepare(Buffer.concat([field(TAG.key, Buffer.from(key)), Buffer.from([TAG.value])]))
    const entry = { key, bytes, isDouble: isDoubleKey(key), seenIn: 0 }
    if (this.#keys.size < MAX_CACHED) this.#keys.set(key, entry)
    return entry
  }
}

/** What a failure looks like in OpenTelemetry: https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/ */
export function exceptionAttributes({ type, message, stack }: SpanFailure): Attributes {
  const attributes = { 'exception.type': type, 'exception.message': message }
  return stack === undefined ? attributes : { ...attributes, 'exception.stacktrace': stack }
}

/** Whether a number is written as an integer: the rule of OpenTelemetry's own serialiser. */
function fitsInt64(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63
}

/** A span name: its field, what follows from it, and the keys that the last span of that name had, in order. */
interface NameEntry {
  readonly name: Prepared
  readonly rules: NameRules
  readonly guesses: KeyEntry[]
}

/** An attribute key: its field and the tag of the value after it. */
interface KeyEntry {
  readonly key: string
  readonly bytes: Prepared
  readonly isDouble: boolean
  seenIn: number
}

/** Names and keys come from the program, not from requests; the bound is for those who extend it carelessly. */
const MAX_CACHED = 4096

/** Field number × 8 + wire type. */
const TAG = {
  traceId: 0x0a,
  spanId: 0x12,
  traceState: 0x1a,
  parentSpanId: 0x22,
  name: 0x2a,
  kind: 0x30,
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
  linkFlags: 0x35,
  status: 0x7a,
  statusMessage: 0x12,
  statusCode: 0x18,
  flags: 0x85,
  flagsSecondByte: 0x01,
  key: 0x0a,
  value: 0x12,
} as const

/** ScopeSpans.spans. */
const SCOPE_SPANS_SPAN = 0x12
const KIND_INTERNAL = 1
const KIND_SERVER = 2
const STATUS_ERROR = 2

/** SpanFlags: the low byte is W3C's trace flags, bits 8 and 9 say whether the parent is remote. */
const FLAG = { sampled: 0x01, hasIsRemote: 0x100, isRemote: 0x200 } as const

/** Tags of AnyValue's alternatives. */
const ANY = { string: 0x0a, bool: 0x10, int: 0x18, double: 0x21 } as const

/** Ids, kind, times, flags and their tags, and what `prepared` may write beyond its end. */
const ROOM_FOR_FIXED_FIELDS = 96

function field(tag: number, content: Buffer): Buffer {
  const length: number[] = []
  for (let rest = content.length; rest > 0 || length.length === 0; rest >>>= 7) {
    length.push((rest & 127) | (rest >= 128 ? 0x80 : 0))
  }
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}

function writeTraceId(writer: ProtobufWriter, tag: number, traceId: string): void {
  writer.byte(tag)
  writer.byte(16)
  for (let at = 0; at < 32; at += 8) writer.bigEndian32(wordAt(traceId, at))
}

function writeSpanId(writer: ProtobufWriter, tag: number, high: number, low: number): void {
  writer.byte(tag)
  writer.byte(8)
  writer.bigEndian32(high)
  writer.bigEndian32(low)
}

function writeSpanIdText(writer: ProtobufWriter, tag: number, spanId: string): void {
  writeSpanId(writer, tag, wordAt(spanId, 0), wordAt(spanId, 8))
}

/** Nanoseconds since 1970, added up in two halves because they do not fit in a double. */
function writeTime(writer: ProtobufWriter, tag: number, ns: number, anchor: Anchor): void {
  const low = anchor.unixLow + Math.round(ns - anchor.monotonicNs)
  const carry = Math.floor(low / 0x1_0000_0000)
  writer.byte(tag)
  writer.fixed64(low - carry * 0x1_0000_0000, anchor.unixHigh + carry)
}
