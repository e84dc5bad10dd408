import { randomBytes } from 'node:crypto'
import { constants } from 'node:os'
import { Recorder } from '../trace/recorder.ts'
import { IoError } from './io-error.ts'
import type { Chain, FileStat, Io } from './io.ts'

const { EINVAL, ENOENT, ENOLCK, ENOSYS, EOPNOTSUPP } = constants.errno

/** File systems without locks: then updates exclude each other within this process only. */
const NO_LOCKS = [EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP]
const LOCK_TIMEOUT_MS = 30_000
const MODE = 0o600
const LARGEST_BYTES = 64 * 1024 * 1024
/** A change sooner than this after another may leave the file with the same times: clocks of files tick every few ms. */
const SETTLED_MS = 2000

/**
 * A small file that several processes read and replace, such as the accounts'. Readers see it whole, before or after an
 * update. Updates exclude each other, also those of other processes and hosts, by an open file description's lock on
 * `{name}.lock` beside it, which goes with the process that holds it. Methods reject with IoError.
 */
export interface SharedFile {
  /** Undefined where there is no such file. The same Buffer as long as the file has not changed. */
  read(): Promise<Buffer | undefined>
  /**
   * Replaces the content by what `change` makes of it, undefined leaving it as it is. The earlier content goes to
   * `{name}.backup`. When it resolves, both are on disk. What `change` throws is passed on.
   */
  update(change: (content: Buffer | undefined) => Buffer | undefined): Promise<void>
  close(): Promise<void>
}

/** Opens the directory, which has to exist, and removes what a process killed in an update left in it. */
export async function openSharedFile(io: Io, directory: string, name: string): Promise<SharedFile> {
  const file = new ReplacedFile(io, io.openRoot(directory), name)
  await file.sweep()
  return file
}

interface Known {
  readonly stat: FileStat
  readonly content: Buffer
  /** Whether the file had been left alone long enough for its times to tell whether it changes from now on. */
  readonly isSettled: boolean
}

class ReplacedFile implements SharedFile {
  readonly #io: Io
  readonly #dir: number
  readonly #name: string
  readonly #temporary: RegExp
  readonly #silent = new Recorder(false, undefined).root
  #known: Known | undefined
  /** The last update of this process: they queue here, so that only one of them polls for the lock. */
  #line: Promise<unknown> = Promise.resolve()

  constructor(io: Io, dir: number, name: string) {
    this.#io = io
    this.#dir = dir
    this.#name = name
    this.#temporary = new RegExp(`^${name.replaceAll('.', '\\.')}\\.[0-9a-f]{16}$`)
  }

  async read(): Promise<Buffer | undefined> {
    const known = this.#known
    if (known?.isSettled === true) {
      const chain = this.#chain()
      const stat = chain.stat(this.#open(chain))
      await chain.run()
      if (stat.ran && isSame(stat.value, known.stat)) return known.content
    }
    return this.#readAnew()
  }

  update(change: (content: Buffer | undefined) => Buffer | undefined): Promise<void> {
    const turn = this.#line.then(() => this.#locked(change))
    this.#line = turn.catch(() => undefined)
    return turn
  }

  async close(): Promise<void> {
    await this.#line
    await this.#close(this.#dir)
  }

  /** Under the lock, so that no other process's temporary file is taken for one left behind. */
  async sweep(): Promise<void> {
    const chain = this.#chain()
    const list = chain.listDir(this.#dir)
    await chain.run()
    const { names, offsets, count } = list.value
    const left = Array.from({ length: count }, (_, i) =>
      names.toString('utf8', offsets[i], offsets[i + 1]),
    ).filter((name) => this.#temporary.test(name))
    if (left.length === 0) return
    try {
      const lock = await this.#lock()
      try {
        await this.#remove(left)
      } finally {
        await this.#close(lock)
      }
    } catch (error) {
      // Litter on a file system that is read only, say, is no reason not to serve what the file holds.
      if (!(error instanceof IoError)) throw error
    }
  }

  async #locked(change: (content: Buffer | undefined) => Buffer | undefined): Promise<void> {
    const lock = await this.#lock()
    try {
      const content = await this.#readAnew()
      const changed = change(content)
      if (changed !== undefined) await this.#replace(content, changed)
    } finally {
      await this.#close(lock)
    }
  }

  /** The descriptor that holds the lock; undefined where the file system has none. */
  async #lock(): Promise<number | undefined> {
    const chain = this.#chain()
    const lock = chain.lock(this.#dir, `${this.#name}.lock`, {
      exclusive: true,
      timeoutMs: LOCK_TIMEOUT_MS,
      keep: true,
    })
    try {
      await chain.run()
      return lock.value
    } catch (error) {
      if (error instanceof IoError && NO_LOCKS.includes(error.errno)) return undefined
      throw error
    }
  }

  async #readAnew(): Promise<Buffer | undefined> {
    const startMs = Date.now()
    const chain = this.#chain()
    const file = this.#open(chain)
    const stat = chain.stat(file)
    const whole = chain.readWhole(file, { wholeIfAtMost: LARGEST_BYTES })
    await chain.run()
    if (!whole.ran) {
      this.#known = undefined
      return undefined
    }
    const content = whole.value
    if (content === undefined) {
      await this.#close(file.value)
      throw new IoError(constants.errno.EFBIG, 'read', undefined)
    }
    const known = this.#known
    // The same bytes are the same content, whatever the times say: whoever has parsed them need not parse them again.
    const same = known?.content.equals(content) === true ? known.content : content
    this.#known = { stat: stat.value, content: same, isSettled: isSettled(stat.value, startMs) }
    return same
  }

  async #replace(content: Buffer | undefined, changed: Buffer): Promise<void> {
    const names = [this.#temporaryName(), this.#temporaryName()] as const
    const chain = this.#chain()
    if (content !== undefined) this.#write(chain, names[0], content, `${this.#name}.backup`)
    this.#write(chain, names[1], changed, this.#name)
    chain.sync(this.#dir, 'dir')
    try {
      await chain.run()
    } catch (error) {
      await this.#remove(names).catch(() => undefined)
      throw error
    }
  }

  #write(chain: Chain, temporary: string, content: Buffer, name: string): void {
    const file = chain.openFile(this.#dir, temporary, { create: MODE })
    chain.writeData(file, [content])
    chain.sync(file, 'file')
    chain.rename(this.#dir, temporary, this.#dir, name)
  }

  /** A link in its place is followed: orchestrators hand files out that way. */
  #open(chain: Chain): ReturnType<Chain['openFile']> {
    return chain.openFile(this.#dir, this.#name, { followLast: true, tolerate: [ENOENT] })
  }

  #temporaryName(): string {
    return `${this.#name}.${randomBytes(8).toString('hex')}`
  }

  async #remove(names: readonly string[]): Promise<void> {
    const chain = this.#chain()
    for (const name of names) chain.remove(this.#dir, name, { tolerate: [ENOENT] })
    await chain.run()
  }

  async #close(fd: number | undefined): Promise<void> {
    if (fd === undefined) return
    const chain = this.#chain()
    chain.close(fd)
    await chain.run()
  }

  #chain(): Chain {
    return this.#io.chain(this.#silent)
  }
}

function isSettled(stat: FileStat, nowMs: number): boolean {
  return nowMs - Math.max(stat.mtimeMs, stat.ctimeSec * 1000) > SETTLED_MS
}

function isSame(a: FileStat, b: FileStat): boolean {
  return (
    a.ino === b.ino &&
    a.dev === b.dev &&
    a.size === b.size &&
    a.mtimeSec === b.mtimeSec &&
    a.mtimeNsec === b.mtimeNsec &&
    a.ctimeSec === b.ctimeSec &&
    a.ctimeNsec === b.ctimeNsec
  )
}
