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
import { ProtobufWriter, type Prepared } from './protobuf.ts'
import type { AttributeValue, Recorder, Span } from './recorder.ts'
import { durationMs, throughputMbps, type NameRules } from './span-kinds.ts'

/** What the template needs to know of a span's name. */
interface Name {
  readonly name: Prepared
  readonly rules: NameRules
}

/** A span that has nothing but ids, times and attributes, and is nobody's child but ours; its trace may be another's. */
export function isTemplated(span: Span, recorder: Recorder): boolean {
  return (
    span.events === undefined &&
    span.failure === undefined &&
    span.lost === undefined &&
    recorder.kinds === undefined &&
    (span.parent === undefined
      ? recorder.parent === undefined && recorder.links === undefined
      : recorder.parent?.traceState === undefined)
  )
}

/**
 * The bytes of a span with a given name and given keys, and where in them its ids, times and other doubles go: such a span
 * is one copy and some twenty numbers. A value that turned out to change from span to span is written behind them.
 */
export class SpanTemplate {
  readonly spanName: string
  readonly isRoot: boolean
  readonly level: number
  /** Another template for the same keys. */
  next: SpanTemplate | undefined
  readonly #name: Name
  readonly #keys: readonly AttributeKey[]
  /** Where the number is that the throughput follows from; -1 where there is none. */
  readonly #movedIndex: number
  readonly #places: Uint8Array
  #bytes = new Uint8Array(0)
  /** Where in the bytes; -1 where there is none. */
  #fixedAt = 0
  #durationAt = -1
  #throughputAt = -1
  /** By place: which of the span's values they are, and what is known of each. */
  #fixed: number[] = []
  #fixedValues: readonly (AttributeValue | undefined)[]
  #doubles: number[] = []
  #doublesAt: number[] = []
  #varying: number[] = []
  #varyingKeys: AttributeKey[] = []

  /** Of a span for which `isTemplated` holds. */
  constructor(span: Span, name: Name, keyOf: (key: string) => AttributeKey) {
    const { rules } = name
    const values = span.values ?? []
    this.spanName = span.name
    this.isRoot = span.parent === undefined
    this.level = rules.level
    this.#name = name
    this.#keys = span.keys.list.map(keyOf)
    this.#movedIndex = rules.movedBytes === undefined ? -1 : span.keys.indexOf(rules.movedBytes)
    const derived = [rules.duration, this.#movedIndex < 0 ? undefined : 'posix.throughput_mbps']
    this.#places = Uint8Array.from(this.#keys, (entry, i) =>
      derived.includes(entry.key) || span.keys.indexOf(entry.key) !== i
        ? PLACE.hidden
        : placeOf(entry, values[i]),
    )
    this.#fixedValues = []
    this.#build(values)
  }

  /** Writes a span for which `isTemplated` holds, of this name and with these keys; false where it must be written otherwise. */
  write(span: Span, recorder: Recorder, writer: ProtobufWriter): boolean {
    const values = span.values ?? NO_VALUES
    const moved = this.#movedIndex < 0 ? 0 : values[this.#movedIndex]
    if (typeof moved !== 'number') return false
    this.#fit(values)
    const template = this.#bytes
    writer.reserve(template.length)
    const { at, view } = writer
    writer.block.set(template, at)
    const { parent } = span
    const ns = span.endNs - span.startNs
    writeTraceId(view, at + TRACE_ID_AT, recorder.traceId)
    view.setInt32(at + SPAN_ID_AT, span.idHigh)
    view.setInt32(at + SPAN_ID_AT + 4, span.idLow)
    if (parent !== undefined) {
      view.setInt32(at + PARENT_ID_AT, parent.idHigh)
      view.setInt32(at + PARENT_ID_AT + 4, parent.idLow)
    }
    const { anchor } = recorder
    writeTime(view, at + this.#fixedAt + FIXED.startTime, span.startNs, anchor)
    writeTime(view, at + this.#fixedAt + FIXED.endTime, span.endNs, anchor)
    if (this.#durationAt >= 0) view.setFloat64(at + this.#durationAt, durationMs(ns), true)
    if (this.#throughputAt >= 0)
      view.setFloat64(at + this.#throughputAt, throughputMbps(moved, ns), true)
    const doublesAt = this.#doublesAt
    for (let i = 0; i < doublesAt.length; i++)
      view.setFloat64(at + (doublesAt[i] ?? 0), values[this.#doubles[i] ?? 0] as number, true)
    writer.at = at + template.length
    const varying = this.#varying
    for (let i = 0; i < varying.length; i++) {
      const key = this.#varyingKeys[i]
      const value = values[varying[i] ?? 0]
      if (key !== undefined && value !== undefined)
        writeAttribute(writer, TAG.attribute, key, value)
    }
    writer.close(at + HEAD)
    return true
  }

  /** A value that is not as the template has it is expected to vary from then on. */
  #fit(values: readonly AttributeValue[]): void {
    const places = this.#places
    let isStale = false
    const fixed = this.#fixed
    for (let i = 0; i < fixed.length; i++) {
      const index = fixed[i] ?? 0
      if (values[index] === this.#fixedValues[i]) continue
      places[index] = PLACE.varying
      isStale = true
    }
    for (const index of this.#doubles) {
      if (typeof values[index] === 'number') continue
      places[index] = PLACE.varying
      isStale = true
    }
    if (isStale) this.#build(values)
  }

  #build(values: readonly AttributeValue[]): void {
    const { name } = this.#name
    const writer = new ProtobufWriter(new Uint8Array(1024))
    writer.open(SCOPE_SPANS_SPAN)
    writeHeads(writer, this.isRoot)
    writer.reserve(name.length + 64)
    writer.prepared(name)
    const { view, at } = writer
    const kind = this.isRoot ? KIND.server : KIND.internal
    writeFixed(view, at, kind, FLAG.sampled | FLAG.hasIsRemote)
    this.#fixedAt = at
    writer.at = at + FIXED.bytes
    this.#buildAttributes(writer, values)
    this.#bytes = writer.block.slice(0, writer.at)
  }

  #buildAttributes(writer: ProtobufWriter, values: readonly AttributeValue[]): void {
    const { duration } = this.#name.rules
    if (duration !== undefined) this.#durationAt = double(writer, attributeKey(duration))
    if (this.#movedIndex >= 0)
      this.#throughputAt = double(writer, attributeKey('posix.throughput_mbps'))
    const indexes = (place: number): number[] =>
      [...this.#keys.keys()].filter((i) => this.#places[i] === place)
    this.#fixed = indexes(PLACE.fixed)
    this.#fixedValues = this.#fixed.map((i) => values[i])
    this.#doubles = indexes(PLACE.double)
    this.#varying = indexes(PLACE.varying)
    const keysOf = (list: number[]): AttributeKey[] => list.flatMap((i) => this.#keys[i] ?? [])
    this.#varyingKeys = keysOf(this.#varying)
    this.#doublesAt = keysOf(this.#doubles).map((key) => double(writer, key))
    for (const [i, key] of keysOf(this.#fixed).entries()) {
      const value = this.#fixedValues[i]
      if (value !== undefined) writeAttribute(writer, TAG.attribute, key, value)
    }
  }
}

const NO_VALUES: readonly AttributeValue[] = []

/** How an attribute stands in a template. */
const PLACE = {
  /** With its bytes, as long as it has that value. */
  fixed: 0,
  /** Eight bytes of it are filled in. */
  double: 1,
  /** It follows behind the template. */
  varying: 2,
  /** It is not written: a later or a derived value counts. */
  hidden: 3,
} as const

/** Longer texts are hardly ever the same twice. */
const LONGEST_FIXED = 256

function placeOf(key: AttributeKey, value: AttributeValue | undefined): number {
  if (typeof value === 'number' && key.isDouble) return PLACE.double
  return typeof value === 'string' && value.length > LONGEST_FIXED ? PLACE.varying : PLACE.fixed
}

/** Tag and length of the span, and of its ids. */
const HEAD = 3
const TRACE_ID_AT = HEAD + 2
const SPAN_ID_AT = TRACE_ID_AT + 16 + 2
const PARENT_ID_AT = SPAN_ID_AT + 8 + 2

function writeHeads(writer: ProtobufWriter, isRoot: boolean): void {
  const { view } = writer
  view.setUint16(TRACE_ID_AT - 2, TRACE_ID_HEAD)
  view.setUint16(SPAN_ID_AT - 2, SPAN_ID_HEAD)
  if (!isRoot) view.setUint16(PARENT_ID_AT - 2, PARENT_ID_HEAD)
  writer.at = isRoot ? SPAN_ID_AT + 8 : PARENT_ID_AT + 8
}

/** Writes an attribute that is a double, and tells where its eight bytes are. */
function double(writer: ProtobufWriter, key: AttributeKey): number {
  writeAttribute(writer, TAG.attribute, key, 0.5)
  return writer.at - 8
}
