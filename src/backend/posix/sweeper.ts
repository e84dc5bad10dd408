import { constants } from 'node:os'
import type { Chain, Fd } from '../../io/io.ts'
import { isDirectory, isRegular } from './file-types.ts'
import { DT_REG, directoryNames, entryName } from './packed-names.ts'
import { TMP_DIR, isUnfinishedBucket } from './paths.ts'
import type { Task } from './task.ts'

const { EACCES, EBUSY, ELOOP, ENOENT, ENOTDIR, ENOTEMPTY, EPERM } = constants.errno

export interface SweepTimes {
  /** A temporary file that nobody has written to for so long is a dead process's. */
  readonly ageMs: number
  /** Between two visits to a place. */
  readonly visitMs: number
  /** How often it is looked whether a visit is due. A place is first visited so long after it was first used, at most. */
  readonly tickMs: number
}

const HOUR_MS = 3_600_000

/** No upload pauses for a day: a client that sends nothing is given up after minutes. */
export const SWEEP_TIMES: SweepTimes = {
  ageMs: 24 * HOUR_MS,
  visitMs: 6 * HOUR_MS,
  tickMs: HOUR_MS / 6,
}

/** Places beyond this are forgotten, the longest known first, until they are used again. */
const MAX_PLACES = 10_000

/** Sweeps one place of files older than `ageMs`. */
type Sweep = (bucket: string, directory: string, ageMs: number) => Promise<unknown>

/**
 * Visits the directories of temporary files that this process uses, one after the other, in the background.
 *
 * What a process leaves when it is killed is a named temporary file or the short-lived name of an overwrite; O_TMPFILE
 * leaves nothing. Nobody sees either, so nothing is urgent; but disks fill up.
 */
export class Sweeper {
  readonly #sweep: Sweep
  readonly #times: SweepTimes
  /** By bucket, and by bucket and directory where that is another than usual. */
  readonly #places = new Map<string, Place>()
  #timer: NodeJS.Timeout | undefined
  #visiting: Promise<void> | undefined
  #closed = false

  constructor(sweep: Sweep, times: SweepTimes) {
    this.#sweep = sweep
    this.#times = times
  }

  /**
   * Told of every use: this much it may cost. `directory` lies beneath the bucket; without a bucket it is the root, where
   * buckets are made.
   */
  note(bucket: string, directory: string): void {
    const id = directory === TMP_DIR ? bucket : `${bucket}/${directory}`
    if (!this.#places.has(id)) this.#add(id, { bucket, directory, visitedMs: -Infinity })
  }

  /** Resolves when nothing is being swept any more. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await this.#visiting
  }

  #add(id: string, place: Place): void {
    if (this.#places.size >= MAX_PLACES) {
      const [oldest] = this.#places.keys()
      if (oldest !== undefined) this.#places.delete(oldest)
    }
    this.#places.set(id, place)
    if (this.#closed) return
    this.#timer ??= setInterval(() => {
      this.#visiting ??= this.#visitAll().finally(() => (this.#visiting = undefined))
    }, this.#times.tickMs).unref()
  }

  async #visitAll(): Promise<void> {
    const { ageMs, visitMs } = this.#times
    for (const place of this.#places.values()) {
      const nowMs = performance.now()
      if (nowMs - place.visitedMs < visitMs) continue
      place.visitedMs = nowMs
      // A place that cannot be swept now may be another time; nothing depends on it.
      await this.#sweep(place.bucket, place.directory, ageMs).catch(() => undefined)
      if (this.#closed) return
    }
  }
}

interface Place {
  readonly bucket: string
  readonly directory: string
  visitedMs: number
}

/** Files of one job. */
const FILES_AT_ONCE = 256

/**
 * Removes temporary files from `directory` that were last written to more than `ageMs` ago; gives back how many. Only files
 * named as this gateway or VersityGW names its own, never what lies in directories: uploads, parts, locks.
 */
export async function sweepTemporaries(
  task: Task,
  directory: string,
  ageMs: number,
): Promise<number> {
  const chain = task.begin({ bulk: true })
  const open = { readable: true, tolerate: [ENOENT, ENOTDIR, ELOOP] }
  const dir = chain.steps.openDir(chain.bucket, directory, open)
  const list = chain.steps.listDir(dir)
  await chain.run()
  if (dir.errno !== 0) return 0
  const names: string[] = []
  for (let i = 0; i < list.value.count; i++) {
    const name = list.value.types[i] === DT_REG ? entryName(list.value, i) : undefined
    if (name !== undefined && TEMPORARY.test(name)) names.push(name)
  }
  return removeOld(names, ageMs, {
    isDirectory: false,
    begin() {
      const { steps, bucket } = task.begin({ bulk: true })
      return { steps, dir: steps.openDir(bucket, directory) }
    },
  })
}

/** Removes the directories of buckets that were never finished, as `sweepTemporaries` removes files. */
export async function sweepUnfinishedBuckets(task: Task, ageMs: number): Promise<number> {
  const chain = task.chain({ bulk: true })
  const list = chain.listDir(task.volume.root)
  await chain.run()
  return removeOld(directoryNames(list.value).filter(isUnfinishedBucket), ageMs, {
    isDirectory: true,
    begin: () => ({ steps: task.chain({ bulk: true }), dir: task.volume.root }),
  })
}

/** `temporaryName`; the name that an overwrite is linked to before it is renamed; VersityGW's, after the key's hash. */
const TEMPORARY = /^(?:tmp\.[0-9a-f]{24}|[0-9a-f]{32}|[0-9a-f]{64}\.[0-9A-Za-z]+)$/

interface Sweeping {
  readonly isDirectory: boolean
  /** A chain, and in it the directory to sweep. */
  readonly begin: () => { readonly steps: Chain; readonly dir: Fd }
}

/** Gives back how many of these entries were old and have been removed. */
async function removeOld(
  names: readonly string[],
  ageMs: number,
  sweeping: Sweeping,
): Promise<number> {
  let removed = 0
  for (let i = 0; i < names.length; i += FILES_AT_ONCE)
    removed += await removeSome(names.slice(i, i + FILES_AT_ONCE), ageMs, sweeping)
  return removed
}

async function removeSome(
  names: readonly string[],
  ageMs: number,
  { isDirectory: directory, begin }: Sweeping,
): Promise<number> {
  const looking = begin()
  const found = looking.steps.statBatch(looking.dir, names, [])
  await looking.steps.run()
  const oldestMs = Date.now() - ageMs
  const isWanted = directory ? isDirectory : isRegular
  const old = names.filter((_, i) => {
    const entry = found.value[i]
    return entry?.errno === 0 && isWanted(entry.stat) && entry.stat.mtimeMs < oldestMs
  })
  if (old.length === 0) return 0
  const { steps, dir } = begin()
  const removals = old.map((name) => steps.remove(dir, name, { directory, tolerate: LEFT_ALONE }))
  await steps.run()
  return removals.filter(({ errno }) => errno === 0).length
}

/** Somebody else was faster, or it is not ours to remove, or there is something in it. */
const LEFT_ALONE = [ENOENT, EACCES, EPERM, EBUSY, ENOTEMPTY]
