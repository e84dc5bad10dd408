import { setTimeout as sleep } from 'node:timers/promises'

/** How long it holds that a bucket was seen to be plain. */
const VALID_MS = 200

/** After this no process goes by what it saw before, nor is still at what it began under it. */
const SETTLED_MS = 500

/** Other hosts have other clocks. */
const CERTAIN_MS = 60_000

const MAX_REMEMBERED = 10_000

/**
 * Which buckets are plain: without object lock and versioning, so that whatever is written or deleted in them has nothing to
 * be compared with, and nothing to be kept, first.
 *
 * Whether one is, is asked of the file system, with the very chain that writes, and holds for a moment: other processes on
 * the same directory may change it. So that nothing is lost to one that does not know yet, whoever is told that a lock has
 * been put on something, or that there is a version, is told so once everybody knows (`settled`): a bucket becomes lockable
 * or versioned once, and pays half a second for it, and all requests in plain buckets pay nothing.
 */
export class PlainBuckets {
  /** When a bucket was seen to be plain. */
  readonly #plain = new Map<string, number>()
  /** Since when it is known that a bucket is not. */
  readonly #marked = new Map<string, number>()

  has(bucket: string): boolean {
    const seenAtMs = this.#plain.get(bucket)
    return seenAtMs !== undefined && performance.now() - seenAtMs < VALID_MS
  }

  /** Whether the bucket was not plain when it was last looked at. */
  isMarked(bucket: string): boolean {
    return this.#marked.has(bucket)
  }

  /** `sinceMs` is before the look, by `performance.now()`. */
  add(bucket: string, sinceMs: number): void {
    this.#marked.delete(bucket)
    if (this.#plain.size >= MAX_REMEMBERED) this.#plain.clear()
    this.#plain.set(bucket, sinceMs)
  }

  mark(bucket: string): void {
    this.#plain.delete(bucket)
    if (this.#marked.has(bucket)) return
    if (this.#marked.size >= MAX_REMEMBERED) this.#marked.clear()
    this.#marked.set(bucket, performance.now())
  }

  /** The bucket is gone: the next one of its name is another. */
  forget(bucket: string): void {
    this.#plain.delete(bucket)
    this.#marked.delete(bucket)
  }

  /** Resolves once every process knows that the bucket is not plain. `createdAtMs`, since the epoch, may tell that it long does. */
  async settled(bucket: string, createdAtMs: number | undefined): Promise<void> {
    if (createdAtMs !== undefined && createdAtMs < Date.now() - CERTAIN_MS) return
    const sinceMs = this.#marked.get(bucket) ?? performance.now()
    const leftMs = sinceMs + SETTLED_MS - performance.now()
    if (leftMs > 0) await sleep(leftMs)
  }
}
