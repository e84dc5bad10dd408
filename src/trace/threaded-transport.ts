import { Worker } from 'node:worker_threads'
import type { Done, Transport, TransportEvents, TransportOptions } from './exporters.ts'
import type { EncodedSpans } from './otlp-batch.ts'
import type { FromThread, SentError, ToThread } from './transport-thread.ts'

/**
 * V8 collects when buffers take twice as much as its young generation may. By its usual 48 MB the buffers of a dozen exports
 * count as grown old first, and are then marked away by all of V8's threads.
 */
const YOUNG_GENERATION_MB = 2

/** A thread that cannot start must not be started for every batch. */
const RESTART_AFTER_MS = 5000

/**
 * A transport that lives in a thread of its own (`transport-thread.ts`). It is started at once, so that it has loaded
 * its packages by the first batch, and anew some seconds after it should have ended by itself.
 */
export class ThreadedTransport implements Transport {
  readonly #options: TransportOptions
  readonly #events: TransportEvents
  readonly #pending = new Map<number, Done>()
  #thread: Worker | undefined
  #closed: (() => void) | undefined
  #nextId = 0
  /** Not before this a thread is started in place of one that ended. */
  #restartMs = 0

  constructor(options: TransportOptions, events: TransportEvents) {
    this.#options = options
    this.#events = events
    this.#thread = this.#start()
  }

  send(batch: EncodedSpans, done: Done): void {
    if (this.#thread === undefined && performance.now() >= this.#restartMs)
      this.#thread = this.#start()
    const thread = this.#thread
    const { bytes, spans } = batch
    const block = bytes.buffer
    if (thread === undefined) return done(new Error('the transport thread does not run'), block)
    const id = this.#nextId++
    this.#pending.set(id, done)
    this.#post(
      thread,
      { kind: 'send', id, block, offset: bytes.byteOffset, length: bytes.byteLength, spans },
      [block],
    )
  }

  /** Lets the thread finish what it has, and ends it. */
  async close(): Promise<void> {
    if (this.#thread === undefined) return
    const closed = new Promise<void>((resolve) => (this.#closed = resolve))
    this.#post(this.#thread, { kind: 'close' })
    await closed
    await this.abort()
  }

  /** Ends the thread, with all connections it holds. */
  async abort(): Promise<void> {
    this.#restartMs = Number.POSITIVE_INFINITY
    await this.#thread?.terminate()
  }

  #post(thread: Worker, message: ToThread, transfer: ArrayBuffer[] = []): void {
    thread.postMessage(message, transfer)
  }

  #start(): Worker {
    const thread = new Worker(new URL('transport-thread.js', import.meta.url), {
      workerData: this.#options,
      name: 'otlp-transport',
      // What Node was told for the gateway (`--input-type`, say) is not for this thread.
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    })
    let cause = new Error('the transport thread ended')
    thread.on('message', (message: FromThread) => this.#receive(message))
    thread.on('error', (error) => (cause = error))
    thread.on('exit', () => {
      this.#thread = undefined
      this.#restartMs = Math.max(this.#restartMs, performance.now() + RESTART_AFTER_MS)
      this.#closed?.()
      for (const done of this.#pending.values()) done(cause, undefined)
      this.#pending.clear()
    })
    // Traces do not keep a process alive. Last, because a listener for messages takes hold of it again.
    thread.unref()
    return thread
  }

  #receive(message: FromThread): void {
    if (message.kind === 'closed') return this.#closed?.()
    if (message.kind === 'rejected') return this.#events.onRejected(message.spans)
    if (message.kind === 'retry')
      return this.#events.onRetry(received(message.error), message.spans)
    const { id, error, block } = message
    const done = this.#pending.get(id)
    this.#pending.delete(id)
    done?.(error === undefined ? undefined : received(error), block)
  }
}

function received({ message, code }: SentError): Error {
  return Object.assign(new Error(message), { code })
}
