import { grpcCode, UNAVAILABLE } from './grpc-failure.ts'
import type { EncodedSpans } from './otlp-batch.ts'

/** The part of the OTLP packages' delegates that is used. */
export interface Delegate {
  export(batch: EncodedSpans, callback: (result: ExportResult) => void): void
  shutdown(): Promise<void>
}

export interface ExportResult {
  /** 0: success. */
  readonly code: number
  readonly error?: Error
}

/** A client that has not got a connection for so long is replaced. */
const RENEW_MS = 10_000

/**
 * An export delegate for gRPC that is made anew while the receiver cannot be reached.
 *
 * grpc-js waits ever longer before it tries a connection again, up to two minutes, and the OTLP package has no option for
 * that: a receiver that was away for some minutes would get nothing for as long after it is back. A new client tries at once.
 */
export class ReconnectingDelegate implements Delegate {
  readonly #create: () => Delegate
  #current: Delegate
  #createdMs = performance.now()

  constructor(create: () => Delegate) {
    this.#create = create
    this.#current = create()
  }

  export(batch: EncodedSpans, callback: (result: ExportResult) => void): void {
    const used = this.#current
    used.export(batch, (result) => {
      if (used === this.#current && isUnavailable(result.error)) this.#renew()
      callback(result)
    })
  }

  shutdown(): Promise<void> {
    return this.#current.shutdown()
  }

  #renew(): void {
    const now = performance.now()
    if (now - this.#createdMs < RENEW_MS) return
    const old = this.#current
    this.#current = this.#create()
    this.#createdMs = now
    old.shutdown().catch(() => undefined)
  }
}

function isUnavailable(error: Error | undefined): boolean {
  return error !== undefined && grpcCode(error) === UNAVAILABLE
}
