import type { NativeIo } from './addon.ts'
import { HASHER_JOB } from './arena.ts'
import type { Hasher, HashKind } from './io.ts'
import { IoError } from './io-error.ts'

/** enum hash_kind of native/hash.h, and the length of each digest. */
const KINDS: Readonly<Record<HashKind, { readonly bit: number; readonly bytes: number }>> = {
  md5: { bit: 1, bytes: 16 },
  sha1: { bit: 2, bytes: 20 },
  sha256: { bit: 4, bytes: 32 },
  crc32: { bit: 8, bytes: 4 },
  crc32c: { bit: 16, bytes: 4 },
  crc64nvme: { bit: 32, bytes: 8 },
  sha512: { bit: 64, bytes: 64 },
  xxh64: { bit: 128, bytes: 8 },
  xxh3: { bit: 256, bytes: 8 },
  xxh128: { bit: 512, bytes: 16 },
}

export function kindBit(kind: HashKind): number {
  return KINDS[kind].bit
}

export function kindBits(kinds: readonly HashKind[]): number {
  let bits = 0
  for (const kind of kinds) bits |= KINDS[kind].bit
  return bits
}

/** How long a digest is. */
export function kindBytes(kind: HashKind): number {
  return KINDS[kind].bytes
}

/** How many characters a digest takes in an attribute's value. */
export function digestTextLength(kind: HashKind, encoding: 'hex' | 'base64'): number {
  const { bytes } = KINDS[kind]
  return encoding === 'hex' ? 2 * bytes : 4 * Math.ceil(bytes / 3)
}

export function hasherId(hasher: Hasher | 'job'): number {
  return hasher === 'job' ? HASHER_JOB : hasher.id
}

const ENFILE = 23

/** Its memory is the addon's: it is given back when `free` was asked for and no job uses it any more. */
export class NativeHasher implements Hasher {
  readonly id: number
  readonly kinds: readonly HashKind[]
  readonly #native: NativeIo
  #uses = 0
  #isFree = false

  constructor(native: NativeIo, kinds: readonly HashKind[]) {
    this.#native = native
    this.kinds = kinds
    this.id = native.newHasher(kindBits(kinds))
    if (this.id < 0) throw new IoError(ENFILE, 'hasher', undefined)
  }

  use(): void {
    if (this.#isFree) throw new Error('the hasher was freed')
    this.#uses++
  }

  unuse(): void {
    this.#uses--
    if (this.#isFree && this.#uses === 0) this.#native.freeHasher(this.id)
  }

  free(): void {
    if (this.#isFree) return
    this.#isFree = true
    if (this.#uses === 0) this.#native.freeHasher(this.id)
  }
}
