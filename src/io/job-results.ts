import type { NativeIo } from './addon.ts'
import { FLAG, LAYOUT, OP, RESULT, RESULT_BYTES, type Arena } from './arena.ts'
import type { ChainStep } from './chain-step.ts'
import type { BatchEntry, CopyMethod, CopyResult, DirEntries, FileStat } from './io.ts'

/** Where an output lies: in the arena, or in a buffer taken from the addon. */
interface Output {
  readonly bytes: Buffer
  readonly at: number
  readonly size: number
}

/** Fills in a step from its result. False when it was not reached. */
export function readResult(arena: Arena, native: NativeIo, slot: number, index: number, step: ChainStep<unknown>): boolean {
  const row = arena.base(slot) + LAYOUT.results + index * RESULT_BYTES
  const at = row >> 2
  const d = row >> 3
  const state = arena.int32[at + 11]
  if (state === RESULT.notReached) return false
  const { double } = arena
  step.startNs = double[d + 1] ?? 0
  step.endNs = double[d + 2] ?? 0
  if (state === RESULT.skipped) return true
  step.ran = true
  step.ioNs = double[d + 3] ?? 0
  step.hashNs = double[d + 4] ?? 0
  step.errno = arena.int32[at + 10] ?? 0
  if (step.errno === 0 || step.op === OP.verifyDigest) step.value = readValue(arena, native, slot, row, step)
  return true
}

/** The system call that a step made last, as an index of SYSCALL_NAMES; -1 for none. */
export function lastSyscall(arena: Arena, slot: number, index: number): number {
  return arena.int32[(arena.base(slot) + LAYOUT.results + index * RESULT_BYTES + 48) >> 2] ?? -1
}

function readValue(arena: Arena, native: NativeIo, slot: number, row: number, step: ChainStep<unknown>): unknown {
  const value = arena.double[row >> 3] ?? 0
  switch (step.op) {
    case OP.stat:
    case OP.statAt: {
      const out = output(arena, native, slot, row)
      return out.bytes === arena.bytes ? readStat(arena.double, out.at >> 3) : readStat(doubles(out), 0)
    }
    case OP.readAttributes: {
      const out = output(arena, native, slot, row)
      return readAttributes(copy(out), 0, step.wanted as readonly string[] | undefined)
    }
    case OP.read:
      return step.wanted instanceof Buffer ? step.wanted.subarray(0, value) : copy(output(arena, native, slot, row))
    case OP.readWhole:
      return value === 0 ? undefined : copy(output(arena, native, slot, row))
    case OP.digest:
    case OP.verifyDigest:
      return copy(output(arena, native, slot, row))
    case OP.makeParents:
    case OP.prune:
      step.detail = { syncs: doubles(output(arena, native, slot, row)) }
      return value
    case OP.link:
      return value === 0 ? 'linkat' : 'rename'
    case OP.list:
      return readListing(step, output(arena, native, slot, row))
    case OP.statBatch:
      return readBatch(step, output(arena, native, slot, row))
    case OP.copy:
      return readCopy(doubles(output(arena, native, slot, row)), value)
    default:
      return value
  }
}

const EMPTY = Buffer.alloc(0)

function output(arena: Arena, native: NativeIo, slot: number, row: number): Output {
  const at = (row >> 2) + 13
  const out = arena.uint32[at] ?? 0
  const size = arena.uint32[at + 1] ?? 0
  if (size === 0) return { bytes: EMPTY, at: 0, size: 0 }
  if (arena.uint32[at + 2] === 1) {
    const bytes = native.take(slot, out)
    return { bytes: bytes.length === size ? bytes : bytes.subarray(0, size), at: 0, size }
  }
  return { bytes: arena.bytes, at: arena.base(slot) + out, size }
}

/** Bytes that outlive the slot. What was taken from the addon does so already. */
function copy(out: Output): Buffer {
  if (out.at === 0) return out.bytes
  const bytes = Buffer.allocUnsafe(out.size)
  out.bytes.copy(bytes, 0, out.at, out.at + out.size)
  return bytes
}

/** As `copy`, aligned for wider numbers. */
function alignedCopy(out: Output): Buffer {
  if (out.at === 0 && out.bytes.byteOffset % 8 === 0) return out.bytes
  const bytes = Buffer.allocUnsafeSlow(out.size)
  out.bytes.copy(bytes, 0, out.at, out.at + out.size)
  return bytes
}

function doubles(out: Output): Float64Array {
  const bytes = alignedCopy(out)
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

/** Values stay in `bytes`; see step_read_attributes for the layout. */
function readAttributes(bytes: Buffer, start: number, wanted: readonly string[] | undefined): ReadonlyMap<string, Buffer> {
  const attributes = new Map<string, Buffer>()
  const count = bytes.readUInt32LE(start)
  for (let i = 0, at = start + 8; i < count; i++, at += 16) {
    const name = bytes.readUInt32LE(at)
    const nameSize = bytes.readUInt32LE(at + 4)
    const value = start + bytes.readUInt32LE(at + 8)
    const valueSize = bytes.readUInt32LE(at + 12)
    // Without `user.`, which every name begins with.
    const text = nameSize === 0 ? wanted?.[name] : bytes.toString('utf8', start + name + 5, start + name + nameSize)
    if (text !== undefined) attributes.set(text, bytes.subarray(value, value + valueSize))
  }
  return attributes
}

function readListing(step: ChainStep<unknown>, out: Output): DirEntries {
  const bytes = alignedCopy(out)
  const count = bytes.readUInt32LE(0)
  step.detail = { pages: bytes.readUInt32LE(4) }
  const offsets = new Uint32Array(bytes.buffer, bytes.byteOffset + 8, count + 1)
  const types = 8 + 4 * (count + 1)
  const names = types + count
  return { count, offsets, types: bytes.subarray(types, names), names: bytes.subarray(names, names + (offsets[count] ?? 0)) }
}

const ENTRY_DOUBLES = 15

function readBatch(step: ChainStep<unknown>, out: Output): BatchEntry[] {
  const bytes = alignedCopy(out)
  const table = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length >> 3)
  const count = step.b
  const entryNs = new Float64Array(count)
  const entries: BatchEntry[] = []
  for (let i = 0, at = 0; i < count; i++, at += ENTRY_DOUBLES) {
    const attributes = table[at + 1] ?? 0
    entryNs[i] = table[at + 14] ?? 0
    entries.push({
      errno: table[at] ?? 0,
      stat: readStat(table, at + 2),
      attributes: attributes === 0 ? NO_ATTRIBUTES : readAttributes(bytes, attributes, step.wanted as readonly string[]),
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
