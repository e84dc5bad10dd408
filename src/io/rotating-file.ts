import { open, rename, stat, type FileHandle } from 'node:fs/promises'

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
      await this.#putAside()
      handle = await this.#current()
    }
    const piece = this.#isTorn ? Buffer.concat([NEWLINE, lines]) : lines
    this.#isTorn = true
    await handle.appendFile(piece)
    this.#isTorn = false
  }

  /** Of two processes that find it full in the same moment, the later one may put aside what the other has just begun. */
  async #putAside(): Promise<void> {
    const { path } = this.#options
    try {
      await rename(path, `${path}.1`)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }

  /** The file that has the name now. */
  async #current(): Promise<FileHandle> {
    const { path } = this.#options
    const known = this.#handle
    if (known !== undefined) {
      const [ours, named] = await Promise.all([known.stat(), stat(path).catch(() => undefined)])
      if (ours.ino === named?.ino && ours.dev === named.dev) return known
      this.#handle = undefined
      await known.close()
    }
    this.#handle = await open(path, 'a', MODE)
    return this.#handle
  }
}
