import { AsyncLocalStorage } from 'node:async_hooks'
import type { Span } from './recorder.ts'

/**
 * The current span, for code that is not handed one. There is none until somebody asks: on Node 20 a process that uses
 * an AsyncLocalStorage makes every promise slower, and the gateway itself passes its spans on as arguments.
 */
let storage: AsyncLocalStorage<Span> | undefined

/** From now on requests run with their root as the current span. */
export function useAmbientSpan(): AsyncLocalStorage<Span> {
  return (storage ??= new AsyncLocalStorage())
}

/** Undefined while nobody uses it: then the hot path stays as it is. */
export function ambientSpan(): AsyncLocalStorage<Span> | undefined {
  return storage
}
