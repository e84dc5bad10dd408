import type { OnRetry } from './exporters.ts'
import { retryDelayMs } from './grpc-failure.ts'
import type { EncodedSpans } from './otlp-batch.ts'
import type { Delegate, ExportResult } from './reconnecting-delegate.ts'

/** Between attempts, as the OTLP package has it for HTTP: from 1 s to 5 s, each time half as long again, give or take a fifth. */
const FIRST_BACKOFF_MS = 1000
const LONGEST_BACKOFF_MS = 5000
const BACKOFF_FACTOR = 1.5
const JITTER = 0.2

/** ExportResultCode. */
const FAILED = 1

/**
 * An export delegate for gRPC that tries again what may get through the next time, as the OTLP package does for HTTP
 * only. No attempt begins later than `limitMs` after the first.
 */
export class RetryingDelegate implements Delegate {
  readonly #inner: Delegate
  readonly #limitMs: number
  readonly #onRetry: OnRetry
  readonly #underWay = new Set<Promise<void>>()

  constructor(inner: Delegate, limitMs: number, onRetry: OnRetry) {
    this.#inner = inner
    this.#limitMs = limitMs
    this.#onRetry = onRetry
  }

  export(batch: EncodedSpans, callback: (result: ExportResult) => void): void {
    const delivery = this.#deliver(batch)
      .catch((error: unknown) => ({ code: FAILED, error: error as Error }))
      .then((result) => {
        this.#underWay.delete(delivery)
        callback(result)
      })
    this.#underWay.add(delivery)
  }

  /** After what waits for another attempt. */
  async shutdown(): Promise<void> {
    await Promise.all(this.#underWay)
    await this.#inner.shutdown()
  }

  async #deliver(batch: EncodedSpans): Promise<ExportResult> {
    const lastMs = performance.now() + this.#limitMs
    let backoffMs = FIRST_BACKOFF_MS
    for (;;) {
      const result = await this.#attempt(batch)
      if (result.error === undefined) return result
      const askedMs = retryDelayMs(result.error)
      if (askedMs === undefined) return result
      const waitMs = Math.max(askedMs, jittered(backoffMs))
      if (performance.now() + waitMs > lastMs) return result
      this.#onRetry(result.error, batch.spans)
      // The process may end meanwhile: whoever stops it waits for as long as it wants to.
      await new Promise((resolve) => setTimeout(resolve, waitMs).unref())
      backoffMs = Math.min(backoffMs * BACKOFF_FACTOR, LONGEST_BACKOFF_MS)
    }
  }

  #attempt(batch: EncodedSpans): Promise<ExportResult> {
    return new Promise((resolve) => this.#inner.export(batch, resolve))
  }
}

function jittered(ms: number): number {
  return ms * (1 + JITTER * (2 * Math.random() - 1))
}
