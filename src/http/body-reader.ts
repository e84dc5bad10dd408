import type { PieceSink } from '../backend/payload.ts'
import { S3Error } from '../s3/errors.ts'
import { nowNs } from '../trace/clock.ts'
import type { BodyTaker, RequestMessage } from './request-message.ts'

/** Takes a body's bytes as they come off the socket and hands on object bytes. Both methods throw S3Error. */
export interface BodyDecoder {
  push(bytes: Buffer, emit: (piece: Buffer) => void): void
  /** Whether it remembers parts of what was pushed. */
  readonly holdsBytes: boolean
  /** The transfer has ended: is the body whole? */
  finish(): void
}

export interface ReaderOptions {
  /** No byte for so long while we want one: the client is given up. */
  readonly stallMs: number
  /** Sends `100 Continue`, where the client waits for it. */
  readonly onContinue: (() => void) | undefined
}

/**
 * Reads a request's body from its socket, through a decoder, into a sink.
 *
 * Driven by the parser's events: no promise and no copy a piece. While the sink is full the socket is paused, so that a slow
 * disk is felt by the client and not by our memory; only the time we would have read counts as waiting for the client.
 */
export class BodyReader implements BodyTaker {
  clientWaitNs = 0
  /** As they came off the socket. */
  receivedBytes = 0
  readonly #incoming: RequestMessage
  readonly #options: ReaderOptions
  #state: 'unread' | 'reading' | 'full' | 'done' = 'unread'
  #reading: Reading | undefined
  /** Since when we have been ready for bytes, while `reading`. */
  #readySince = 0
  #timer: NodeJS.Timeout | undefined

  constructor(incoming: RequestMessage, options: ReaderOptions) {
    this.#incoming = incoming
    this.#options = options
  }

  /** Resolves when the decoder found the body whole; rejects at the first fault, and hands on nothing after it. */
  read(decoder: BodyDecoder, sink: PieceSink): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#state !== 'unread') throw new Error('a body can be read only once')
      if (this.#incoming.destroyed) throw clientGone()
      const emit = (piece: Buffer): void => {
        if (!sink.write(piece)) this.#state = 'full'
      }
      this.#reading = { decoder, sink, emit, resolve, reject }
      sink.onDrain = () => this.#resume()
      this.#state = 'reading'
      this.#readySince = nowNs()
      this.#options.onContinue?.()
      this.#incoming.takeBody(this)
      if (this.#reading !== undefined) watchLater(this)
    })
  }

  take(bytes: Buffer): boolean {
    const reading = this.#reading
    if (reading === undefined) return true
    this.#countWait()
    this.receivedBytes += bytes.length
    try {
      reading.decoder.push(bytes, reading.emit)
      if (!reading.decoder.holdsBytes) reading.sink.release?.(bytes)
    } catch (error) {
      this.#finish()?.reject(error)
      return true
    }
    this.#readySince = nowNs()
    return this.#state !== 'full'
  }

  end(): void {
    this.#countWait()
    const reading = this.#finish()
    try {
      reading?.decoder.finish()
      reading?.resolve()
    } catch (error) {
      reading?.reject(error)
    }
  }

  fail(cause: unknown): void {
    this.#countWait()
    this.#finish()?.reject(clientGone(cause))
  }

  /** One timer for the whole body: when it fires it looks how long ago the last piece came. */
  watch(): void {
    if (this.#state === 'done') return
    const { stallMs } = this.#options
    const look = (): void => {
      const idleMs = this.#state === 'reading' ? (nowNs() - this.#readySince) / 1e6 : 0
      if (idleMs < stallMs) {
        this.#timer = setTimeout(look, stallMs - idleMs + 1)
        return
      }
      this.#countWait()
      this.#finish()?.reject(stalled())
    }
    this.#timer = setTimeout(look, stallMs)
  }

  #resume(): void {
    if (this.#state !== 'full') return
    this.#state = 'reading'
    this.#readySince = nowNs()
    this.#incoming.resumeBody()
  }

  /** What is to be settled now, once. */
  #finish(): Reading | undefined {
    const reading = this.#reading
    if (reading === undefined) return undefined
    this.#reading = undefined
    this.#state = 'done'
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    reading.sink.onDrain = undefined
    this.#incoming.leaveBody()
    return reading
  }

  #countWait(): void {
    if (this.#state === 'reading') this.clientWaitNs += nowNs() - this.#readySince
  }
}

/** A body while it is read. */
interface Reading {
  readonly decoder: BodyDecoder
  readonly sink: PieceSink
  readonly emit: (piece: Buffer) => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

let started: BodyReader[] = []

/** A small body has come with its head and is read within this turn of the event loop: it needs no timer. */
function watchLater(reader: BodyReader): void {
  if (started.push(reader) === 1) setImmediate(watchStarted)
}

function watchStarted(): void {
  const readers = started
  started = []
  for (const reader of readers) reader.watch()
}

function clientGone(cause?: unknown): S3Error {
  return new S3Error('IncompleteBody', {}, { cause })
}

/** The connection is of no use any more: the rest of the body may still arrive at any time. */
function stalled(): S3Error {
  return new S3Error('RequestTimeout', {}, { headers: { Connection: 'close' } })
}
