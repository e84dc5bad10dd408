import { valueOf, type Reply } from './answering.ts'
import type { Answer, Answers, SilentWorker } from './workers.ts'

/** One question on its way: gathers what comes back from each of `expected` until it is all there, or time is up. */
export class Asking {
  readonly answers: Promise<Answers>
  readonly #expected: Set<number>
  readonly #answers: Answer[] = []
  readonly #silent: SilentWorker[] = []
  readonly #timer: NodeJS.Timeout
  #resolve: (answers: Answers) => void = () => undefined

  constructor(expected: Iterable<number>, timeoutMs: number) {
    this.#expected = new Set(expected)
    this.answers = new Promise((resolve) => (this.#resolve = resolve))
    this.#timer = setTimeout(() => {
      for (const worker of this.#expected) this.take(worker, { reason: 'late' })
    }, timeoutMs)
    if (this.#expected.size === 0) this.#settle()
  }

  /** A second reply of the same worker, or one after time was up, changes nothing. */
  take(worker: number, reply: Reply): void {
    if (!this.#expected.delete(worker)) return
    if ('value' in reply) this.#answers.push({ worker, value: valueOf(reply.value) })
    else this.#silent.push({ worker, reason: reply.reason })
    if (this.#expected.size === 0) this.#settle()
  }

  #settle(): void {
    clearTimeout(this.#timer)
    this.#answers.sort((a, b) => a.worker - b.worker)
    this.#silent.sort((a, b) => a.worker - b.worker)
    this.#resolve({ answers: this.#answers, silent: this.#silent })
  }
}
