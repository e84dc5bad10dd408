import { isUtf8 } from 'node:buffer'
import type { DirEntries } from '../../io/io.ts'

/** d_type of directories and regular files. */
export const DT_DIR = 4
export const DT_REG = 8
const DT_LNK = 10

const SLASH = 0x2f

/**
 * Compares entry `index` with `name` in S3 order: byte by byte, a directory as `name/`. Both files and directories stand
 * in this order in `DirEntries`, so that keys come out sorted across directories without ever being sorted.
 */
function compareEntry(entries: DirEntries, index: number, name: Buffer): number {
  const start = entries.offsets[index] ?? 0
  const length = (entries.offsets[index + 1] ?? start) - start
  const common = Math.min(length, name.length)
  const order = entries.names.compare(name, 0, common, start, start + common)
  if (order !== 0 || entries.types[index] !== DT_DIR)
    return order === 0 ? length - name.length : order
  if (name.length <= length) return 1
  const next = name[length] ?? 0
  return next === SLASH ? length + 1 - name.length : SLASH - next
}

/** Index of the first entry that is not less than `name`. */
export function lowerBound(entries: DirEntries, name: Buffer): number {
  let low = 0
  let high = entries.count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareEntry(entries, middle, name) < 0) low = middle + 1
    else high = middle
  }
  return low
}

export function isEntry(entries: DirEntries, index: number, name: Buffer): boolean {
  return index < entries.count && compareEntry(entries, index, name) === 0
}

/** The name as a key's part; undefined where its bytes are no UTF-8, for then no request can ask for it. */
export function entryName(entries: DirEntries, index: number): string | undefined {
  const bytes = entries.names.subarray(entries.offsets[index], entries.offsets[index + 1])
  return isUtf8(bytes) ? bytes.toString() : undefined
}

/** The names of the directories among the entries. */
export function directoryNames(entries: DirEntries): string[] {
  return namesOf(entries, DT_DIR)
}

/** The names of the symbolic links among the entries. */
export function linkNames(entries: DirEntries): string[] {
  return namesOf(entries, DT_LNK)
}

function namesOf(entries: DirEntries, type: number): string[] {
  const names: string[] = []
  for (let i = 0; i < entries.count; i++) {
    const name = entries.types[i] === type ? entryName(entries, i) : undefined
    if (name !== undefined) names.push(name)
  }
  return names
}

/** The least byte string greater than all that begin with `prefix`; undefined where there is none. */
export function successor(prefix: Buffer): Buffer | undefined {
  let end = prefix.length
  while (end > 0 && prefix[end - 1] === 0xff) end--
  if (end === 0) return undefined
  const next = Buffer.from(prefix.subarray(0, end))
  next[end - 1] = (next[end - 1] ?? 0) + 1
  return next
}

/** What the entries hold in memory. */
export function byteSize(entries: DirEntries): number {
  return entries.names.length + entries.offsets.byteLength + entries.types.length
}
