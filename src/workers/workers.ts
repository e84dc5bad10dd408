/**
 * The processes that serve, as any one of them sees them: however many there are (`--workers`), they can be asked one
 * question together.
 *
 * A question has a name and takes and brings back what structuredClone() can copy. Answers are bounded in size and
 * time. Whoever asks is asked too, if it serves; without workers it asks itself, within the same bounds.
 */
export interface Workers {
  /** Resolves when all have answered or time is up. Never rejects. */
  ask(question: string, argument?: unknown, bounds?: AskBounds): Promise<Answers>
}

/** A process that serves, among the others. The one that only supervises them is none. */
export interface ServingProcess extends Workers {
  /** 1 … N. A worker that is started anew has the number of the one in whose place it is. */
  readonly number: number
  /** What this process answers from now on. Each question has one answerer; what it throws goes to nobody but the log. */
  answer(question: string, answerer: Answerer): void
  /** Asks the others without waiting for, or hearing of, what they answer. */
  tell(question: string, argument?: unknown): void
}

export type Answerer = (argument: unknown) => unknown

export interface AskBounds {
  /** For all answers together: 2 s unless said otherwise. */
  readonly timeoutMs?: number
  /** Of one worker's answer: 4 MiB unless said otherwise. */
  readonly maxBytes?: number
  /** Only the others: tells them what this process knows already. */
  readonly others?: boolean
}

export interface Answers {
  /** In the order of the workers' numbers. */
  readonly answers: readonly Answer[]
  /** Those that said nothing. */
  readonly silent: readonly SilentWorker[]
}

export interface Answer {
  readonly worker: number
  readonly value: unknown
}

export interface SilentWorker {
  readonly worker: number
  /** Not in time, an error, an answer beyond `maxBytes`, too many questions at once, or no process at present. */
  readonly reason: 'late' | 'failed' | 'too large' | 'busy' | 'gone'
}

export const DEFAULT_TIMEOUT_MS = 2000
export const DEFAULT_MAX_BYTES = 4 * 1024 * 1024

/** Questions of one process that may be open at a time; more are answered by silence. */
export const MAX_OPEN = 64
