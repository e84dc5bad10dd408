/** What little is read of protobuf that others write: https://protobuf.dev/programming-guides/encoding/ */

/** The first varint of this number, or 0. */
export function numberField(message: Uint8Array, wanted: number): number {
  for (const { number, value } of protobufFields(message))
    if (number === wanted) return typeof value === 'number' ? value : 0
  return 0
}

/** All texts and nested messages of this number. */
export function bytesFields(message: Uint8Array, wanted: number): Uint8Array[] {
  const found: Uint8Array[] = []
  for (const { number, value } of protobufFields(message))
    if (number === wanted && typeof value !== 'number') found.push(value)
  return found
}

/** One field of an encoded message: a varint as number, all else as bytes. */
interface Field {
  readonly number: number
  readonly value: number | Uint8Array
}

/** The fields of a short message in their order. What is malformed is read as something, and ends. */
function* protobufFields(message: Uint8Array): Generator<Field> {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++] ?? 0
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const wireType = tag & 7
    const value = wireType === 0 ? varint() : undefined
    const length = wireType === 0 ? 0 : wireType === 2 ? varint() : wireType === 1 ? 8 : 4
    const content = message.subarray(at, at + length)
    at += length
    yield { number: tag >>> 3, value: value ?? content }
  }
}
