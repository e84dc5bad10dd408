import type { IncomingMessage } from 'node:http'
import type { PieceSink } from '../backend/payload.ts'
import { S3Error } from '../s3/errors.ts'
import { nowNs } from '../trace/clock.ts'

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
 * Driven by the stream's events: no promise and no copy a piece. While the sink is full the socket is paused, so that a slow
 * disk is felt by the client and not by our memory; only the time we would have read counts as waiting for the client.
 */
export class BodyReader {
  clientWaitNs = 0
  /** As they came off the socket. */
  receivedBytes = 0
  readonly #incoming: IncomingMessage
  readonly #options: ReaderOptions
  #state: 'unread' | 'reading' | 'full' | 'done' = 'unread'
  /** Since when we have been ready for bytes, while `reading`. */
  #readySince = 0
  #timer: NodeJS.Timeout | undefined

  constructor(incoming: IncomingMessage, options: ReaderOptions) {
    this.#incoming = incoming
    this.#options = options
  }

  /** Resolves when the decoder found the body whole; rejects at the first fault, and hands on nothing after it. */
  async read(decoder: BodyDecoder, sink: PieceSink): Promise<void> {
    if (this.#state !== 'unread') throw new Error('a body can be read only once')
    if (this.#incoming.destroyed) throw clientGone()
    await new Promise<void>((resolve, reject) => this.#start(decoder, sink, resolve, reject))
  }

  #start(
    decoder: BodyDecoder,
    sink: PieceSink,
    resolve: () => void,
    reject: (error: unknown) => void,
  ): void {
    const incoming = this.#incoming
    const end = (settle: () => void): void => {
      if (this.#state === 'done') return
      this.#state = 'done'
      clearTimeout(this.#timer)
      sink.onDrain = undefined
      incoming.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone)
      incoming.pause()
      settle()
    }
    const emit = (piece: Buffer): void => {
      if (!sink.write(piece)) this.#state = 'full'
    }
    const onData = (bytes: Buffer): void => {
      this.#countWait()
      this.receivedBytes += bytes.length
      try {
        decoder.push(bytes, emit)
        if (!decoder.holdsBytes) sink.release?.(bytes)
      } catch (error) {
        end(() => reject(error))
        return
      }
      if (this.#state === 'full') incoming.pause()
      this.#readySince = nowNs()
    }
    const onEnd = (): void => {
      this.#countWait()
      try {
        decoder.finish()
        end(resolve)
      } catch (error) {
        end(() => reject(error))
      }
    }
    const onGone = (cause?: unknown): void => end(() => reject(clientGone(cause)))

    sink.onDrain = () => this.#resume()
    this.#state = 'reading'
    this.#readySince = nowNs()
    // A small body has come with its head and is read within this turn of the event loop: it needs no timer.
    setImmediate(() => {
      if (this.#state !== 'done') this.#watch(() => end(() => reject(stalled())))
    })
    incoming.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone)
    this.#options.onContinue?.()
  }

  #resume(): void {
    if (this.#state !== 'full') return
    this.#state = 'reading'
    this.#readySince = nowNs()
    this.#incoming.resume()
  }

  #countWait(): void {
    if (this.#state === 'reading') this.clientWaitNs += nowNs() - this.#readySince
  }

  /** One timer for the whole body: when it fires it looks how long ago the last piece came. */
  #watch(onStall: () => void): void {
    const { stallMs } = this.#options
    const look = (): void => {
      const idleMs = this.#state === 'reading' ? (nowNs() - this.#readySince) / 1e6 : 0
      if (idleMs >= stallMs) onStall()
      else this.#timer = setTimeout(look, stallMs - idleMs + 1)
    }
    this.#timer = setTimeout(look, stallMs)
  }
}

function clientGone(cause?: unknown): S3Error {
  return new S3Error('IncompleteBody', {}, { cause })
}

/** The connection is of no use any more: the rest of the body may still arrive at any time. */
function stalled(): S3Error {
  return new S3Error('RequestTimeout', {}, { headers: { Connection: 'close' } })
}
