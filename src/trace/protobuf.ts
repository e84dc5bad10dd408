/**
 * Writes protobuf into one growing block of memory: https://protobuf.dev/programming-guides/encoding/
 *
 * Made for many small spans: everything is written forward, lengths of nested messages are patched afterwards. Callers
 * `reserve` room before a run of plain writes; only `string`, `bytes` and `close` reserve for themselves.
 */
export class ProtobufWriter {
  block: Uint8Array<ArrayBuffer>
  view: DataView
  at = 0

  constructor(block: Uint8Array<ArrayBuffer>) {
    this.block = block
    this.view = new DataView(block.buffer)
  }

  /** Makes sure that `bytes` more can be written. The block is replaced by a larger one where they cannot. */
  reserve(bytes: number): void {
    if (this.at + bytes > this.block.length) this.#grow(bytes)
  }

  /** Goes on in another block; what was written stays in the old one. */
  restart(block: Uint8Array<ArrayBuffer>, at: number): void {
    this.block = block
    this.view = new DataView(block.buffer)
    this.at = at
  }

  byte(value: number): void {
    this.block[this.at++] = value
  }

  double(value: number): void {
    this.view.setFloat64(this.at, value, true)
    this.at += 8
  }

  /** An unsigned integer below 2^53. */
  varint(value: number): void {
    if (value < 128) this.block[this.at++] = value
    else this.#longVarint(value)
  }

  /** An int64: negative ones take ten bytes, as two's complement. */
  int64(value: number): void {
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return this.varint(value)
    let rest = BigInt.asUintN(64, BigInt(value))
    while (rest >= 128n) {
      this.byte(Number(rest & 127n) | 0x80)
      rest >>= 7n
    }
    this.byte(Number(rest))
  }

  /** Writes up to three bytes more than `length`: reserve as many. */
  prepared({ bytes, words, length }: Prepared): void {
    const { view, at } = this
    if (length > LONGEST_LOOP) this.block.set(bytes, at)
    else for (let i = 0; i < words.length; i++) view.setInt32(at + i * 4, words[i] ?? 0, true)
    this.at = at + length
  }

  /** A field of type bytes: tag, length, content. */
  bytes(tag: number, content: Uint8Array): void {
    this.reserve(content.length + 8)
    this.byte(tag)
    this.varint(content.length)
    this.raw(content)
  }

  /** Bytes that are protobuf already. */
  raw(content: Uint8Array): void {
    this.block.set(content, this.at)
    this.at += content.length
  }

  /** A field of type string: tag, length, UTF-8. */
  string(tag: number, text: string): void {
    const length = utf8Length(text)
    this.reserve(length + 8)
    this.byte(tag)
    this.varint(length)
    this.text(text, length)
  }

  /** UTF-8 of a text whose length in bytes is known. */
  text(text: string, length: number): void {
    UTF8.encodeInto(text, this.block.subarray(this.at, this.at + length))
    this.at += length
  }

  /** Opens a nested message with room for a short length; hand what it returns to `close`. */
  open(tag: number): number {
    this.byte(tag)
    this.at += SHORT_LENGTH
    return this.at
  }

  /** Writes the length of the message opened at `start`, moving it where its length takes fewer or more bytes. */
  close(start: number): void {
    const length = this.at - start
    if (length >= 128 && length < 16_384) {
      this.block[start - 2] = (length & 127) | 0x80
      this.block[start - 1] = length >> 7
      return
    }
    const size = varintSize(length)
    this.reserve(size)
    this.block.copyWithin(start - SHORT_LENGTH + size, start, this.at)
    this.at = start - SHORT_LENGTH
    this.varint(length)
    this.at += length
  }

  #longVarint(value: number): void {
    const { block } = this
    let rest = value
    while (rest >= 0x8000_0000) {
      block[this.at++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    while (rest >= 128) {
      block[this.at++] = (rest & 127) | 0x80
      rest >>>= 7
    }
    block[this.at++] = rest
  }

  #grow(bytes: number): void {
    const larger = new Uint8Array(Math.max(this.block.length * 2, this.at + bytes))
    larger.set(this.block.subarray(0, this.at))
    this.restart(larger, this.at)
  }
}

const UTF8 = new TextEncoder()

/** Lengths of 128 to 16,383 bytes take two bytes: those of nearly all spans. */
const SHORT_LENGTH = 2

/** From here on the call into the engine's copying is faster than a loop over words. */
const LONGEST_LOOP = 64

/** Bytes that are written again and again, also as little-endian words of which the last is filled up with zeros. */
export interface Prepared {
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly length: number
}

export function prepare(write: (writer: ProtobufWriter) => void): Prepared {
  const writer = new ProtobufWriter(new Uint8Array(64))
  write(writer)
  return preparedFrom(writer, 0, writer.at)
}

/** A copy of what a writer wrote between two positions. */
function preparedFrom({ block }: ProtobufWriter, start: number, end: number): Prepared {
  const length = end - start
  const padded = new Uint8Array(Math.ceil(length / 4) * 4)
  padded.set(block.subarray(start, end))
  const view = new DataView(padded.buffer)
  const words = new Int32Array(length > LONGEST_LOOP ? 0 : padded.length / 4)
  for (let i = 0; i < words.length; i++) words[i] = view.getInt32(i * 4, true)
  return { bytes: padded.subarray(0, length), words, length }
}

export function utf8Length(text: string): number {
  return Buffer.byteLength(text)
}

/** How many bytes a number that is not negative takes as a varint. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  let size = 4
  for (let rest = value / 0x1000_0000; rest >= 1; rest /= 128) size++
  return size
}
