/**
 * Writes protobuf into one growing block of memory: https://protobuf.dev/programming-guides/encoding/
 *
 * Made for many small spans: everything is written forward, lengths of nested messages are patched afterwards. Callers
 * `reserve` room before a run of plain writes; only `string`, `bytes` and `close` reserve for themselves.
 */
export class ProtobufWriter {
  block: Uint8Array<ArrayBuffer>
  at = 0
  #view: DataView
  #buffer: Buffer

  constructor(block: Uint8Array<ArrayBuffer>) {
    this.block = block
    this.#view = new DataView(block.buffer)
    this.#buffer = Buffer.from(block.buffer)
  }

  /** Makes sure that `bytes` more can be written. The block is replaced by a larger one where they cannot. */
  reserve(bytes: number): void {
    if (this.at + bytes > this.block.length) this.#grow(bytes)
  }

  /** Starts over in another block; what was written stays in the old one. */
  restart(block: Uint8Array<ArrayBuffer>, at: number): void {
    this.block = block
    this.#view = new DataView(block.buffer)
    this.#buffer = Buffer.from(block.buffer)
    this.at = at
  }

  byte(value: number): void {
    this.block[this.at++] = value
  }

  /** Four bytes of a hexadecimal id, first digit first. */
  bigEndian32(word: number): void {
    this.#view.setInt32(this.at, word)
    this.at += 4
  }

  fixed32(value: number): void {
    this.#view.setUint32(this.at, value, true)
    this.at += 4
  }

  fixed64(low: number, high: number): void {
    this.#view.setUint32(this.at, low, true)
    this.#view.setUint32(this.at + 4, high, true)
    this.at += 8
  }

  double(value: number): void {
    this.#view.setFloat64(this.at, value, true)
    this.at += 8
  }

  /** An unsigned integer below 2^53. */
  varint(value: number): void {
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

  /** Bytes prepared by `prepare`: four at a time, so that up to three more than their length are overwritten. */
  prepared({ words, length }: Prepared): void {
    const view = this.#view
    const { at } = this
    for (let i = 0; i < words.length; i++) view.setInt32(at + i * 4, words[i] ?? 0, true)
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
    this.reserve(text.length * 3 + 8)
    this.byte(tag)
    const length = utf8Length(text)
    this.varint(length)
    this.text(text, length)
  }

  /** UTF-8 of a text whose length in bytes is known. */
  text(text: string, length: number): void {
    if (length !== text.length || length > LONGEST_LOOP) {
      this.#buffer.write(text, this.at, length, 'utf8')
    } else {
      const { block, at } = this
      for (let i = 0; i < length; i++) block[at + i] = text.charCodeAt(i)
    }
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
    const size = varintSize(length)
    if (size !== SHORT_LENGTH) {
      this.reserve(size)
      this.block.copyWithin(start - SHORT_LENGTH + size, start, this.at)
    }
    this.at = start - SHORT_LENGTH
    this.varint(length)
    this.at += length
  }

  #grow(bytes: number): void {
    const larger = new Uint8Array(Math.max(this.block.length * 2, this.at + bytes))
    larger.set(this.block.subarray(0, this.at))
    this.restart(larger, this.at)
  }
}

/** Lengths of 128 to 16,383 bytes take two bytes: those of nearly all spans. */
const SHORT_LENGTH = 2

/** Up to here a loop over the characters is faster than the call into Buffer. */
const LONGEST_LOOP = 48

/** Bytes that are written again and again, in little-endian words; the last word is filled up with zeros. */
export interface Prepared {
  readonly words: Int32Array
  readonly length: number
}

export function prepare(bytes: Uint8Array): Prepared {
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
  padded.set(bytes)
  const view = new DataView(padded.buffer)
  const words = new Int32Array(padded.length / 4)
  for (let i = 0; i < words.length; i++) words[i] = view.getInt32(i * 4, true)
  return { words, length: bytes.length }
}

/** Length in UTF-8; short texts are nearly always ASCII, which is cheaper to find out than to count. */
export function utf8Length(text: string): number {
  if (text.length > LONGEST_LOOP) return Buffer.byteLength(text)
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return Buffer.byteLength(text)
  return text.length
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
