import cluster, { type Worker } from 'node:cluster'
import type { Writable } from 'node:stream'
import { Asking } from './asking.ts'
import { BackOff } from './back-off.ts'
import { closeLostConnections } from './lost-connections.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { passWholeLines } from './whole-lines.ts'
import {
  DEFAULT_MAX_BYTES,
  DEFAULT_TIMEOUT_MS,
  MAX_OPEN,
  type Answers,
  type AskBounds,
  type Workers,
} from './workers.ts'

export interface SupervisorOptions {
  /** The program each worker runs. */
  readonly program: string
  readonly count: number
  /** What the worker of this number is told to do; has to be what structuredClone() can copy. */
  readonly task: (number: number) => unknown
  /** Wraps the making of a process, for what it inherits. Never rejects. */
  readonly fork: (make: () => void) => Promise<void>
  /** Where workers' standard output goes, line by line; undefined leaves them ours. */
  readonly output: Writable | undefined
  /** All workers could listen, and are about to: what the first of them says. */
  readonly onBuilt: (facts: unknown) => void
  /** The first of them listens, and each time it does so anew: what it says. */
  readonly onUp: (facts: unknown) => void
  readonly log: SupervisorLog
}

export type SupervisorLog = (
  level: 'info' | 'warn',
  facts: Readonly<Record<string, unknown>>,
  message: string,
) => void

/**
 * Starts workers, starts others in place of those that end, and carries questions between them.
 *
 * node:cluster in turn accepts connections and gives them to the workers one after the other (its default on Linux): sockets
 * are bound once, whatever they are, and stay bound as long as one worker lives.
 */
export class Supervisor implements Workers {
  /** Workers that were started in place of others. */
  restarts = 0
  readonly #options: SupervisorOptions
  readonly #seats: Seat[]
  readonly #open = new Map<number, Asking>()
  #nextId = 0
  #isStopping = false
  /** Set until all workers have been up once: then one that fails is the end of the start. */
  #starting: Starting | undefined
  #whenAllGone: (() => void) | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#seats = Array.from({ length: options.count }, (_, i) => ({
      number: i + 1,
      backOff: new BackOff(),
      worker: undefined,
      builtFacts: undefined,
      isUp: false,
      startedMs: 0,
      timer: undefined,
    }))
  }

  /** Workers that serve at present. */
  get running(): number {
    return this.#seats.filter((seat) => seat.isUp).length
  }

  /** Whether there is no worker at all, not even one that is starting. */
  get isDeserted(): boolean {
    return this.#seats.every(({ worker }) => worker === undefined)
  }

  /** Resolves when all workers serve. Rejects with the first failure, when all workers are gone again. */
  async start(): Promise<void> {
    const { program, output } = this.#options
    cluster.schedulingPolicy = cluster.SCHED_RR
    cluster.setupPrimary({
      exec: program,
      args: [],
      serialization: 'advanced',
      stdio: ['ignore', output === undefined ? 'inherit' : 'pipe', 'inherit', 'ipc'],
    })
    const started = new Promise<void>((resolve, reject) => {
      this.#starting = { resolve, reject }
    })
    for (const seat of this.#seats) void this.#fill(seat)
    try {
      await started
    } catch (error) {
      await this.stop(0)
      throw error
    } finally {
      this.#starting = undefined
    }
  }

  /** Lets workers end by themselves for `limitMs`, then kills them. Resolves when none is left. */
  async stop(limitMs: number): Promise<void> {
    this.#isStopping = true
    for (const { timer } of this.#seats) clearTimeout(timer)
    if (this.isDeserted) return
    const gone = new Promise<void>((resolve) => (this.#whenAllGone = resolve))
    if (limitMs > 0) for (const { worker } of this.#seats) send(worker, { kind: 'stop' })
    const limit = setTimeout(() => this.kill(), limitMs)
    await gone
    clearTimeout(limit)
  }

  kill(): void {
    for (const { worker } of this.#seats) worker?.process.kill('SIGKILL')
  }

  ask(question: string, argument?: unknown, bounds: AskBounds = {}): Promise<Answers> {
    return this.#ask({ question, argument, bounds, except: undefined })
  }

  #ask({ question, argument, bounds, except }: Question): Promise<Answers> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes = DEFAULT_MAX_BYTES } = bounds
    const seats = this.#seats.filter(({ number }) => number !== except)
    const asking = new Asking(
      seats.map(({ number }) => number),
      timeoutMs,
    )
    const isBusy = this.#open.size >= MAX_OPEN * (this.#seats.length + 1)
    const id = this.#nextId++
    this.#open.set(id, asking)
    for (const { number, worker } of seats) {
      if (isBusy) asking.take(number, { reason: 'busy' })
      else if (!send(worker, { kind: 'ask', id, question, argument, maxBytes }))
        asking.take(number, { reason: 'gone' })
    }
    return asking.answers.finally(() => this.#open.delete(id))
  }

  async #fill(seat: Seat): Promise<void> {
    await this.#options.fork(() => {
      if (!this.#isStopping) this.#fork(seat)
    })
  }

  #fork(seat: Seat): void {
    const worker = cluster.fork()
    seat.worker = worker
    seat.startedMs = performance.now()
    closeLostConnections(worker.process)
    const { output } = this.#options
    const { stdout } = worker.process
    if (output !== undefined && stdout !== null) passWholeLines(stdout, output)
    worker.on('message', (message: FromWorker) => this.#receive(seat, message))
    worker.once('exit', (code: number | null, signal: string | null) =>
      this.#onEnd(seat, worker, { code, signal }),
    )
    worker.on('error', (error) => {
      // A process that could not be made at all never exits.
      if (worker.process.pid === undefined) this.#onEnd(seat, worker, { error: error.message })
    })
  }

  #receive(seat: Seat, message: FromWorker): void {
    const { number } = seat
    if (message.kind === 'ready')
      send(seat.worker, { kind: 'begin', number, task: this.#options.task(number) })
    else if (message.kind === 'reply') this.#open.get(message.id)?.take(number, message.reply)
    else if (message.kind === 'ask') void this.#relay(seat, message)
    else if (message.kind === 'tell') this.#tell(seat, message)
    else if (message.kind === 'failed') this.#onFailedStart(seat, message.message)
    else if (message.kind === 'built') this.#onBuilt(seat, message.facts)
    else this.#onUp(seat, message.facts)
  }

  #tell(from: Seat, message: Extract<FromWorker, { kind: 'tell' }>): void {
    for (const seat of this.#seats) if (seat !== from) send(seat.worker, message)
  }

  async #relay(
    { number, worker }: Seat,
    { id, question, argument, bounds }: Extract<FromWorker, { kind: 'ask' }>,
  ): Promise<void> {
    const except = bounds.others ? number : undefined
    const answers = await this.#ask({ question, argument, bounds, except })
    send(worker, { kind: 'answers', id, answers })
  }

  /** At the start all listen at once: nobody is served before it is known that all of them can. */
  #onBuilt(seat: Seat, facts: unknown): void {
    seat.builtFacts = { facts }
    if (this.#starting === undefined) {
      send(seat.worker, { kind: 'listen' })
    } else if (this.#seats.every(({ builtFacts }) => builtFacts !== undefined)) {
      this.#options.onBuilt(this.#seats[0]?.builtFacts?.facts)
      for (const { worker } of this.#seats) send(worker, { kind: 'listen' })
    }
  }

  #onUp(seat: Seat, facts: unknown): void {
    seat.isUp = true
    if (seat.number === 1) this.#options.onUp(facts)
    if (this.running === this.#seats.length) this.#starting?.resolve()
  }

  #onFailedStart({ number }: Seat, message: string): void {
    if (this.#starting !== undefined) this.#starting.reject(new Error(message))
    else this.#options.log('warn', { worker: number }, `a worker could not start: ${message}`)
  }

  #onEnd(seat: Seat, worker: Worker, how: Readonly<Record<string, unknown>>): void {
    if (seat.worker !== worker) return
    seat.worker = undefined
    seat.builtFacts = undefined
    seat.isUp = false
    for (const asking of this.#open.values()) asking.take(seat.number, { reason: 'gone' })
    if (this.isDeserted) this.#whenAllGone?.()
    if (this.#isStopping) return
    if (this.#starting !== undefined) {
      this.#starting.reject(new Error(`worker ${seat.number} ended while it started`))
      return
    }
    const delayMs = seat.backOff.next(performance.now() - seat.startedMs)
    const facts = { worker: seat.number, worker_pid: worker.process.pid, ...how, delay_ms: delayMs }
    this.#options.log('warn', facts, 'a worker ended; another one is started in its place')
    seat.timer = setTimeout(() => {
      this.restarts++
      void this.#fill(seat)
    }, delayMs)
  }
}

/** A worker's place, and who is in it. */
interface Seat {
  readonly number: number
  readonly backOff: BackOff
  worker: Worker | undefined
  /** What it said when it was built. */
  builtFacts: { readonly facts: unknown } | undefined
  isUp: boolean
  startedMs: number
  timer: NodeJS.Timeout | undefined
}

interface Starting {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface Question {
  readonly question: string
  readonly argument: unknown
  readonly bounds: AskBounds
  /** The number of a worker that is not asked. */
  readonly except: number | undefined
}

/** False where nobody is there to take it. */
function send(worker: Worker | undefined, message: ToWorker): boolean {
  if (worker?.isConnected() !== true) return false
  worker.send(message, (error) => void error)
  return true
}
