import { prepare, utf8Length, varintSize, type Prepared, type ProtobufWriter } from './protobuf.ts'
import type { AttributeValue } from './recorder.ts'
import { isDoubleKey } from './span-kinds.ts'

/** An attribute key with its field of KeyValue and the tag of the value after it, as bytes. */
export interface AttributeKey {
  readonly key: string
  readonly bytes: Prepared
  /** Whole numbers are doubles as well. */
  readonly isDouble: boolean
  /** The attribute list in which this key was written last. */
  seenIn: number
}

const KEY = 0x0a
const VALUE = 0x12

export function attributeKey(key: string): AttributeKey {
  const bytes = prepare((writer) => {
    writer.string(KEY, key)
    writer.byte(VALUE)
  })
  return { key, bytes, isDouble: isDoubleKey(key), seenIn: 0 }
}

/** Tags of AnyValue's alternatives. */
const ANY = { string: 0x0a, bool: 0x10, int: 0x18, double: 0x21 } as const

/**
 * One element of an attribute list: a KeyValue, whose value is an AnyValue.
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto
 */
export function writeAttribute(
  writer: ProtobufWriter,
  tag: number,
  key: AttributeKey,
  value: AttributeValue,
): void {
  if (typeof value === 'string') {
    if (value.length > SHORT_TEXT || !writeShortText(writer, tag, key.bytes, value))
      writeText(writer, tag, key.bytes, value)
  } else if (typeof value === 'number') {
    if (key.isDouble || !fitsInt64(value)) writeDouble(writer, tag, key.bytes, value)
    else writeInt(writer, tag, key.bytes, value)
  } else {
    writer.reserve(key.bytes.length + 16)
    head(writer, tag, key.bytes, 2)
    writer.byte(ANY.bool)
    writer.byte(value ? 1 : 0)
  }
}

/** Whether a number is written as an integer: the rule of OpenTelemetry's own serialiser. */
function fitsInt64(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63
}

/** Texts whose length, and that of the AnyValue around them, take one byte each. */
const SHORT_TEXT = 125

/** Taken for ASCII until a character is not: then nothing has been written and false is returned. */
function writeShortText(writer: ProtobufWriter, tag: number, key: Prepared, text: string): boolean {
  const { length } = text
  const start = writer.at
  writer.reserve(key.length + length + 16)
  writer.byte(tag)
  writer.varint(key.length + length + 3)
  writer.prepared(key)
  const { block } = writer
  let { at } = writer
  block[at++] = length + 2
  block[at++] = ANY.string
  block[at++] = length
  let seen = 0
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    seen |= code
    block[at++] = code
  }
  writer.at = seen < 128 ? at : start
  return seen < 128
}

function writeText(writer: ProtobufWriter, tag: number, key: Prepared, text: string): void {
  const length = utf8Length(text)
  writer.reserve(key.length + length + 32)
  head(writer, tag, key, 1 + varintSize(length) + length)
  writer.byte(ANY.string)
  writer.varint(length)
  writer.text(text, length)
}

function writeDouble(writer: ProtobufWriter, tag: number, key: Prepared, value: number): void {
  writer.reserve(key.length + 32)
  head(writer, tag, key, 9)
  writer.byte(ANY.double)
  writer.double(value)
}

function writeInt(writer: ProtobufWriter, tag: number, key: Prepared, value: number): void {
  writer.reserve(key.length + 32)
  head(writer, tag, key, 1 + (value < 0 ? 10 : varintSize(value)))
  writer.byte(ANY.int)
  writer.int64(value)
}

/** All that stands before the AnyValue of `any` bytes. */
function head(writer: ProtobufWriter, tag: number, key: Prepared, any: number): void {
  writer.byte(tag)
  writer.varint(key.length + varintSize(any) + any)
  writer.prepared(key)
  writer.varint(any)
}
