import type { Identity } from '../auth/identity.ts'
import type { Call, PosixIds } from '../backend/backend.ts'
import type { Span } from '../trace/recorder.ts'

/**
 * A call to the backend on behalf of a request. The controller behind its signal is made only when somebody asks: most
 * requests never do. A class, because an object literal with a getter gets a hidden class of its own each time, which keeps
 * the request in memory for long.
 */
export class ExchangeCall implements Call {
  readonly span: Span
  mayBypass: Call['mayBypass']
  readonly #exchange: CallingExchange

  constructor(span: Span, exchange: CallingExchange) {
    this.span = span
    this.mayBypass = undefined
    this.#exchange = exchange
  }

  get signal(): AbortSignal {
    return this.#exchange.signal
  }

  get account(): PosixIds | undefined {
    return this.#exchange.authentication?.identity
  }
}

interface CallingExchange {
  readonly signal: AbortSignal
  readonly authentication?: { readonly identity: Identity } | undefined
}
