/** What a transport of Sentry's SDK answers with; no status where it did not send. */
interface Sent {
  readonly statusCode?: number
}

/**
 * Sends a few at a time and lets some more wait. What comes on top, and what is not taken by the other side, is lost and
 * counted.
 */
export class SendQueue<T> {
  readonly #send: (item: T) => PromiseLike<Sent>
  readonly #waiting: T[] = []
  readonly #idle: (() => void)[] = []
  #sending = 0
  #lost = 0

  constructor(send: (item: T) => PromiseLike<Sent>) {
    this.#send = send
  }

  get lost(): number {
    return this.#lost
  }

  add(item: T): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#lost++
      return
    }
    this.#waiting.push(item)
    this.#next()
  }

  /** Whether all has left within the time. */
  async flush(limitMs: number): Promise<boolean> {
    if (this.#sending === 0) return true
    let timer: NodeJS.Timeout | undefined
    const idle = new Promise<boolean>((resolve) => this.#idle.push(() => resolve(true)))
    const limit = new Promise<boolean>(
      (resolve) => (timer = setTimeout(() => resolve(false), limitMs)),
    )
    const isEmpty = await Promise.race([idle, limit])
    clearTimeout(timer)
    return isEmpty
  }

  #next(): void {
    while (this.#sending < MAX_SENDING) {
      const item = this.#waiting.shift()
      if (item === undefined) break
      this.#sending++
      this.#send(item).then(
        ({ statusCode = 0 }) => this.#settle(statusCode >= 200 && statusCode < 300),
        () => this.#settle(false),
      )
    }
    if (this.#sending === 0) for (const wake of this.#idle.splice(0)) wake()
  }

  #settle(isTaken: boolean): void {
    this.#sending--
    if (!isTaken) this.#lost++
    this.#next()
  }
}

const MAX_SENDING = 4
/** A report has some three kilobytes. */
const MAX_WAITING = 300
