import type { AttributeValue } from './recorder.ts'

/**
 * Reads back the spans that `otlp.ts` wrote, for who looks at traces that are kept in memory. It knows the fields that are
 * written there and skips all others.
 */

/** A span as it left the gateway. Times are Unix nanoseconds. */
export interface StoredSpan {
  readonly traceId: string
  readonly spanId: string
  /** Empty where there is none. */
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  /** OTLP's SpanKind: 1 internal, 2 server. */
  readonly kind: number
  readonly startNs: bigint
  readonly endNs: bigint
  readonly flags: number
  readonly attributes: Readonly<Record<string, AttributeValue>>
  /** Keys whose value is a double on the wire; all other numbers are integers. */
  readonly doubles: ReadonlySet<string>
  readonly events: readonly StoredEvent[]
  readonly links: readonly StoredLink[]
  /** Undefined unless the span failed. */
  readonly error: { readonly message: string } | undefined
}

export interface StoredEvent {
  readonly name: string
  readonly atNs: bigint
  readonly attributes: Readonly<Record<string, AttributeValue>>
  readonly doubles: ReadonlySet<string>
}

export interface StoredLink {
  readonly traceId: string
  readonly spanId: string
  readonly traceState: string
  readonly flags: number
}

/** Reads a run of ScopeSpans.spans elements; at most `limit` of them. */
export function readSpans(bytes: Uint8Array, limit = Number.POSITIVE_INFINITY): StoredSpan[] {
  const spans: StoredSpan[] = []
  const { buffer, byteOffset, byteLength } = bytes
  const reader = new Reader(Buffer.from(buffer, byteOffset, byteLength), 0, byteLength)
  while (!reader.done && spans.length < limit) {
    reader.next()
    if (reader.field === SPANS) spans.push(readSpan(reader.message()))
    else reader.skip()
  }
  return spans
}

/** The name of the first span, without reading the rest of it. */
export function readName({ buffer, byteOffset, byteLength }: Uint8Array): string {
  const reader = new Reader(Buffer.from(buffer, byteOffset, byteLength), 0, byteLength)
  if (reader.done) return ''
  reader.next()
  const span = reader.message()
  while (!span.done) {
    span.next()
    if (span.field === NAME) return span.text()
    span.skip()
  }
  return ''
}

/** ScopeSpans.spans. */
const SPANS = 2
/** Span.name. */
const NAME = 5

type Growing = {
  -readonly [K in keyof StoredSpan]: StoredSpan[K] extends readonly (infer T)[]
    ? T[]
    : StoredSpan[K]
} & AttributeList

function readSpan(reader: Reader): StoredSpan {
  const span: Growing = {
    traceId: '',
    spanId: '',
    parentSpanId: '',
    traceState: '',
    name: '',
    kind: 0,
    startNs: 0n,
    endNs: 0n,
    flags: 0,
    attributes: newAttributes(),
    doubles: new Set(),
    events: [],
    links: [],
    error: undefined,
  }
  while (!reader.done) {
    reader.next()
    const read = SPAN_FIELDS[reader.field]
    if (read === undefined) reader.skip()
    else read(span, reader)
  }
  return span
}

/** Fields of Span by their numbers. */
const SPAN_FIELDS: Readonly<Record<number, (span: Growing, reader: Reader) => void>> = {
  1: (span, reader) => (span.traceId = reader.hex()),
  2: (span, reader) => (span.spanId = reader.hex()),
  3: (span, reader) => (span.traceState = reader.text()),
  4: (span, reader) => (span.parentSpanId = reader.hex()),
  5: (span, reader) => (span.name = reader.text()),
  6: (span, reader) => (span.kind = reader.varint()),
  7: (span, reader) => (span.startNs = reader.fixed64()),
  8: (span, reader) => (span.endNs = reader.fixed64()),
  9: (span, reader) => readAttribute(reader.message(), span),
  11: (span, reader) => span.events.push(readEvent(reader.message())),
  13: (span, reader) => span.links.push(readLink(reader.message())),
  15: (span, reader) => (span.error = readStatus(reader.message())),
  16: (span, reader) => (span.flags = reader.fixed32()),
}

function readEvent(reader: Reader): StoredEvent {
  const event = {
    name: '',
    atNs: 0n,
    attributes: newAttributes(),
    doubles: new Set<string>(),
  }
  while (!reader.done) {
    reader.next()
    if (reader.field === 1) event.atNs = reader.fixed64()
    else if (reader.field === 2) event.name = reader.text()
    else if (reader.field === 3) readAttribute(reader.message(), event)
    else reader.skip()
  }
  return event
}

function readLink(reader: Reader): StoredLink {
  const link = { traceId: '', spanId: '', traceState: '', flags: 0 }
  while (!reader.done) {
    reader.next()
    if (reader.field === 1) link.traceId = reader.hex()
    else if (reader.field === 2) link.spanId = reader.hex()
    else if (reader.field === 3) link.traceState = reader.text()
    else if (reader.field === 6) link.flags = reader.fixed32()
    else reader.skip()
  }
  return link
}

function readStatus(reader: Reader): { message: string } {
  let message = ''
  while (!reader.done) {
    reader.next()
    if (reader.field === 2) message = reader.text()
    else reader.skip()
  }
  return { message }
}

/** Without a prototype: a key may be called anything. */
function newAttributes(): Record<string, AttributeValue> {
  return Object.create(null)
}

interface AttributeList {
  readonly attributes: Record<string, AttributeValue>
  readonly doubles: Set<string>
}

function readAttribute(reader: Reader, { attributes, doubles }: AttributeList): void {
  let key = ''
  while (!reader.done) {
    reader.next()
    if (reader.field === 1) {
      key = reader.text()
    } else if (reader.field === 2) {
      const value = reader.message()
      value.next()
      if (value.field === 4) doubles.add(key)
      attributes[key] = readValue(value)
    } else {
      reader.skip()
    }
  }
}

function readValue(reader: Reader): AttributeValue {
  switch (reader.field) {
    case 1:
      return reader.text()
    case 2:
      return reader.varint() !== 0
    case 3:
      return reader.int64()
    default:
      return reader.double()
  }
}

/** A message under way: `next` reads a tag, then one of the others its value. */
class Reader {
  field = 0
  #wire = 0
  #at: number
  readonly #end: number
  readonly #bytes: Buffer

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  get done(): boolean {
    return this.#at >= this.#end
  }

  next(): void {
    const tag = this.varint()
    this.field = Math.floor(tag / 8)
    this.#wire = tag & 7
  }

  /** Up to 2^53; what is larger is an int64's business. */
  varint(): number {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = this.#bytes[this.#at++] ?? 0
      value += (byte & 127) * factor
      if (byte < 128) return value
      factor *= 128
    }
  }

  int64(): number {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#bytes[this.#at++] ?? 0
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return Number(BigInt.asIntN(64, value))
    }
  }

  fixed64(): bigint {
    this.#at += 8
    return this.#bytes.readBigUInt64LE(this.#at - 8)
  }

  fixed32(): number {
    this.#at += 4
    return this.#bytes.readUInt32LE(this.#at - 4)
  }

  double(): number {
    this.#at += 8
    return this.#bytes.readDoubleLE(this.#at - 8)
  }

  message(): Reader {
    const length = this.varint()
    this.#at += length
    return new Reader(this.#bytes, this.#at - length, this.#at)
  }

  text(): string {
    const length = this.varint()
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  hex(): string {
    const length = this.varint()
    this.#at += length
    return this.#bytes.toString('hex', this.#at - length, this.#at)
  }

  skip(): void {
    if (this.#wire === 0) this.varint()
    else if (this.#wire === 1) this.#at += 8
    else if (this.#wire === 5) this.#at += 4
    else this.message()
  }
}
