import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'
import type { SpanReader } from './readable-spans.ts'
import type { Recorder, Span } from './recorder.ts'
import type { Sink, SinkStats } from './sink.ts'

/** Somebody who wants the SDK's spans: the console, processors. */
export interface SpanConsumer {
  /** Takes the spans of a trace, or one that came late; false if it has no room for them. */
  take(spans: readonly ReadableSpan[]): boolean
  flush(): Promise<void>
  close(): Promise<void>
}

export interface ReadableSinkOptions {
  /** Loads what makes the spans and who takes them; asked with the first record. */
  readonly load: () => Promise<{ read: SpanReader; consumers: readonly SpanConsumer[] }>
  /** Spans that may wait meanwhile. */
  readonly maxQueueSize: number
}

/** Hands kept records as ReadableSpans to consumers. */
export class ReadableSink implements Sink {
  readonly exporter = 'console'
  readonly #options: ReadableSinkOptions
  #read: SpanReader | undefined
  #consumers: readonly SpanConsumer[] = []
  #loading: Promise<void> | undefined
  #waiting: { spans: readonly Span[]; level: number }[] = []
  #queued = 0
  #exported = 0
  #dropped = 0

  constructor(options: ReadableSinkOptions) {
    this.#options = options
  }

  add(recorder: Recorder, level: number): void {
    this.#take(recorder.spans, level)
  }

  addLate(span: Span, level: number): void {
    this.#take([span], level)
  }

  async flush(): Promise<void> {
    await this.#loading
    await Promise.all(this.#consumers.map((consumer) => consumer.flush()))
  }

  async close(limitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)))
    const closed = this.flush().then(() =>
      Promise.allSettled(this.#consumers.map((consumer) => consumer.close())),
    )
    await Promise.race([closed, limit])
    clearTimeout(timer)
  }

  stats(): SinkStats {
    return {
      exported: this.#exported,
      queued: this.#queued,
      dropped: this.#dropped,
      failed: 0,
      rejected: 0,
    }
  }

  #take(spans: readonly Span[], level: number): void {
    if (this.#read !== undefined) return this.#hand(this.#read, spans, level)
    if (this.#queued >= this.#options.maxQueueSize) {
      this.#dropped += spans.length
      return
    }
    this.#queued += spans.length
    this.#waiting.push({ spans, level })
    this.#loading ??= this.#load()
  }

  async #load(): Promise<void> {
    const { read, consumers } = await this.#options.load()
    this.#read = read
    this.#consumers = consumers
    for (const { spans, level } of this.#waiting.splice(0)) this.#hand(read, spans, level)
    this.#queued = 0
  }

  #hand(read: SpanReader, spans: readonly Span[], level: number): void {
    const readable = spans.flatMap((span) => read(span, level) ?? [])
    const taken = this.#consumers.map((consumer) => consumer.take(readable))
    if (taken.includes(false)) this.#dropped += readable.length
    else this.#exported += readable.length
  }
}
