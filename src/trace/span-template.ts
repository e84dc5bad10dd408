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

/** A span that has nothing but ids, times and attributes, and is nobody's child but ours. */
export function isTemplated(span: Span, recorder: Recorder): boolean {
  return (
    span.events === undefined &&
    span.failure === undefined &&
    span.lost === undefined &&
    recorder.kinds === undefined &&
    recorder.parent === undefined &&
    (span.parent !== undefined || recorder.links === undefined)
  )
}

/**
 * The bytes of a span with given keys in a given order, and where in them its ids, times and other doubles go: a span that
 * fits is one copy and some twenty numbers. A value that turned out to change from span to span is written behind them.
 */
export class SpanTemplate {
  readonly #name: Name
  readonly #isRoot: boolean
  readonly #hasMoved: boolean
  readonly #keys: readonly string[]
  readonly #entries: readonly AttributeKey[]
  readonly #values: readonly (AttributeValue | undefined)[]
  readonly #places: Uint8Array
  /** What the span in hand has for the doubles and for what varies, in order. */
  readonly #doubles: Float64Array
  readonly #varying: (AttributeValue | undefined)[]
  #doubleCount = 0
  #varyingCount = 0
  /** The bytes are not those of the places any more. */
  #isStale = false
  #bytes = new Uint8Array(0)
  /** Where in the bytes; -1 where there is none. */
  #fixedAt = 0
  #durationAt = -1
  #throughputAt = -1
  #doublesAt: number[] = []
  #varyingKeys: AttributeKey[] = []

  /** Of a span for which `isTemplated` holds. */
  constructor(span: Span, name: Name, keyOf: (key: string) => AttributeKey) {
    const { rules } = name
    const list = listed(span)
    this.#name = name
    this.#isRoot = span.parent === undefined
    this.#hasMoved = movedBytes(span, rules) !== undefined
    this.#keys = list.map(([key]) => key)
    this.#entries = this.#keys.map(keyOf)
    this.#values = list.map(([, value]) => value)
    const seen = new Set<string>(this.#hasMoved ? ['posix.throughput_mbps'] : [])
    if (rules.duration !== undefined) seen.add(rules.duration)
    this.#places = Uint8Array.from(this.#entries, (entry, i) => {
      const place = seen.has(entry.key) ? PLACE.hidden : placeOf(entry, this.#values[i])
      seen.add(entry.key)
      return place
    })
    this.#doubles = new Float64Array(list.length)
    this.#varying = list.map(() => undefined)
    this.#build()
  }

  /** Writes a span for which `isTemplated` holds; false where it has other attributes. */
  write(span: Span, recorder: Recorder, writer: ProtobufWriter): boolean {
    const { parent } = span
    if ((parent === undefined) !== this.#isRoot) return false
    const moved =
      this.#name.rules.movedBytes === undefined ? undefined : movedBytes(span, this.#name.rules)
    if ((moved !== undefined) !== this.#hasMoved) return false
    if (!this.#take(span)) return false
    const template = this.#bytes
    writer.reserve(template.length)
    const { at, view } = writer
    writer.block.set(template, at)
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
    if (moved !== undefined)
      view.setFloat64(at + this.#throughputAt, throughputMbps(moved, ns), true)
    const doublesAt = this.#doublesAt
    for (let i = 0; i < doublesAt.length; i++)
      view.setFloat64(at + (doublesAt[i] ?? 0), this.#doubles[i] ?? 0, true)
    writer.at = at + template.length
    this.#writeVarying(writer)
    writer.close(at + HEAD)
    return true
  }

  /** Notes the span's doubles and what varies; false where it has other keys. */
  #take(span: Span): boolean {
    const { added, given } = span
    const keys = this.#keys
    let index = 0
    this.#doubleCount = 0
    this.#varyingCount = 0
    if (added !== undefined) {
      for (let i = added.length - 2; i >= 0; i -= 2) {
        if (keys[index] !== added[i]) return false
        this.#takeValue(index++, added[i + 1])
      }
    }
    for (const key in given) {
      if (keys[index] !== key) return false
      this.#takeValue(index++, given[key])
    }
    if (index !== keys.length) return false
    if (!this.#isStale) return true
    this.#build()
    return this.#take(span)
  }

  /** A value that is not the template's makes it stale: from then on it is expected to vary. */
  #takeValue(index: number, value: AttributeValue | undefined): void {
    const place = this.#places[index]
    if (place === PLACE.fixed) {
      if (value === this.#values[index]) return
    } else if (place === PLACE.double) {
      if (typeof value === 'number') {
        this.#doubles[this.#doubleCount++] = value
        return
      }
    } else {
      if (place === PLACE.varying) this.#varying[this.#varyingCount++] = value
      return
    }
    this.#places[index] = PLACE.varying
    this.#isStale = true
  }

  #writeVarying(writer: ProtobufWriter): void {
    const keys = this.#varyingKeys
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]
      const value = this.#varying[i]
      if (key !== undefined && value !== undefined)
        writeAttribute(writer, TAG.attribute, key, value)
    }
  }

  #build(): void {
    this.#isStale = false
    const { name } = this.#name
    const writer = new ProtobufWriter(new Uint8Array(1024))
    writer.open(SCOPE_SPANS_SPAN)
    writeHeads(writer, this.#isRoot)
    writer.reserve(name.length + 64)
    writer.prepared(name)
    const { view, at } = writer
    const kind = this.#isRoot ? KIND.server : KIND.internal
    writeFixed(view, at, kind, FLAG.sampled | FLAG.hasIsRemote)
    this.#fixedAt = at
    writer.at = at + FIXED.bytes
    this.#buildAttributes(writer)
    this.#bytes = writer.block.slice(0, writer.at)
  }

  #buildAttributes(writer: ProtobufWriter): void {
    const { duration } = this.#name.rules
    if (duration !== undefined) this.#durationAt = double(writer, attributeKey(duration))
    if (this.#hasMoved) this.#throughputAt = double(writer, attributeKey('posix.throughput_mbps'))
    this.#doublesAt = []
    this.#varyingKeys = []
    for (const [i, key] of this.#entries.entries()) {
      const place = this.#places[i]
      const value = this.#values[i]
      if (place === PLACE.double) this.#doublesAt.push(double(writer, key))
      else if (place === PLACE.varying) this.#varyingKeys.push(key)
      else if (place === PLACE.fixed && value !== undefined)
        writeAttribute(writer, TAG.attribute, key, value)
    }
  }
}

/** Longer texts are hardly ever the same twice. */
const LONGEST_FIXED = 256

function placeOf(key: AttributeKey, value: AttributeValue | undefined): number {
  if (typeof value === 'number' && key.isDouble) return PLACE.double
  return typeof value === 'string' && value.length > LONGEST_FIXED ? PLACE.varying : PLACE.fixed
}

/** In the order in which they are written: what was set last comes first. */
function listed({ added, given }: Span): [string, AttributeValue | undefined][] {
  const list: [string, AttributeValue | undefined][] = []
  if (added !== undefined)
    for (let i = added.length - 2; i >= 0; i -= 2) list.push([String(added[i]), added[i + 1]])
  for (const key in given) list.push([key, given[key]])
  return list
}

function movedBytes(span: Span, rules: NameRules): number | undefined {
  const moved = rules.movedBytes === undefined ? undefined : span.read(rules.movedBytes)
  return typeof moved === 'number' ? moved : undefined
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
