import type { DirEntries, FileStat } from '../../io/io.ts'
import { byteSize } from './packed-names.ts'

/** A directory as it was read: its entries in S3 order, and the state they belong to. */
export interface CachedDirectory {
  readonly stat: FileStat
  readonly entries: DirEntries
}

/**
 * A change within the clock tick of the last one leaves the times as they are. Ticks are at most 10 ms long; a directory
 * that changed that recently when it was read may have changed again unseen, and is not remembered.
 */
const SETTLED_MS = 20

/**
 * Directories that listings have read, so that the next page need not read them again: the most recently used, up to
 * `maxBytes`. What is remembered is only ever used after fstat(2) has shown the same inode with the same times.
 */
export class DirectoryCache {
  readonly #maxBytes: number
  /** Least recently used first, as a Map keeps the order of insertion. */
  readonly #directories = new Map<string, CachedDirectory>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  has(path: string): boolean {
    return this.#directories.has(path)
  }

  /** The entries of `path`, if it is still the directory it was. */
  get(path: string, now: FileStat): DirEntries | undefined {
    const cached = this.#directories.get(path)
    if (cached === undefined) return undefined
    this.#directories.delete(path)
    if (!isSameState(cached.stat, now)) {
      this.#bytes -= byteSize(cached.entries)
      return undefined
    }
    this.#directories.set(path, cached)
    return cached.entries
  }

  /** `stat` must have been taken before `entries` were read, and `readAtMs` before both. */
  put(path: string, { stat, entries }: CachedDirectory, readAtMs: number): void {
    const changedMs = Math.max(stat.mtimeMs, stat.ctimeSec * 1000 + stat.ctimeNsec / 1e6)
    const bytes = byteSize(entries)
    if (readAtMs - changedMs < SETTLED_MS || bytes > this.#maxBytes) return
    this.#forget(path)
    this.#directories.set(path, { stat, entries })
    this.#bytes += bytes
    for (const oldest of this.#directories.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      this.#forget(oldest)
    }
  }

  #forget(path: string): void {
    const cached = this.#directories.get(path)
    if (cached === undefined) return
    this.#directories.delete(path)
    this.#bytes -= byteSize(cached.entries)
  }
}

function isSameState(a: FileStat, b: FileStat): boolean {
  return (
    a.ino === b.ino &&
    a.dev === b.dev &&
    a.mtimeSec === b.mtimeSec &&
    a.mtimeNsec === b.mtimeNsec &&
    a.ctimeSec === b.ctimeSec &&
    a.ctimeNsec === b.ctimeNsec
  )
}
