import type { NativeIo } from './addon.ts'
import { type Arena, FLAG, LAYOUT, OP, RESULT, RESULT_BYTES } from './arena.ts'
import type { AnyStep } from './chain-step.ts'
import type { BatchEntry, CopyMethod, CopyResult, DirEntries, FileStat } from './io.ts'
import { attributeName } from './text.ts'

/**
 * Fills in a chain's steps from the results of a job.
 *
 * The slot is used again as soon as the chain has settled, so all output in its data area is copied out, at once and
 * only if some step's value needs bytes. Output that did not fit there is taken over from the addon without a copy.
 */
export class ResultReader {
  readonly #arena: Arena
  readonly #native: NativeIo
  #slot = 0
  #base = 0
  /** The data area as it was when it was first asked for. */
  #data: Buffer | undefined

  constructor(arena: Arena, native: NativeIo) {
    this.#arena = arena
    this.#native = native
  }

  begin(slot: number): void {
    this.#slot = slot
    this.#base = this.#arena.base(slot)
    this.#data = undefined
  }

  /** Forgets the job, so that its bytes do not outlive those who asked for them. */
  end(): void {
    this.#data = undefined
  }

  /** False when the step was not reached. */
  read(index: number, step: AnyStep): boolean {
    const row = this.#base + LAYOUT.results + index * RESULT_BYTES
    const { int32, double } = this.#arena
    const at = row >> 2
    const d = row >> 3
    const state = int32[at + 11]
    if (state === RESULT.notReached) return false
    step.startNs = double[d + 1] ?? 0
    step.endNs = double[d + 2] ?? 0
    if (state === RESULT.skipped) return true
    step.ran = true
    step.ioNs = double[d + 3] ?? 0
    step.hashNs = double[d + 4] ?? 0
    const errno = int32[at + 10] ?? 0
    step.errno = errno
    if (errno === 0 || step.op === OP.verifyDigest)
      step.value = this.#value(at, double[d] ?? 0, step)
    return true
  }

  /** The system call that failed a step, as an index of SYSCALL_NAMES; -1 for none. */
  failedSyscall(index: number): number {
    return this.#arena.int32[(this.#base + LAYOUT.results + index * RESULT_BYTES + 48) >> 2] ?? -1
  }

  #value(at: number, value: number, step: AnyStep): unknown {
    switch (step.op) {
      case OP.stat:
      case OP.statAt:
        return this.#stat(at)
      case OP.readAttributes:
        return this.#attributes(at, step.wanted as readonly string[] | undefined)
      case OP.read:
        return step.wanted instanceof Buffer ? step.wanted.subarray(0, value) : this.#bytes(at)
      case OP.readWhole:
        return value === 0 ? undefined : this.#bytes(at)
      case OP.digest:
      case OP.verifyDigest:
        return this.#bytes(at)
      case OP.makeParents:
      case OP.prune:
        if (this.#size(at) > 0) step.detail = { syncs: doubles(this.#ownBytes(at)) }
        return value
      case OP.link:
        return value === 0 ? 'linkat' : 'rename'
      case OP.list:
        return readListing(step, this.#ownBytes(at))
      case OP.statBatch:
        return readBatch(step, this.#ownBytes(at))
      case OP.copy:
        return readCopy(doubles(this.#ownBytes(at)), value)
      default:
        return value
    }
  }

  #size(at: number): number {
    return this.#arena.int32[at + 14] ?? 0
  }

  #isBlob(at: number): boolean {
    return this.#arena.int32[at + 15] === 1
  }

  /** Output as bytes that last. */
  #bytes(at: number): Buffer {
    const out = this.#arena.int32[at + 13] ?? 0
    const size = this.#size(at)
    if (this.#isBlob(at)) return this.#take(out, size)
    const from = out - LAYOUT.data
    return this.#allData().subarray(from, from + size)
  }

  /** Output in memory of its own, aligned for wide numbers: for what may be kept for long. */
  #ownBytes(at: number): Buffer {
    const out = this.#arena.int32[at + 13] ?? 0
    const size = this.#size(at)
    if (this.#isBlob(at)) return this.#take(out, size)
    const bytes = Buffer.allocUnsafeSlow(size)
    this.#arena.bytes.copy(bytes, 0, this.#base + out, this.#base + out + size)
    return bytes
  }

  #take(blob: number, size: number): Buffer {
    const bytes = this.#native.take(this.#slot, blob)
    return bytes.length === size ? bytes : bytes.subarray(0, size)
  }

  #allData(): Buffer {
    if (this.#data !== undefined) return this.#data
    const start = this.#base + LAYOUT.data
    const used = this.#arena.int32[(this.#base + 28) >> 2] ?? 0
    this.#data = copyOut(this.#arena.bytes, start, start + used)
    return this.#data
  }

  #stat(at: number): FileStat {
    const out = this.#arena.int32[at + 13] ?? 0
    if (this.#isBlob(at)) return readStat(doubles(this.#take(out, this.#size(at))), 0)
    return readStat(this.#arena.double, (this.#base + out) >> 3)
  }

  #attributes(at: number, wanted: readonly string[] | undefined): ReadonlyMap<string, Buffer> {
    const out = this.#arena.int32[at + 13] ?? 0
    if (this.#isBlob(at)) {
      return readAttributes(words(this.#take(out, this.#size(at))), 0, wanted)
    }
    const shift = this.#base + LAYOUT.data
    return readAttributes(
      { words: this.#arena.uint32, bytes: this.#allData(), shift },
      out - LAYOUT.data,
      wanted,
    )
  }
}

/** Below this Node's own pool serves; above, a body has memory to itself. */
const SMALL = 4096
const LARGE = 72 * 1024
const SLAB_BYTES = 256 * 1024
let slab = Buffer.alloc(0)
let slabUsed = 0

/** Copies of small bodies share slabs: an ArrayBuffer each would cost more than the chain. */
function copyOut(from: Buffer, start: number, end: number): Buffer {
  const size = end - start
  let to: Buffer
  if (size < SMALL) {
    to = Buffer.allocUnsafe(size)
  } else if (size > LARGE) {
    to = Buffer.allocUnsafeSlow(size)
  } else {
    if (slabUsed + size > slab.length) {
      slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      slabUsed = 0
    }
    to = slab.subarray(slabUsed, slabUsed + size)
    slabUsed += (size + 7) & ~7
  }
  from.copy(to, 0, start, end)
  return to
}

/** The same bytes, to be read as integers and as text; the integers may begin `shift` bytes earlier. */
interface Words {
  readonly words: Uint32Array
  readonly bytes: Buffer
  readonly shift: number
}

function words(bytes: Buffer): Words {
  return {
    words: new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2),
    bytes,
    shift: 0,
  }
}

function doubles(bytes: Buffer): Float64Array {
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length >> 3)
}

function readStat(from: Float64Array, at: number): FileStat {
  const mtimeSec = from[at + 2] ?? 0
  const mtimeNsec = from[at + 3] ?? 0
  return {
    mode: from[at] ?? 0,
    size: from[at + 1] ?? 0,
    mtimeMs: mtimeSec * 1000 + Math.floor(mtimeNsec / 1e6),
    mtimeSec,
    mtimeNsec,
    ctimeSec: from[at + 4] ?? 0,
    ctimeNsec: from[at + 5] ?? 0,
    ino: from[at + 6] ?? 0,
    dev: from[at + 7] ?? 0,
    nlink: from[at + 8] ?? 0,
    uid: from[at + 9] ?? 0,
    gid: from[at + 10] ?? 0,
  }
}

/** What stands from `start` on is laid out as step_read_attributes says. */
function readAttributes(
  { words, bytes, shift }: Words,
  start: number,
  wanted: readonly string[] | undefined,
): ReadonlyMap<string, Buffer> {
  const attributes = new Map<string, Buffer>()
  const at = (start + shift) >> 2
  const end = at + 2 + 4 * (words[at] ?? 0)
  for (let row = at + 2; row < end; row += 4) {
    const name = words[row] ?? 0
    const nameSize = words[row + 1] ?? 0
    const value = start + (words[row + 2] ?? 0)
    const text = nameSize === 0 ? wanted?.[name] : attributeName(bytes, start + name, nameSize)
    if (text !== undefined)
      attributes.set(text, bytes.subarray(value, value + (words[row + 3] ?? 0)))
  }
  return attributes
}

function readListing(step: AnyStep, bytes: Buffer): DirEntries {
  const [count = 0, pages = 0] = new Uint32Array(bytes.buffer, bytes.byteOffset, 2)
  step.detail = { pages }
  const offsets = new Uint32Array(bytes.buffer, bytes.byteOffset + 8, count + 1)
  const types = 8 + 4 * (count + 1)
  const names = types + count
  return {
    count,
    offsets,
    types: bytes.subarray(types, names),
    names: bytes.subarray(names, names + (offsets[count] ?? 0)),
  }
}

const ENTRY_DOUBLES = 15

function readBatch(step: AnyStep, bytes: Buffer): BatchEntry[] {
  const source = words(bytes)
  const table = doubles(bytes)
  const count = step.b
  const entryNs = new Float64Array(count)
  const entries: BatchEntry[] = []
  for (let i = 0, at = 0; i < count; i++, at += ENTRY_DOUBLES) {
    const attributes = table[at + 1] ?? 0
    entryNs[i] = table[at + 14] ?? 0
    entries.push({
      errno: table[at] ?? 0,
      stat: readStat(table, at + 2),
      attributes:
        attributes === 0
          ? NO_ATTRIBUTES
          : readAttributes(source, attributes, step.wanted as readonly string[]),
    })
  }
  step.detail = { entryNs }
  return entries
}

const NO_ATTRIBUTES: ReadonlyMap<string, Buffer> = new Map()

const METHODS: readonly CopyMethod[] = ['reflink', 'copy_file_range', 'read_write']

export function methodFlags(methods: readonly CopyMethod[]): number {
  let flags = 0
  for (const method of methods) flags |= FLAG.reflink << METHODS.indexOf(method)
  return flags
}

function readCopy(facts: Float64Array, bytes: number): CopyResult {
  return { method: METHODS[facts[0] ?? 0] ?? 'read_write', bytes, usedFallback: facts[1] === 1 }
}
