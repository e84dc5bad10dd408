import { nowNs } from '../trace/clock.ts'
import { SPAN } from '../trace/names.ts'
import type { AttributeValue, Span } from '../trace/recorder.ts'
import type { Chain, Hasher, Io, Step } from './io.ts'
import { errnoName, IoError } from './io-error.ts'
import { joinSyscalls } from './step-spans.ts'

export interface FileWriterOptions {
  /** Below it the one WriteData span of the body is recorded. */
  readonly span: Span
  /** Descriptor; it stays the caller's. */
  readonly file: number
  /** Where in the file the first byte goes: 0 unless said otherwise. */
  readonly offset?: number | undefined
  /** Gets all bytes in their order. It stays the caller's. */
  readonly hasher?: Hasher | undefined
  /** Bytes that are written at once: 512 KiB unless said otherwise, and never less than 64 KiB. */
  readonly pieceBytes?: number | undefined
  /** Full pieces held, the one being written included: 2 unless said otherwise. */
  readonly maxPending?: number | undefined
  /** Whether the kernel is asked to start writing each piece to the disk. */
  readonly startWriteback?: boolean | undefined
  /** More attributes of the span. */
  readonly attributes?: Readonly<Record<string, AttributeValue>> | undefined
}

/** Takes a body piece by piece, and hashes and writes it off the main thread, in order. Fits `PieceSink`. */
export interface FileWriter {
  /**
   * Takes a chunk, which must stay as it is until `finish` or `abort` has resolved. False: enough for now, until
   * `onDrain`. Throws when an earlier piece could not be written.
   */
  write(chunk: Buffer): boolean
  /** Frees what the last chunks were parts of as soon as they are written; nobody may use it from then on. */
  release(bytes: Buffer): void
  onDrain: (() => void) | undefined
  /** Resolves to the number of bytes when all of them are written, or rejects with the first failure. */
  finish(): Promise<number>
  /** Drops what is not being written yet; resolves when the file is not touched any more. */
  abort(): Promise<void>
}

const DEFAULT_PIECE_BYTES = 512 * 1024
const LEAST_PIECE_BYTES = 64 * 1024
const DEFAULT_PENDING = 2
const ECANCELED = 125
/** Bounds what a long body's span holds of its system calls. */
const MAX_RECORDS = 128 * 8

export function createFileWriter(io: Io, options: FileWriterOptions): FileWriter {
  return new PieceWriter(io, options)
}

interface Piece {
  readonly chunks: Buffer[]
  /** What may be freed once they are written. */
  readonly spent: Buffer[]
  bytes: number
}

const newPiece = (): Piece => ({ chunks: [], spent: [], bytes: 0 })

class PieceWriter implements FileWriter {
  onDrain: (() => void) | undefined
  readonly #io: Io
  readonly #options: FileWriterOptions
  readonly #pieceBytes: number
  readonly #maxPending: number
  #filling = newPiece()
  /** The last that is full, until it is written. */
  #lastFull: Piece | undefined
  #full: Piece[] = []
  #isWriting = false
  #isEnding = false
  #askedToPause = false
  #offset: number
  #failure: IoError | undefined
  #onIdle: (() => void) | undefined
  readonly #facts = new Facts()

  constructor(io: Io, options: FileWriterOptions) {
    this.#io = io
    this.#options = options
    this.#offset = options.offset ?? 0
    this.#pieceBytes = Math.max(options.pieceBytes ?? DEFAULT_PIECE_BYTES, LEAST_PIECE_BYTES)
    this.#maxPending = options.maxPending ?? DEFAULT_PENDING
  }

  write(chunk: Buffer): boolean {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isEnding) throw new Error('write after the end')
    const filling = this.#filling
    filling.chunks.push(chunk)
    filling.bytes += chunk.length
    if (filling.bytes >= this.#pieceBytes) this.#seal()
    this.#askedToPause = this.#full.length + (this.#isWriting ? 1 : 0) >= this.#maxPending
    return !this.#askedToPause
  }

  release(bytes: Buffer): void {
    const piece = this.#filling.bytes > 0 ? this.#filling : this.#lastFull
    if (piece === undefined) this.#io.discard([bytes])
    else piece.spent.push(bytes)
  }

  async finish(): Promise<number> {
    this.#isEnding = true
    if (this.#filling.bytes > 0 && this.#failure === undefined) this.#seal()
    await this.#idle()
    this.#facts.record(this.#options, this.#failure)
    if (this.#failure !== undefined) throw this.#failure
    return this.#facts.bytes
  }

  async abort(): Promise<void> {
    this.#isEnding = true
    this.#full = []
    this.#filling = newPiece()
    const brokenOffNs = nowNs()
    await this.#idle()
    if (this.#failure === undefined) this.#facts.waitedUntil(brokenOffNs)
    this.#facts.record(this.#options, this.#failure)
    this.#failure ??= new IoError(ECANCELED, 'write', undefined)
  }

  /** No more goes into the piece that is being filled. */
  #seal(): void {
    this.#lastFull = this.#filling
    this.#full.push(this.#filling)
    this.#filling = newPiece()
    if (!this.#isWriting) this.#writeNext()
  }

  #writeNext(): void {
    const piece = this.#full.shift()
    if (piece === undefined) return
    this.#isWriting = true
    const { span, file, hasher, startWriteback } = this.#options
    const chain = this.#io.chain(span, { bulk: true, record: false })
    const step = chain.writeData(file, piece.chunks, {
      offset: this.#offset,
      direct: this.#io.direct,
      ...(hasher && { hasher }),
    })
    if (startWriteback === true) chain.startWriteback(file, this.#offset, piece.bytes)
    this.#offset += piece.bytes
    chain.run().then(
      () => this.#settle(chain, step, piece, undefined),
      (error: unknown) => this.#settle(chain, step, piece, error),
    )
  }

  #settle(chain: Chain, step: Step<number>, piece: Piece, error: unknown): void {
    this.#isWriting = false
    this.#io.discard(piece.spent)
    if (this.#lastFull === piece) this.#lastFull = undefined
    this.#facts.add(chain, step)
    if (error !== undefined) {
      this.#failure = error instanceof IoError ? error : new IoError(ECANCELED, 'write', undefined)
      this.#full = []
      this.#filling = newPiece()
    }
    this.#writeNext()
    if (!this.#isWriting) this.#onIdle?.()
    if (!this.#askedToPause || this.#full.length + (this.#isWriting ? 1 : 0) >= this.#maxPending)
      return
    this.#askedToPause = false
    this.onDrain?.()
  }

  #idle(): Promise<void> {
    if (!this.#isWriting) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onIdle = resolve
    })
  }
}

/** What the span of a body tells. */
class Facts {
  bytes = 0
  #startNs = 0
  #endNs = 0
  #queueNs = 0
  #laterQueueNs = 0
  #ioNs = 0
  #hashNs = 0
  #idleNs = 0
  #calls: Float64Array[] = []
  #callsLength = 0
  #isRecorded = false

  add(chain: Chain, step: Step<number>): void {
    const { startNs, endNs, queueNs, ioNs, hashNs, syscalls } = chain.times(step)
    if (!step.ran) return
    if (this.#startNs === 0) {
      this.#startNs = startNs
      this.#queueNs = queueNs
    } else {
      // Between the end of one piece and the hand-over of the next there was none to write.
      this.#laterQueueNs += queueNs
      this.#idleNs += Math.max(0, startNs - queueNs - this.#endNs)
    }
    this.#endNs = endNs
    this.#ioNs += ioNs
    this.#hashNs += hashNs
    if (step.errno === 0) this.bytes += step.value
    if (syscalls !== undefined && this.#callsLength + syscalls.length <= MAX_RECORDS) {
      this.#calls.push(syscalls)
      this.#callsLength += syscalls.length
    }
  }

  /** For a piece that never came. */
  waitedUntil(ns: number): void {
    if (this.#startNs === 0 || ns <= this.#endNs) return
    this.#idleNs += ns - this.#endNs
    this.#endNs = ns
  }

  record({ span, attributes }: FileWriterOptions, failure: IoError | undefined): void {
    if (this.#isRecorded || !span.recording) return
    this.#isRecorded = true
    const startNs = this.#startNs === 0 ? nowNs() : this.#startNs
    const endNs = this.#startNs === 0 ? startNs : this.#endNs
    const facts: Record<string, AttributeValue> = {
      'posix.duration_ms': (endNs - startNs) / 1e6,
      'posix.queue_ms': this.#queueNs / 1e6,
      ...attributes,
      'posix.bytes_written': this.bytes,
      'posix.io_ms': this.#ioNs / 1e6,
      'posix.hash_ms': this.#hashNs / 1e6,
      'posix.client_wait_ms': this.#idleNs / 1e6,
      // Of the pieces after the first.
      'posix.later_queue_ms': this.#laterQueueNs / 1e6,
    }
    if (failure !== undefined) facts['error.type'] = errnoName(failure.errno)
    const child = span.child(SPAN.writeData, facts, startNs)
    if (this.#callsLength > 0) child.syscalls = joinSyscalls(this.#calls)
    if (failure !== undefined) child.fail({ type: failure.code, message: failure.message })
    child.end(endNs)
  }
}
