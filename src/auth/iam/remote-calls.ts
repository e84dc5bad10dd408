import { S3Error } from '../../s3/errors.ts'
import { UnusableAccount, type AccountStore, type StoreCall } from './account-store.ts'

/** What every store over a network is told beside its own settings. */
export interface RemoteOptions {
  /** How long a call may take from first to last, waiting for its turn included; 10 s unless told. */
  readonly timeoutMs?: number
}

export const STORE_TIMEOUT_MS = 10_000

/** Calls that are under way at a time, and those that may wait for their turn. */
const MAX_ACTIVE = 64
const MAX_WAITING = 1024

/**
 * All calls of one store. However the service behaves, a call ends within its time, and there are never more of them than
 * memory and the service bear: what comes beyond is answered SlowDown.
 *
 * An S3Error is an answer of the service, whatever it says. Anything else means that the service could not be asked or
 * answered nonsense: the call then throws InternalError with that cause.
 */
export class RemoteCalls {
  readonly #target: AccountStore['type']
  readonly #timeoutMs: number
  readonly #waiting = new Set<() => void>()
  readonly #closing = new AbortController()
  #active = 0

  constructor(target: AccountStore['type'], options: RemoteOptions) {
    this.#target = target
    this.#timeoutMs = options.timeoutMs ?? STORE_TIMEOUT_MS
  }

  /** `work` gets a signal that ends with its time, with the caller's interest or with the store. */
  async run<T>(
    work: (signal: AbortSignal) => Promise<T>,
    call: StoreCall,
    timeoutMs = this.#timeoutMs,
  ): Promise<T> {
    if (this.#active >= MAX_ACTIVE && this.#waiting.size >= MAX_WAITING) {
      throw new S3Error('SlowDown', {}, { cause: new Error(`${this.#target}: too many look-ups`) })
    }
    const expiry = new AbortController()
    const timer = setTimeout(() => expiry.abort(new StoreTimeout(timeoutMs)), timeoutMs)
    const signals = [expiry.signal, this.#closing.signal]
    const signal = AbortSignal.any(call.signal === undefined ? signals : [...signals, call.signal])
    try {
      await this.#turn(signal)
      return await this.#end(work, signal)
    } catch (error) {
      throw this.#judge(error, signal)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Calls under way and later ones fail. */
  close(): void {
    this.#closing.abort(new Error('the store is closed'))
  }

  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#active < MAX_ACTIVE) {
      this.#active += 1
      return
    }
    await new Promise<void>((resolve, reject) => {
      const take = (): void => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        this.#waiting.delete(take)
        reject(reasonOf(signal))
      }
      this.#waiting.add(take)
      signal.addEventListener('abort', leave, { once: true })
    })
  }

  /** Runs `work`, but not longer than the signal lets it, even where it does not listen. */
  async #end<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    let stop: (() => void) | undefined
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(reasonOf(signal))
      signal.addEventListener('abort', stop, { once: true })
    })
    try {
      signal.throwIfAborted()
      return await Promise.race([work(signal), aborted])
    } finally {
      if (stop !== undefined) signal.removeEventListener('abort', stop)
      this.#next()
    }
  }

  /** Gives the place of a finished call to the one that has waited longest. */
  #next(): void {
    const [take] = this.#waiting
    if (take === undefined) {
      this.#active -= 1
      return
    }
    this.#waiting.delete(take)
    take()
  }

  #judge(error: unknown, signal: AbortSignal): S3Error {
    if (error instanceof S3Error) return error
    const cause = signal.aborted ? reasonOf(signal) : error
    return new S3Error(
      'InternalError',
      {},
      { cause: new Error(`account store ${this.#target}: ${messageOf(cause)}`, { cause }) },
    )
  }
}

/** The service did not answer in time. */
export class StoreTimeout extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`)
  }
}

/** An account the service knows but nobody can use: an answer, not a failure of the service. */
export function unusableAccount(what: string): S3Error {
  return new S3Error('InternalError', {}, { cause: new UnusableAccount(what) })
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
