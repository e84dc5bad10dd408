import type { IncomingMessage } from 'node:http'
import type { PieceSink } from '../backend/payload.ts'
import { S3Error } from '../s3/errors.ts'
import { nowNs } from '../trace/clock.ts'

/** Takes a body's bytes as they come off the socket and hands on object bytes. Both methods throw S3Error. */
export interface BodyDecoder {
  push(bytes: Buffer, emit: (piece: Buffer) => void): void
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
 * Driven by the stream's events: no promise and no copy a piece. While the sink is full the socket is paused, so that a slow disk is
 * felt by the client and not by our memory; only the time we would have read counts as waiting for the client.
 */
export class BodyReader {
  clientWaitNs = 0
  readonly #incoming: IncomingMessage
  readonly #options: ReaderOptions
  #isRead = false

  constructor(incoming: IncomingMessage, options: ReaderOptions) {
    this.#incoming = incoming
    this.#options = options
  }

  /** Resolves when the decoder found the body whole; rejects at the first fault, and hands on nothing after it. */
  read(decoder: BodyDecoder, sink: PieceSink): Promise<void> {
    if (this.#isRead) return Promise.reject(new Error('a body can be read only once'))
    this.#isRead = true
    return new Promise((resolve, reject) => this.#run(decoder, sink, resolve, reject))
  }

  #run(decoder: BodyDecoder, sink: PieceSink, resolve: () => void, reject: (error: unknown) => void): void {
    const incoming = this.#incoming
    const stallNs = this.#options.stallMs * 1e6
    let isFull = false
    let isDone = false
    let wantedSince = nowNs()

    const stop = (): void => {
      isDone = true
      clearTimeout(timer)
      sink.onDrain = undefined
      incoming.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone)
      incoming.pause()
    }
    const fail = (error: unknown): void => {
      if (isDone) return
      stop()
      reject(error)
    }
    const emit = (piece: Buffer): void => {
      if (!sink.write(piece)) isFull = true
    }
    const onData = (bytes: Buffer): void => {
      this.clientWaitNs += nowNs() - wantedSince
      try {
        decoder.push(bytes, emit)
      } catch (error) {
        fail(error)
        return
      }
      if (isFull) incoming.pause()
      wantedSince = nowNs()
    }
    const onDrain = (): void => {
      if (isDone || !isFull) return
      isFull = false
      wantedSince = nowNs()
      incoming.resume()
    }
    const onEnd = (): void => {
      if (isDone) return
      this.clientWaitNs += nowNs() - wantedSince
      try {
        decoder.finish()
      } catch (error) {
        fail(error)
        return
      }
      stop()
      resolve()
    }
    const onGone = (cause?: unknown): void => fail(new S3Error('IncompleteBody', {}, { cause }))
    // One timer for the whole body: it looks, when it fires, how long ago the last piece came.
    const watch = (): void => {
      const idleNs = isFull ? 0 : nowNs() - wantedSince
      if (idleNs >= stallNs) fail(stalled())
      else timer = setTimeout(watch, (stallNs - idleNs) / 1e6 + 1)
    }
    let timer = setTimeout(watch, this.#options.stallMs)

    sink.onDrain = onDrain
    if (incoming.destroyed) {
      onGone()
      return
    }
    this.#options.onContinue?.()
    incoming.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone)
  }
}

/** The connection is of no use any more: the rest of the body may still arrive at any time. */
function stalled(): S3Error {
  return new S3Error('RequestTimeout', {}, { headers: { Connection: 'close' } })
}
