/** A bucket's directory of temporary files that stays open, and for how many chains. */
export interface KeptTmpDir {
  readonly fd: number
  users: number
  /** Since the last look. */
  wasUsed: boolean
  isForgotten: boolean
}

const MAX_KEPT = 64

/** One that nobody used for so long is closed: the file system it lies on cannot be unmounted. */
const IDLE_MS = 30_000

/**
 * Directories of temporary files that are kept open, of the buckets written to just now: opening and closing one for each
 * object takes up to a tenth of all the time that a small one needs.
 *
 * A file is not made through them but by the path, as the bucket has it at that moment. All that is done through them is to
 * give a file a private name for the moment before it replaces another. So where one is no longer its bucket's, the
 * worst that can be is that linking fails: then `forget` it.
 */
export class KeptTmpDirs {
  readonly #kept = new Map<string, KeptTmpDir>()
  readonly #close: (fd: number) => void
  readonly #idleMs: number
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(close: (fd: number) => void, idleMs = IDLE_MS) {
    this.#close = close
    this.#idleMs = idleMs
  }

  /** Give it back by `giveBack`; undefined where none is open. */
  borrow(bucket: string): KeptTmpDir | undefined {
    const dir = this.#kept.get(bucket)
    if (dir === undefined) return undefined
    dir.users++
    dir.wasUsed = true
    return dir
  }

  giveBack(dir: KeptTmpDir): void {
    dir.users--
    this.#closeUnused(dir)
  }

  /** Takes over a descriptor. */
  keep(bucket: string, fd: number): void {
    if (this.#isClosed || this.#kept.has(bucket)) return this.#close(fd)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < MAX_KEPT) break
      this.forget(oldest)
    }
    this.#kept.set(bucket, { fd, users: 0, wasUsed: true, isForgotten: false })
    this.#timer ??= setInterval(() => this.#closeIdle(), this.#idleMs).unref()
  }

  /** The next borrower gets none; with `dir` only if it is still that one. */
  forget(bucket: string, dir = this.#kept.get(bucket)): void {
    if (dir === undefined || this.#kept.get(bucket) !== dir) return
    this.#kept.delete(bucket)
    dir.isForgotten = true
    this.#closeUnused(dir)
    if (this.#kept.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Where there are no descriptors left, requests need them more. */
  forgetAll(): void {
    for (const bucket of this.#kept.keys()) this.forget(bucket)
  }

  /** Keeps none from now on. */
  close(): void {
    this.#isClosed = true
    this.forgetAll()
  }

  #closeIdle(): void {
    for (const [bucket, dir] of this.#kept) {
      if (!dir.wasUsed && dir.users === 0) this.forget(bucket)
      dir.wasUsed = false
    }
  }

  #closeUnused(dir: KeptTmpDir): void {
    if (dir.isForgotten && dir.users === 0) this.#close(dir.fd)
  }
}
