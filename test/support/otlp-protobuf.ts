/** Decodes ExportTraceServiceRequest. Nothing of it is shared with what is tested. */

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  /** Empty for a root. */
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  readonly kind: 'UNSPECIFIED' | 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER'
  readonly flags: number
  /** Unix time. */
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: ReceivedAttributes
  readonly events: readonly ReceivedEvent[]
  readonly links: readonly ReceivedLink[]
  /** What limits have cut off. */
  readonly dropped: { readonly attributes: number; readonly events: number; readonly links: number }
  readonly status: { readonly code: 'UNSET' | 'OK' | 'ERROR'; readonly message: string }
  readonly resource: ReceivedAttributes
  readonly scope: { readonly name: string; readonly version: string }
}

export interface ReceivedEvent {
  readonly name: string
  readonly timeNs: bigint
  readonly attributes: ReceivedAttributes
}

export interface ReceivedLink {
  readonly traceId: string
  readonly spanId: string
  readonly traceState: string
  readonly flags: number
  readonly attributes: ReceivedAttributes
}

export type ReceivedValue = string | number | boolean | bigint | readonly ReceivedValue[]

/** Attributes with their types on the wire: an integer is a different thing from a double that happens to be whole. */
export class ReceivedAttributes {
  readonly #values = new Map<string, { type: string; value: ReceivedValue }>()

  add(key: string, type: string, value: ReceivedValue): void {
    if (this.#values.has(key)) throw new Error(`attribute ${key} stands twice in one list`)
    this.#values.set(key, { type, value })
  }

  get(key: string): ReceivedValue | undefined {
    return this.#values.get(key)?.value
  }

  /** `string`, `bool`, `int`, `double` … */
  typeOf(key: string): string | undefined {
    return this.#values.get(key)?.type
  }

  keys(): string[] {
    return [...this.#values.keys()].toSorted()
  }

  toObject(): Record<string, ReceivedValue> {
    return Object.fromEntries(this.keys().map((key) => [key, this.get(key) ?? '']))
  }

  /** `key: type value`, sorted: for comparisons. */
  toLines(): string[] {
    return this.keys().map((key) => `${key}: ${this.typeOf(key)} ${String(this.get(key))}`)
  }
}

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const
const STATUS = ['UNSET', 'OK', 'ERROR'] as const

export function decodeExportRequest(bytes: Uint8Array): ReceivedSpan[] {
  const spans: ReceivedSpan[] = []
  for (const resourceSpans of messages(fields(bytes), 1)) {
    const resource = attributes(messages(messages(resourceSpans, 1)[0] ?? [], 1))
    for (const scopeSpans of messages(resourceSpans, 2)) {
      const scopeFields = messages(scopeSpans, 1)[0] ?? []
      const scope = { name: text(scopeFields, 1), version: text(scopeFields, 2) }
      for (const span of messages(scopeSpans, 2)) spans.push(decodeSpan(span, resource, scope))
    }
  }
  return spans
}

function decodeSpan(
  span: Field[],
  resource: ReceivedAttributes,
  scope: ReceivedSpan['scope'],
): ReceivedSpan {
  const status = messages(span, 15)[0] ?? []
  return {
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    traceState: text(span, 3),
    parentSpanId: hex(span, 4),
    name: text(span, 5),
    kind: KINDS[Number(integer(span, 6))] ?? 'UNSPECIFIED',
    startNs: integer(span, 7),
    endNs: integer(span, 8),
    attributes: attributes(messages(span, 9)),
    events: messages(span, 11).map((event) => ({
      timeNs: integer(event, 1),
      name: text(event, 2),
      attributes: attributes(messages(event, 3)),
    })),
    links: messages(span, 13).map((link) => ({
      traceId: hex(link, 1),
      spanId: hex(link, 2),
      traceState: text(link, 3),
      attributes: attributes(messages(link, 4)),
      flags: Number(integer(link, 6)),
    })),
    dropped: {
      attributes: Number(integer(span, 10)),
      events: Number(integer(span, 12)),
      links: Number(integer(span, 14)),
    },
    status: { message: text(status, 2), code: STATUS[Number(integer(status, 3))] ?? 'UNSET' },
    flags: Number(integer(span, 16)),
    resource,
    scope,
  }
}

function attributes(keyValues: Field[][]): ReceivedAttributes {
  const result = new ReceivedAttributes()
  for (const keyValue of keyValues) {
    const [type, value] = anyValue(messages(keyValue, 2)[0] ?? [])
    result.add(text(keyValue, 1), type, value)
  }
  return result
}

function anyValue(any: Field[]): [type: string, value: ReceivedValue] {
  const field = any[0]
  if (field === undefined) return ['absent', '']
  switch (field.number) {
    case 1:
      return ['string', text(any, 1)]
    case 2:
      return ['bool', field.value !== 0n]
    case 3: {
      const value = BigInt.asIntN(64, typeof field.value === 'bigint' ? field.value : 0n)
      const small =
        value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
      return ['int', small ? Number(value) : value]
    }
    case 4: {
      const bits = new DataView(new ArrayBuffer(8))
      bits.setBigUint64(0, typeof field.value === 'bigint' ? field.value : 0n)
      return ['double', bits.getFloat64(0)]
    }
    case 5:
      return [
        'array',
        messages(messages(any, 5)[0] ?? [], 1).map((element) => anyValue(element)[1]),
      ]
    default:
      throw new Error(`AnyValue of field ${field.number} is not expected`)
  }
}

/** A field of a message: integers of every width as bigint, the rest as bytes. */
interface Field {
  readonly number: number
  readonly value: bigint | Uint8Array
}

/** Splits a message into its fields. Strict: what does not end where it should throws. */
function fields(message: Uint8Array): Field[] {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  const found: Field[] = []
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = view.getUint8(at++)
      value |= BigInt(byte & 127) << shift
      if (byte < 128) {
        if (byte === 0 && shift > 0n) throw new Error('varint longer than it need be')
        return BigInt.asUintN(64, value)
      }
    }
    throw new Error('varint of more than ten bytes')
  }
  while (at < message.length) {
    const tag = Number(varint())
    const number = tag >>> 3
    switch (tag & 7) {
      case 0:
        found.push({ number, value: varint() })
        break
      case 1:
        found.push({ number, value: view.getBigUint64(at, true) })
        at += 8
        break
      case 2: {
        const length = Number(varint())
        if (at + length > message.length)
          throw new Error(`field ${number} is longer than its message`)
        found.push({ number, value: message.subarray(at, at + length) })
        at += length
        break
      }
      case 5:
        found.push({ number, value: BigInt(view.getUint32(at, true)) })
        at += 4
        break
      default:
        throw new Error(`wire type ${tag & 7} in field ${number}`)
    }
  }
  return found
}

function all(message: Field[], number: number): Uint8Array[] {
  return message.flatMap((field) =>
    field.number === number && field.value instanceof Uint8Array ? [field.value] : [],
  )
}

function messages(message: Field[], number: number): Field[][] {
  return all(message, number).map(fields)
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function text(message: Field[], number: number): string {
  return UTF8.decode(all(message, number)[0] ?? new Uint8Array())
}

function hex(message: Field[], number: number): string {
  return Buffer.from(all(message, number)[0] ?? new Uint8Array()).toString('hex')
}

function integer(message: Field[], number: number): bigint {
  const value = message.find((field) => field.number === number)?.value
  return typeof value === 'bigint' ? value : 0n
}
