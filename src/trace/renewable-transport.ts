import type { Done, TlsTexts, Transport } from './exporters.ts'
import type { EncodedSpans } from './otlp-batch.ts'

/** A transport that can be given other certificates: short-lived ones run out long before a gateway is started anew. */
export class RenewableTransport implements Transport {
  readonly #create: (tls: TlsTexts) => Transport
  #current: Transport
  #isClosed = false

  constructor(create: (tls: TlsTexts) => Transport, tls: TlsTexts) {
    this.#create = create
    this.#current = create(tls)
  }

  /** From now on; what is under way ends with the certificates it began with. */
  renew(tls: TlsTexts): void {
    if (this.#isClosed) return
    const old = this.#current
    this.#current = this.#create(tls)
    void old.close().catch(() => undefined)
  }

  send(batch: EncodedSpans, done: Done): void {
    this.#current.send(batch, done)
  }

  close(): Promise<void> {
    this.#isClosed = true
    return this.#current.close()
  }

  abort(): Promise<void> {
    this.#isClosed = true
    return this.#current.abort()
  }
}
