import { mkdir, open, rename, rmdir, stat, type FileHandle } from 'node:fs/promises'

export interface RotatingFileOptions {
  readonly path: string
  /** What it may grow to. Its predecessor stays beside it as `{path}.1`: both together take twice as much at most. */
  readonly maxBytes: number
}

/** Lines of traces hold names of objects: they are their owner's. */
const MODE = 0o600

const NEWLINE = Buffer.from('\n')

/**
 * A file that lines are appended to, and that is put aside when it is full. Several processes may write the same one:
 * each piece is one write of whole lines, and a file that another has put aside, or that an operator has moved, is
 * opened anew. Methods reject with the file system's error; the next call tries again.
 */
export class RotatingFile {
  readonly #options: RotatingFileOptions
  #handle: FileHandle | undefined
  /** The last write may have ended within a line. */
  #isTorn = false
  /** Pieces are written one after the other. */
  #line: Promise<void> = Promise.resolve()

  constructor(options: RotatingFileOptions) {
    this.#options = options
  }

  append(lines: Uint8Array): Promise<void> {
    const written = this.#line.then(() => this.#write(lines))
    this.#line = written.catch(() => undefined)
    return written
  }

  async close(): Promise<void> {
    await this.#line
    await this.#handle?.close()
    this.#handle = undefined
  }

  async #write(lines: Uint8Array): Promise<void> {
    let handle = await this.#current()
    const { size } = await handle.stat()
    if (size > 0 && size + lines.length > this.#options.maxBytes) {
      await this.#putAside(handle)
      handle = await this.#current()
    }
    const piece = this.#isTorn ? Buffer.concat([NEWLINE, lines]) : lines
    this.#isTorn = true
    await handle.appendFile(piece)
    this.#isTorn = false
  }

  /**
   * Where another process is just doing so the piece goes into the full file: of two that rename, the later one would put
   * aside what the other has just begun, and overwrite what was full.
   */
  async #putAside(full: FileHandle): Promise<void> {
    const { path } = this.#options
    const turn = `${path}.rotating`
    if (!(await takeTurn(turn))) return
    try {
      if (await isNamed(full, path)) await rename(path, `${path}.1`)
    } finally {
      await rmdir(turn)
    }
  }

  /** The file that has the name now. */
  async #current(): Promise<FileHandle> {
    const { path } = this.#options
    const known = this.#handle
    if (known !== undefined) {
      if (await isNamed(known, path)) return known
      this.#handle = undefined
      await known.close()
    }
    this.#handle = await openForAppending(path)
    return this.#handle
  }
}

export function openForAppending(path: string): Promise<FileHandle> {
  return open(path, 'a', MODE)
}

/** Whether it is still this file that has the name. */
async function isNamed(file: FileHandle, path: string): Promise<boolean> {
  const [ours, named] = await Promise.all([file.stat(), stat(path).catch(() => undefined)])
  return ours.ino === named?.ino && ours.dev === named.dev
}

/** A turn takes a millisecond: whoever holds it for so long has been killed meanwhile. */
const TURN_MS = 10_000

/** A directory is made by one process only, on every file system. False where another one has the turn. */
async function takeTurn(turn: string): Promise<boolean> {
  if (await makeDirectory(turn)) return true
  const since = await stat(turn).catch(() => undefined)
  if (since === undefined || Date.now() - since.mtimeMs < TURN_MS) return false
  await rmdir(turn).catch(() => undefined)
  return makeDirectory(turn)
}

async function makeDirectory(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}
