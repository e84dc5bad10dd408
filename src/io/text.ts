import { digestTextLength, hasherId, kindBit } from './hashers.ts'
import type { AttributeChanges, StepText } from './chain-step.ts'
import type { AttributeValue, DigestHole, EncodedValue } from './io.ts'

/** Paths and attributes on their way into the arena. Every text ends with a NUL, and none may hold one. */

/** A text has a NUL in the middle: the system call would see only what stands before it. */
export class NulError extends Error {}

/** Values of this length and more are not copied: the addon reads them where they are. */
const LONG_VALUE = 2048

/** At least as many bytes as `writeText` will write. */
export function textBound(text: StepText): number {
  if (text === undefined) return 1
  if (typeof text === 'string') return text.length * 3 + 1
  if (text instanceof Uint8Array) return text.length + 1
  let bound = 1
  for (const name of text.removed) bound += name.length * 3 + 8
  for (const [name, value] of text.entries) bound += name.length * 3 + 24 + valueBound(value)
  return bound
}

function valueBound(value: AttributeValue): number {
  if (typeof value === 'string') return value.length * 3
  if (value instanceof Uint8Array) return value.length < LONG_VALUE ? value.length : 0
  if ('encoded' in value) return value.encoded.length
  let bound = 0
  for (const part of value) bound += typeof part === 'string' ? part.length * 3 : 64 + 16
  return bound
}

/** Writes a text at `at` and gives back where its NUL stands. Long attribute values are added to `pieces`. */
export function writeText(to: Buffer, at: number, text: StepText, pieces: Uint8Array[]): number {
  let end = at
  if (typeof text === 'string') end = writeString(to, at, text, true)
  else if (text instanceof Uint8Array) {
    to.set(text, at)
    end = at + text.length
  } else if (text !== undefined) end = writeChanges(to, at, text, pieces)
  to[end] = 0
  return end
}

/** From here on the call into the engine is faster than a loop. */
const LONGEST_LOOP = 256

function writeString(to: Buffer, at: number, text: string, refuseNul: boolean): number {
  const { length } = text
  if (length > LONGEST_LOOP) {
    if (refuseNul && text.includes('\0')) throw new NulError()
    return at + to.write(text, at)
  }
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0 && refuseNul) throw new NulError()
    if (code > 127) return at + i + to.write(text.slice(i), at + i)
    to[at + i] = code
  }
  return at + length
}

const SET = 1
const REMOVE = 2
const VALUE_IN_PIECE = 0x80000000

function writeChanges(
  to: Buffer,
  start: number,
  changes: AttributeChanges,
  pieces: Uint8Array[],
): number {
  let at = start
  for (const name of changes.removed) {
    to[at++] = REMOVE
    at = writeName(to, at, name)
  }
  for (const [name, value] of changes.entries) {
    to[at++] = SET
    at = writeName(to, at, name)
    if (value instanceof Uint8Array && value.length >= LONG_VALUE) {
      at = to.writeUInt32LE(VALUE_IN_PIECE + pieces.length, at)
      at = to.writeUInt32LE(0, at)
      pieces.push(value)
    } else if (typeof value === 'object' && 'encoded' in value) {
      to.set(value.encoded, at)
      at += value.encoded.length
    } else {
      at = writeValue(to, at, value)
    }
  }
  return at
}

/** Encodes a value once that many chains write. All its digests must be those of the chain's own hash state. */
export function encodeValue(parts: readonly (string | DigestHole)[]): EncodedValue {
  const holes = holesOf(parts)
  if (holes.some(({ hasher }) => hasher !== 'job')) throw new TypeError('not of the chain')
  const bytes = Buffer.alloc(valueBound(parts) + 8)
  return { encoded: bytes.subarray(0, writeValue(bytes, 0, parts)), holes }
}

/** The digests that a value waits for. */
export function holesOf(value: AttributeValue): readonly DigestHole[] {
  if (typeof value === 'string' || value instanceof Uint8Array) return NO_HOLES
  return 'encoded' in value ? value.holes : value.filter((part) => typeof part !== 'string')
}

const NO_HOLES: readonly DigestHole[] = []

type PlainValue = Exclude<AttributeValue, EncodedValue>

/** Size, value, number of holes, holes. */
function writeValue(to: Buffer, at: number, value: PlainValue): number {
  const start = at + 4
  const holes: Hole[] = []
  let end: number
  if (typeof value === 'string') {
    end = writeString(to, start, value, false)
  } else if (value instanceof Uint8Array) {
    to.set(value, start)
    end = start + value.length
  } else {
    end = writeParts(to, start, value, holes)
  }
  to.writeUInt32LE(end - start, at)
  end = to.writeUInt32LE(holes.length, end)
  for (const { offset, hole } of holes) end = writeHole(to, end, offset, hole)
  return end
}

interface Hole {
  /** In the value. */
  readonly offset: number
  readonly hole: DigestHole
}

function writeParts(
  to: Buffer,
  start: number,
  parts: readonly (string | DigestHole)[],
  holes: Hole[],
): number {
  let at = start
  for (const part of parts) {
    if (typeof part === 'string') {
      at = writeString(to, at, part, false)
    } else {
      holes.push({ offset: at - start, hole: part })
      at += digestTextLength(part.kind, part.encoding)
    }
  }
  return at
}

function writeHole(to: Buffer, start: number, offset: number, hole: DigestHole): number {
  let at = to.writeUInt32LE(offset, start)
  at = to.writeUInt32LE(hole.encoding === 'hex' ? 0 : 1, at)
  at = to.writeUInt32LE(hasherId(hole.hasher), at)
  return to.writeUInt32LE(kindBit(hole.kind), at)
}

function writeName(to: Buffer, at: number, name: string): number {
  const bytes = nameBytes(name)
  to.set(bytes, at)
  return at + bytes.length
}

/** Most names are the gateway's own and few; those that clients choose must not fill the memory. */
const MAX_NAMES = 4096
const names = new Map<string, Uint8Array>()

/** `user.name` and its NUL. */
export function nameBytes(name: string): Uint8Array {
  const known = names.get(name)
  if (known !== undefined) return known
  if (name.includes('\0')) throw new NulError()
  const bytes = Buffer.from(`user.${name}\0`)
  if (names.size < MAX_NAMES) names.set(name, bytes)
  return bytes
}

/** Names as they were read, by a hash of their bytes. */
const knownNames = new Map<number, { readonly bytes: Uint8Array; readonly text: string }>()

/** The text of a name that stands in `bytes` with its `user.`: most are seen again and again, and not decoded anew. */
export function attributeName(bytes: Uint8Array, at: number, size: number): string {
  let hash = size
  for (let i = 5; i < size; i++) hash = (Math.imul(hash, 31) + (bytes[at + i] ?? 0)) | 0
  const known = knownNames.get(hash)
  if (known !== undefined && isSame(known.bytes, bytes, at, size)) return known.text
  const name = Buffer.from(bytes.subarray(at, at + size))
  const text = name.toString('utf8', 5)
  if (known === undefined && knownNames.size < MAX_NAMES)
    knownNames.set(hash, { bytes: name, text })
  return text
}

function isSame(known: Uint8Array, bytes: Uint8Array, at: number, size: number): boolean {
  if (known.length !== size) return false
  for (let i = 5; i < size; i++) if (known[i] !== bytes[at + i]) return false
  return true
}

const lists = new WeakMap<readonly string[], Uint8Array>()

/** Names one after the other. Lists are constants of those who ask, so that each is encoded once. */
export function nameList(list: readonly string[]): Uint8Array {
  let bytes = lists.get(list)
  if (bytes === undefined) {
    bytes = Buffer.concat(list.map(nameBytes))
    lists.set(list, bytes)
  }
  return bytes
}

/** Paths one after the other, each with its NUL. */
export function pathList(paths: readonly (string | Uint8Array)[]): Uint8Array {
  let bound = 0
  for (const path of paths) bound += path.length * (typeof path === 'string' ? 3 : 1) + 1
  const list = Buffer.allocUnsafe(bound)
  let at = 0
  for (const path of paths) {
    if (typeof path !== 'string' && path.includes(0)) throw new NulError()
    at = writeText(list, at, path, []) + 1
  }
  return list.subarray(0, at)
}
