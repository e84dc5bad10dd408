import { deserialize, serialize } from 'node:v8'
import type { Answerer, SilentWorker } from './workers.ts'

/** What one process said to a question: a value as `serialize` wrote it, or why there is none. */
export type Reply = { readonly value: Uint8Array } | { readonly reason: SilentWorker['reason'] }

/** Told of what an answerer threw. */
export type OnFault = (question: string, error: unknown) => void

/** The answers one process has to give. */
export class Answering {
  readonly #answerers = new Map<string, Answerer>()
  readonly #onFault: OnFault

  constructor(onFault: OnFault) {
    this.#onFault = onFault
  }

  add(question: string, answerer: Answerer): void {
    if (this.#answerers.has(question)) throw new Error(`"${question}" has an answerer already`)
    this.#answerers.set(question, answerer)
  }

  async reply(question: string, argument: unknown, maxBytes: number): Promise<Reply> {
    const answerer = this.#answerers.get(question)
    // One that is still starting, or has nothing to do with it.
    if (answerer === undefined) return { reason: 'gone' }
    try {
      const value = serialize(await answerer(argument))
      return value.byteLength > maxBytes ? { reason: 'too large' } : { value }
    } catch (error) {
      this.#onFault(question, error)
      return { reason: 'failed' }
    }
  }
}

export function valueOf(value: Uint8Array): unknown {
  return deserialize(value)
}
