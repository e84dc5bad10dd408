import type { Call } from '../backend/backend.ts'
import type { Span } from '../trace/recorder.ts'

/**
 * A call to the backend on behalf of a request. The controller behind its signal is made only when somebody asks: most
 * requests never do. A class, because an object literal with a getter gets a hidden class of its own each time, which keeps
 * the request in memory for long.
 */
export class ExchangeCall implements Call {
  readonly span: Span
  readonly #exchange: { readonly signal: AbortSignal }

  constructor(span: Span, exchange: { readonly signal: AbortSignal }) {
    this.span = span
    this.#exchange = exchange
  }

  get signal(): AbortSignal {
    return this.#exchange.signal
  }
}
