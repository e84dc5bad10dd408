import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'
import { ExportLog, type ExportTarget } from './export-log.ts'
import type { SpanReader } from './readable-spans.ts'
import type { Recorder, Span } from './recorder.ts'
import type { Sink, SinkStats } from './sink.ts'
import type { BatchConfig, TraceLog } from './tracing-config.ts'

/** Takes the SDK's spans, a batch at a time. */
export interface BatchExporter {
  /** Each element is one trace, or what came late of one. Rejects where they did not arrive. */
  export(traces: readonly (readonly ReadableSpan[])[]): Promise<void>
  close(): Promise<void>
  /** After `close` has been given its time. */
  abort?(): Promise<void>
}

export interface BatchingSinkOptions {
  readonly exporter: Sink['exporter']
  /** Loads what makes the spans and who takes them; asked with the first record. */
  readonly load: () => Promise<{ read: SpanReader; exporter: BatchExporter }>
  readonly batch: BatchConfig
  readonly log: TraceLog
  readonly target: ExportTarget
}

/** However few traces they are: one assembled upload may have forty thousand. */
const MAX_WAITING_SPANS = 200_000

/**
 * Exports that may be under way at once, those that were given up for want of an answer among them: whoever takes them
 * cannot be told to stop, and holds a connection and a batch for each.
 */
const MAX_UNDER_WAY = 4

interface Waiting {
  readonly spans: readonly Span[]
  readonly level: number
}

/** Gathers kept records and hands them on as ReadableSpans, in batches; what does not fit is dropped and counted. */
export class BatchingSink implements Sink {
  readonly exporter: Sink['exporter']
  readonly #options: BatchingSinkOptions
  readonly #log: ExportLog
  #loaded: Promise<{ read: SpanReader; exporter: BatchExporter }> | undefined
  #waiting: Waiting[] = []
  #waitingSpans = 0
  #sendingSpans = 0
  /** Exports whose outcome is awaited. */
  #sending = 0
  /** Those and the ones given up that still hold what they were given. */
  #underWay = 0
  #timer: NodeJS.Timeout | undefined
  #isFlushing = false
  #isClosed = false
  #abort: (() => Promise<void>) | undefined
  #idle: (() => void)[] = []
  #exported = 0
  #dropped = 0
  #failed = 0
  #rejected = 0

  constructor(options: BatchingSinkOptions) {
    this.exporter = options.exporter
    this.#options = options
    this.#log = new ExportLog(options.log, options.target)
  }

  add(recorder: Recorder, level: number): void {
    this.#take(recorder.spans, level)
  }

  addLate(span: Span, level: number): void {
    this.#take([span], level)
  }

  stats(): SinkStats {
    return {
      exported: this.#exported,
      queued: this.#waitingSpans + this.#sendingSpans,
      dropped: this.#dropped,
      failed: this.#failed,
      rejected: this.#rejected,
    }
  }

  fullness(): number {
    const { unit, maxQueueSize } = this.#options.batch
    const count = unit === 'spans' ? this.#waitingSpans : this.#waiting.length
    return Math.min(1, Math.max(count / maxQueueSize, this.#waitingSpans / MAX_WAITING_SPANS))
  }

  /** A receiver has answered that it did not take so many. */
  rejected(spans: number): void {
    this.#rejected += spans
    this.#log.rejected(spans)
  }

  flush(): Promise<void> {
    this.#isFlushing = true
    this.#send()
    if (this.#isIdle()) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  async close(limitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)))
    const closed = this.flush().then(async () => (await this.#loaded)?.exporter.close())
    await Promise.race([closed.catch(() => undefined), limit])
    clearTimeout(timer)
    clearTimeout(this.#timer)
    this.#isClosed = true
    const { queued } = this.stats()
    if (queued > 0) this.#log.stopped(queued)
    await this.#abort?.()
  }

  #take(spans: readonly Span[], level: number): void {
    const { unit, maxQueueSize } = this.#options.batch
    const count = unit === 'spans' ? this.#waitingSpans : this.#waiting.length
    if (count >= maxQueueSize || this.#waitingSpans >= MAX_WAITING_SPANS || this.#isClosed) {
      this.#dropped += spans.length
      if (!this.#isClosed) this.#log.queueFull(spans.length)
      return
    }
    this.#waiting.push({ spans, level })
    this.#waitingSpans += spans.length
    this.#sendOrWait()
  }

  #send(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const mayExport = this.#sending === 0 && this.#underWay < MAX_UNDER_WAY
    if (mayExport && this.#waiting.length > 0) void this.#export(this.#nextBatch())
    this.#wakeIfIdle()
  }

  /** Whole traces, in the order in which they came. */
  #nextBatch(): readonly Waiting[] {
    const { unit, maxExportBatchSize } = this.#options.batch
    let size = 0
    let length = 0
    for (const { spans } of this.#waiting) {
      if (size >= maxExportBatchSize) break
      size += unit === 'spans' ? spans.length : 1
      length++
    }
    const batch = this.#waiting.splice(0, length)
    for (const { spans } of batch) this.#waitingSpans -= spans.length
    return batch
  }

  /** Never rejects. */
  async #export(batch: readonly Waiting[]): Promise<void> {
    const spans = batch.reduce((sum, one) => sum + one.spans.length, 0)
    const { exportTimeoutMs } = this.#options.batch
    this.#sending++
    this.#underWay++
    this.#sendingSpans += spans
    let guard: NodeJS.Timeout | undefined
    const limit = new Promise<never>((_, reject) => {
      const error = new Error(`no answer within ${exportTimeoutMs} ms`)
      guard = setTimeout(() => reject(error), exportTimeoutMs).unref()
    })
    const handed = this.#hand(batch)
    const over = (): void => {
      this.#underWay--
      this.#sendOrWait()
    }
    handed.then(over, over)
    try {
      const taken = await Promise.race([handed, limit])
      this.#exported += taken
      this.#log.succeeded()
    } catch (error) {
      this.#failed += spans
      if (!this.#isClosed)
        this.#log.failed(error instanceof Error ? error : new Error(String(error)), spans)
    }
    clearTimeout(guard)
    this.#sending--
    this.#sendingSpans -= spans
    this.#sendOrWait()
    this.#wakeIfIdle()
  }

  #sendOrWait(): void {
    if (this.#isFlushing || this.#hasEnough()) this.#send()
    else if (this.#waiting.length > 0)
      this.#timer ??= setTimeout(() => this.#send(), this.#options.batch.scheduleDelayMs).unref()
  }

  /** How many spans were within the depth of their traces. */
  async #hand(batch: readonly Waiting[]): Promise<number> {
    this.#loaded ??= this.#options.load()
    const { read, exporter } = await this.#loaded
    this.#abort = exporter.abort?.bind(exporter)
    const traces = batch.map(({ spans, level }) => spans.flatMap((span) => read(span, level) ?? []))
    await exporter.export(traces)
    return traces.reduce((sum, trace) => sum + trace.length, 0)
  }

  #hasEnough(): boolean {
    const { unit, maxExportBatchSize } = this.#options.batch
    const count = unit === 'spans' ? this.#waitingSpans : this.#waiting.length
    return count >= maxExportBatchSize
  }

  /** Where nobody answers any more, what waits for him is not waited for. */
  #isIdle(): boolean {
    return this.#sending === 0 && (this.#waiting.length === 0 || this.#underWay >= MAX_UNDER_WAY)
  }

  #wakeIfIdle(): void {
    if (!this.#isIdle()) return
    this.#isFlushing = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
