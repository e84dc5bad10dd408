import { Worker } from 'node:worker_threads'
import { createActivity, type Activity } from '../trace/activity.ts'
import { RecentTraces } from '../trace/recent.ts'
import { largestTrace, type StoreOptions } from '../trace/trace-store.ts'
import type { Asked, Question } from './questions.ts'
import type { Surroundings } from './trace-view.ts'
import type { FromThread, ThreadOptions, ToThread } from './traces-thread.ts'

/** No answer is to be had now; asking again in a while may help. */
export class TracesBusy extends Error {}

/** A thread that cannot start must not be started for every question. */
const RESTART_AFTER_MS = 1000
/** Blocks that the thread has not taken yet: it is busy, or there is no processor for it. What comes then is lost. */
const MAX_WAITING = 128
const MAX_OPEN = 64
/** Questions whose answers may have megabytes. */
const MAX_OPEN_LARGE = 4
const TIMEOUT_MS = 20_000
/** What decoding and writing JSON may take; a thread that needs more is started anew, empty. */
const MAX_HEAP_MB = 512

/**
 * The traces of this process, in a thread of their own (`traces-thread.ts`): holding, searching, decoding and writing them as
 * JSON takes no time from the thread that serves requests, whatever is asked and how often.
 */
export class ThreadedTraces {
  readonly recent: RecentTraces
  readonly activity: Activity
  readonly #options: StoreOptions
  readonly #onFault: (error: Error) => void
  readonly #open = new Map<number, OpenQuestion>()
  /** Blocks that the thread has taken: it counts them in memory of both. */
  #taken = new Int32Array(new SharedArrayBuffer(4))
  #given = 0
  #lost = 0
  #thread: Worker | undefined
  #surroundings: Surroundings | undefined
  #nextId = 0
  #restartMs = 0

  constructor(options: StoreOptions, onFault: (error: Error) => void) {
    this.#options = options
    this.#onFault = onFault
    this.recent = new RecentTraces({
      maxTraceBytes: largestTrace(options.maxBytes),
      take: (batch, traces) => this.#give(batch, traces),
      end: () => this.close(),
    })
    this.activity = createActivity((name, { memory }) =>
      this.#post({ kind: 'operation', name, memory }),
    )
    this.#thread = this.#start()
  }

  /** What the thread has to know of the process, once that is known. */
  describe(surroundings: Surroundings): void {
    this.#surroundings = surroundings
    this.#post({ kind: 'surroundings', surroundings })
  }

  /**
   * Without `others` the answer of this process, for another one to add to its own; with what the others said, the answer
   * of all of them. Throws TracesBusy.
   */
  ask(question: Question, others?: readonly Uint8Array[]): Promise<Asked> {
    if (this.#thread === undefined) this.#restart()
    if (this.#thread === undefined) return Promise.reject(new TracesBusy('traces are not at hand'))
    const isLarge = question.kind === 'find' || question.kind === 'otlp'
    const large = [...this.#open.values()].filter((open) => open.isLarge).length
    if (this.#open.size >= MAX_OPEN || (isLarge && large >= MAX_OPEN_LARGE))
      return Promise.reject(new TracesBusy('too much is asked at a time'))
    this.recent.handOver()
    const id = this.#nextId++
    const { thinned } = this.recent
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#settle(id, ({ reject }) => reject(new TracesBusy('that takes too long'))),
        TIMEOUT_MS,
      )
      this.#open.set(id, { resolve, reject, timer, isLarge })
      // Copies: what came from another process may be a part of a larger block.
      const copies = others?.map((bytes) => new Uint8Array(bytes))
      this.#post(
        { kind: 'ask', id, question, others: copies, thinned: thinned + this.#lost },
        copies?.map(({ buffer }) => buffer),
      )
    })
  }

  async close(): Promise<void> {
    this.#restartMs = Number.POSITIVE_INFINITY
    await this.#thread?.terminate()
  }

  #give(batch: Uint8Array<ArrayBuffer>, traces: number): void {
    if (this.#thread === undefined) this.#restart()
    const waiting = this.#given - Atomics.load(this.#taken, 0)
    if (this.#thread === undefined || waiting >= MAX_WAITING) {
      this.#lost += traces
      return
    }
    this.#given++
    this.#post({ kind: 'traces', batch }, [batch.buffer])
  }

  #post(message: ToThread, transfer: ArrayBuffer[] = []): void {
    this.#thread?.postMessage(message, transfer)
  }

  #restart(): void {
    if (performance.now() < this.#restartMs) return
    this.#thread = this.#start()
    if (this.#surroundings !== undefined) this.describe(this.#surroundings)
    for (const [name, { memory }] of this.activity.operations)
      this.#post({ kind: 'operation', name, memory })
  }

  #start(): Worker {
    this.#taken = new Int32Array(new SharedArrayBuffer(4))
    this.#given = 0
    const workerData: ThreadOptions = { ...this.#options, taken: this.#taken }
    const thread = new Worker(new URL('traces-thread.js', import.meta.url), {
      workerData,
      name: 'traces',
      // What Node was told for the gateway (`--input-type`, say) is not for this thread.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    })
    thread.on('message', ({ id, ...asked }: FromThread) =>
      this.#settle(id, ({ resolve, reject }) => {
        if ('error' in asked) reject(new Error(asked.error))
        else resolve(asked)
      }),
    )
    thread.on('error', (error) => this.#onFault(error))
    thread.on('exit', () => {
      this.#thread = undefined
      this.#restartMs = Math.max(this.#restartMs, performance.now() + RESTART_AFTER_MS)
      for (const id of this.#open.keys())
        this.#settle(id, ({ reject }) => reject(new TracesBusy('the traces are gone')))
    })
    // Traces do not keep a process alive. Last, because a listener for messages takes hold of it again.
    thread.unref()
    return thread
  }

  #settle(id: number, settle: (open: OpenQuestion) => void): void {
    const open = this.#open.get(id)
    if (open === undefined) return
    this.#open.delete(id)
    clearTimeout(open.timer)
    settle(open)
  }
}

interface OpenQuestion {
  readonly resolve: (asked: Asked) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
  readonly isLarge: boolean
}
