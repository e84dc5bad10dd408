import { headerEntries } from './headers.ts'
import { NO_SPAN } from './no-span.ts'
import type { Tracing } from './types.ts'

/** What there is when tracing is off: nothing is made, kept or measured. */
export function noTracing(): Tracing {
  return {
    enabled: false,
    startSpan: () => NO_SPAN,
    scope: (_, work) => work(NO_SPAN),
    wrap: (_, work) => work,
    runIn: (_, work) => work(),
    event: () => undefined,
    currentSpan: () => undefined,
    currentTraceId: () => undefined,
    correlationId: () => undefined,
    inject: (headers = {}) => Object.fromEntries(headerEntries(headers)),
    extract: () => undefined,
    fetch: (input, init) => globalThis.fetch(input, init),
    middleware: () => (_, next) => next(),
    metricsText: () => '',
    flush: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}
