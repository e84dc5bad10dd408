import type { Endpoint } from './endpoint.ts'
import { ExportLog } from './export-log.ts'
import type { Transport, TransportEvents } from './exporters.ts'
import { OtlpBatch, type SealedBatch } from './otlp-batch.ts'
import type { Attributes, Recorder, Span } from './recorder.ts'
import type { Sink, SinkStats } from './sink.ts'
import type { BatchConfig, TraceLog } from './tracing-config.ts'

export interface OtlpSinkOptions {
  readonly resource: Attributes
  readonly serviceVersion: string
  readonly endpoint: Endpoint
  readonly batch: BatchConfig
  readonly log: TraceLog
  readonly createTransport: (events: TransportEvents) => Transport
}

/** A batch leaves when it has as many bytes, even if it may hold more. Receivers take 4 MiB unless told otherwise. */
const MAX_BATCH_BYTES = 1024 * 1024

/** What waits and is being sent may take so much memory, whatever the size of its traces. */
const MAX_QUEUE_BYTES = 32 * 1024 * 1024

/**
 * Exports that may be under way at once: half of what the transports take before they lose what comes on top. A receiver
 * that needs 50 ms for 512 spans takes 160,000 spans a second from this many.
 */
const MAX_CONCURRENT = 15

/**
 * Gathers records into batches, encoded at once, and exports them. Bounded by `maxQueueSize`: a record is taken whole
 * or, when that many spans wait already, dropped whole, so that one record of any size always gets through an idle queue.
 */
export class OtlpSink implements Sink {
  readonly exporter = 'otlp'
  readonly #options: OtlpSinkOptions
  readonly #batch: OtlpBatch
  readonly #log: ExportLog
  readonly #transport: Transport
  readonly #waiting: SealedBatch[] = []
  #waitingSpans = 0
  #waitingTraces = 0
  /** Of all batches that have not been answered. */
  #queuedBytes = 0
  #sending = 0
  #sendingSpans = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #idle: (() => void)[] = []
  #exported = 0
  #dropped = 0
  #failed = 0
  #rejected = 0

  constructor(options: OtlpSinkOptions) {
    this.#options = options
    this.#batch = new OtlpBatch(options.resource, options.serviceVersion)
    this.#log = new ExportLog(options.log, options.endpoint)
    this.#transport = options.createTransport({
      onRejected: (spans) => {
        this.#rejected += spans
        this.#log.rejected(spans)
      },
      onRetry: (error, spans) => {
        if (!this.#isClosed) this.#log.retrying(error, spans)
      },
    })
  }

  add(recorder: Recorder, level: number): void {
    if (this.#isFull(recorder.spans.length)) return
    for (const span of recorder.spans) {
      this.#batch.add(span, recorder, level)
      // A long trace may go in several exports.
      if (this.#hasEnough()) this.#seal()
    }
    this.#batch.traces++
    this.#sealOrWait()
  }

  addLate(span: Span, level: number): void {
    if (this.#isFull(1)) return
    this.#batch.add(span, span.recorder, level)
    this.#sealOrWait()
  }

  stats(): SinkStats {
    return {
      exported: this.#exported,
      queued: this.#waitingSpans + this.#sendingSpans + this.#batch.spans,
      dropped: this.#dropped,
      failed: this.#failed,
      rejected: this.#rejected,
    }
  }

  fullness(): number {
    const { maxQueueSize } = this.#options.batch
    const share = Math.max(this.#waitingSize() / maxQueueSize, this.#queuedBytes / MAX_QUEUE_BYTES)
    return Math.min(1, share)
  }

  flush(): Promise<void> {
    this.#seal()
    if (this.#isIdle()) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  async close(limitMs: number): Promise<void> {
    // This timer keeps the process alive for as long: the transport's thread does not.
    let timer: NodeJS.Timeout | undefined
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)))
    await Promise.race([this.flush().then(() => this.#transport.close()), limit])
    clearTimeout(timer)
    this.#isClosed = true
    const { queued } = this.stats()
    if (queued > 0) this.#log.stopped(queued)
    await this.#transport.abort()
  }

  #isFull(spans: number): boolean {
    const { maxQueueSize } = this.#options.batch
    const hasRoom = this.#waitingSize() < maxQueueSize && this.#queuedBytes < MAX_QUEUE_BYTES
    if (hasRoom && !this.#isClosed) return false
    this.#dropped += spans
    if (!this.#isClosed) this.#log.queueFull(spans)
    return true
  }

  /** In the unit of `maxQueueSize`. */
  #waitingSize(): number {
    return this.#options.batch.unit === 'spans'
      ? this.#waitingSpans + this.#batch.spans
      : this.#waitingTraces + this.#batch.traces
  }

  #hasEnough(): boolean {
    const { unit, maxExportBatchSize } = this.#options.batch
    const { spans, traces, bytes } = this.#batch
    return (unit === 'spans' ? spans : traces) >= maxExportBatchSize || bytes >= MAX_BATCH_BYTES
  }

  #sealOrWait(): void {
    if (this.#hasEnough()) this.#seal()
    else this.#timer ??= setTimeout(() => this.#seal(), this.#options.batch.scheduleDelayMs).unref()
  }

  #seal(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#batch.spans === 0) return
    const sealed = this.#batch.seal()
    this.#waiting.push(sealed)
    this.#waitingSpans += sealed.spans
    this.#waitingTraces += sealed.traces
    this.#queuedBytes += sealed.bytes.length
    this.#send()
  }

  #send(): void {
    while (this.#sending < MAX_CONCURRENT) {
      const sealed = this.#waiting.shift()
      if (sealed === undefined) break
      this.#waitingSpans -= sealed.spans
      this.#waitingTraces -= sealed.traces
      this.#export(sealed)
    }
  }

  #export(sealed: SealedBatch): void {
    let isOpen = true
    // Once it is handed over, its memory is not ours to ask.
    const { length } = sealed.bytes
    this.#sending++
    this.#sendingSpans += sealed.spans
    const settle = (error: Error | undefined): void => {
      if (!isOpen) return
      isOpen = false
      clearTimeout(guard)
      this.#sending--
      this.#sendingSpans -= sealed.spans
      this.#queuedBytes -= length
      if (error === undefined) {
        this.#exported += sealed.spans
        this.#log.succeeded()
      } else {
        this.#failed += sealed.spans
        if (!this.#isClosed) this.#log.failed(error, sealed.spans)
      }
      this.#send()
      this.#wakeIfIdle()
    }
    const { exportTimeoutMs } = this.#options.batch
    const guard = setTimeout(
      () => settle(new Error(`no answer within ${exportTimeoutMs} ms`)),
      exportTimeoutMs,
    ).unref()
    try {
      this.#transport.send(sealed, (error, block) => {
        // Only now nobody reads it any more.
        if (block !== undefined) this.#batch.release(block)
        settle(error)
      })
    } catch (error) {
      settle(asError(error))
    }
  }

  #isIdle(): boolean {
    return this.#sending === 0 && this.#waiting.length === 0
  }

  #wakeIfIdle(): void {
    if (!this.#isIdle()) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
