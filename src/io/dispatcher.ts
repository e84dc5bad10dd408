import { nowNs } from '../trace/clock.ts'
import type { Attributes } from '../trace/recorder.ts'
import { Histogram } from '../trace/histogram.ts'
import type { NativeIo } from './addon.ts'
import { Arena, CHAIN, LAYOUT, SUBMIT } from './arena.ts'
import type { AnyStep } from './chain-step.ts'
import { IoError } from './io-error.ts'
import { type JobSource, JobWriter, type WrittenJob } from './job-writer.ts'
import { LoneClient } from './lone-client.ts'
import { ResultReader } from './result-reader.ts'
import { StepSpans } from './step-spans.ts'
import { RECORD_DOUBLES, SYSCALL_NAMES } from './syscalls.ts'
import { NulError } from './text.ts'

/** A chain that is to be run. */
export interface Plan extends JobSource {
  /** Called when the addon is done with everything the chain gave it, before the promise settles. */
  readonly released: (() => void) | undefined
}

/** A chain on its way, in a slot or waiting for one. */
interface Running {
  readonly plan: Plan
  readonly spans: StepSpans
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  /** When it began to wait for a slot; 0 once its first job was submitted without waiting. */
  waitsSinceNs: number
  from: number
  /** The job in the addon. Holding it here keeps its pieces alive. */
  job: WrittenJob | undefined
}

const EAGAIN = 11
const EINVAL = 22
const ECANCELED = 125

/** Chains that follow each other this closely are many requests, not one client that waits for each answer. */
const BUSY_NS = 120_000
/** A chain of a small object takes less where its files are cached. After one that took longer none is awaited or announced. */
const SHORT_NS = 100_000
/** What is ready meanwhile waits as long at the most. */
const AWAIT_NS = 150_000
/** From the head of a request to its chain it takes a third of that. */
const ANNOUNCED_NS = 150_000

const resolved = Promise.resolve()

/** Seconds. A thread that is awake takes some 10 µs. */
const QUEUE_WAIT_BOUNDS = [
  0.00002, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1,
  5,
]

/** Chains that wait when all slots are taken; more are refused with EAGAIN. */
const MAX_WAITING = 65_536

/** Gives chains slots of the arena, and splits those that are longer than a slot. */
export class Dispatcher {
  readonly queueWait = new Histogram(QUEUE_WAIT_BOUNDS)
  readonly #native: NativeIo
  readonly #arena: Arena
  readonly #writer: JobWriter
  readonly #reader: ResultReader
  readonly #free: number[] = []
  readonly #running: (Running | undefined)[]
  #waiting: Running[] = []
  #waitingFrom = 0
  #busy = 0
  #closed = false
  #kicking = false
  readonly #loneClient = new LoneClient()
  /** When the last job was submitted, when one last ended, and how long that took. */
  #submittedNs = 0
  #endedNs = 0
  #tookNs = 0
  #whenIdle: (() => void) | undefined

  constructor(native: NativeIo, slots: number) {
    this.#native = native
    this.#arena = new Arena(native.arena)
    this.#writer = new JobWriter(this.#arena)
    this.#reader = new ResultReader(this.#arena, native)
    this.#running = Array.from({ length: slots })
    for (let slot = slots - 1; slot >= 0; slot--) this.#free.push(slot)
  }

  get waiting(): number {
    return this.#waiting.length - this.#waitingFrom
  }

  run(plan: Plan): Promise<void> {
    return new Promise((resolve, reject) => {
      const running: Running = {
        plan,
        spans: new StepSpans(),
        resolve,
        reject,
        waitsSinceNs: 0,
        from: 0,
        job: undefined,
      }
      if (this.#closed) return this.#refuse(running, new IoError(ECANCELED, 'chain', undefined))
      const slot = this.#free.pop()
      if (slot !== undefined) return this.#start(running, slot)
      if (this.waiting >= MAX_WAITING)
        return this.#refuse(running, new IoError(EAGAIN, 'chain', undefined))
      running.waitsSinceNs = nowNs()
      this.#waiting.push(running)
    })
  }

  /** A request of a connection has begun. Where all threads sleep, one wakes while the head is looked at. */
  announce(connection: object): void {
    this.#loneClient.begins(connection)
    if (this.#busy === 0 && this.#tookNs < SHORT_NS) this.#native.announce(ANNOUNCED_NS)
  }

  /** A job's slot, as the addon reports it. */
  settle(slot: number): void {
    const running = this.#running[slot]
    if (running !== undefined) this.#settle(running, slot)
  }

  /** Refuses what is new or waiting; resolves when nothing is running. */
  close(): Promise<void> {
    this.#closed = true
    for (const running of this.#waiting.slice(this.#waitingFrom))
      this.#refuse(running, new IoError(ECANCELED, 'chain', undefined))
    this.#waiting = []
    this.#waitingFrom = 0
    if (this.#busy === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenIdle = resolve
    })
  }

  #start(running: Running, slot: number): void {
    this.#busy++
    this.#running[slot] = running
    this.#submit(running, slot)
  }

  #submit(running: Running, slot: number): void {
    const { plan } = running
    let errno: number
    try {
      running.job = this.#writer.write(slot, plan, running.from)
      const how = plan.bulk ? SUBMIT.now : this.#howToSubmit()
      errno = this.#native.submit(slot, running.job.pieces, how)
      if (how === SUBMIT.later) this.#kickSoon()
      else if (how === SUBMIT.awaited) void resolved.then(this.#await)
    } catch (error) {
      if (!(error instanceof NulError)) {
        this.#end(running, slot, error instanceof Error ? error : new Error(String(error)), true)
        return
      }
      errno = EINVAL
    }
    if (errno !== 0)
      this.#end(running, slot, new IoError(errno, 'chain', plan.steps[running.from]), true)
  }

  #howToSubmit(): number {
    const now = nowNs()
    const isOnly = this.#busy === 1
    const isFirst = now - this.#submittedNs > BUSY_NS
    const isLone = this.#loneClient.isSeen(isOnly, now - this.#endedNs)
    this.#submittedNs = now
    if (isLone && this.#tookNs < SHORT_NS) return SUBMIT.awaited
    return isOnly && isFirst ? SUBMIT.now : SUBMIT.later
  }

  /** The loop has nothing else to do then, and going to sleep and being woken takes longer than a short chain. */
  readonly #await = (): void => this.#native.await(AWAIT_NS)

  /**
   * Wakes a thread when this turn of the event loop has brought all its chains: one wake-up serves them together. Only
   * a chain that is alone gains by being started at once.
   */
  #kickSoon(): void {
    if (this.#kicking) return
    this.#kicking = true
    setImmediate(this.#kick)
  }

  readonly #kick = (): void => {
    this.#kicking = false
    this.#native.kick()
  }

  #settle(running: Running, slot: number): void {
    const { plan, job, spans, from } = running
    const { int32, double } = this.#arena
    const reader = this.#reader
    const head = this.#arena.base(slot)
    const failed = int32[(head >> 2) + 4] ?? -1
    const queuedNs = running.waitsSinceNs || (double[(head >> 3) + 4] ?? 0)
    const queueNs = (double[(head >> 3) + 5] ?? 0) - queuedNs
    const hadSlot = running.waitsSinceNs === 0
    running.waitsSinceNs = 0
    this.queueWait.add(queueNs / 1e9)
    this.#endedNs = double[(head >> 3) + 6] ?? 0
    this.#tookNs = this.#endedNs - (double[(head >> 3) + 5] ?? 0)
    const to = job?.to ?? from
    const records = plan.syscalls ? this.#records(head) : undefined
    let record = 0
    let failure: IoError | undefined
    const diskKib = int32[(head >> 2) + 14] ?? 0
    const awakeUs = int32[(head >> 2) + 15] ?? 0
    if (diskKib > 0 || awakeUs > NOTED_US || queueNs > NOTED_US * 1e3) {
      const crowded = !hadSlot || ((int32[head >> 2] ?? 0) & CHAIN.crowded) !== 0
      spans.note(slowFacts({ diskKib, awakeUs, queueNs, crowded }))
    }
    reader.begin(slot)
    for (let i = 0; i < to - from; i++) {
      const step = plan.steps[from + i]
      if (step === undefined || !reader.read(i, step)) break
      if (!step.ran) continue
      step.queueNs = queueNs
      if (records !== undefined) record = giveRecords(records, record, i, step)
      if (i === failed) {
        const name = SYSCALL_NAMES[reader.failedSyscall(i)]
        failure = new IoError(step.errno, name ?? 'chain', step)
      }
      spans.add(step, failure?.message)
    }
    reader.end()
    running.job = undefined
    if (failure === undefined && to < plan.steps.length) {
      running.from = to
      this.#submit(running, slot)
      return
    }
    this.#end(running, slot, failure, false)
  }

  /** The system calls of a job, copied once: steps and spans have views of them. */
  #records(head: number): Float64Array | undefined {
    const count = this.#arena.int32[(head >> 2) + 5] ?? 0
    const start = (head + LAYOUT.syscalls) >> 3
    return count === 0 ? undefined : this.#arena.double.slice(start, start + count * RECORD_DOUBLES)
  }

  #end(running: Running, slot: number, error: Error | undefined, isUnfinished: boolean): void {
    // Earlier jobs of the chain may have left descriptors open for one that will not come.
    if (isUnfinished) this.#native.abandon(slot)
    running.spans.end()
    this.#running[slot] = undefined
    this.#busy--
    running.plan.released?.()
    this.#startNext(slot)
    if (error === undefined) running.resolve()
    else running.reject(error)
    if (this.#busy === 0) this.#whenIdle?.()
  }

  #startNext(slot: number): void {
    const next = this.#waiting[this.#waitingFrom]
    if (next === undefined) {
      this.#free.push(slot)
      return
    }
    this.#waitingFrom++
    if (this.#waitingFrom === this.#waiting.length || this.#waitingFrom > 1024) {
      this.#waiting = this.#waiting.slice(this.#waitingFrom)
      this.#waitingFrom = 0
    }
    this.#start(next, slot)
  }

  #refuse(running: Running, error: IoError): void {
    running.plan.released?.()
    running.reject(error)
  }
}

/** A job that waited, or was at work, for less is none of the slow ones. */
const NOTED_US = 5000

interface SlowJob {
  readonly diskKib: number
  readonly awakeUs: number
  readonly queueNs: number
  readonly crowded: boolean
}

function slowFacts({ diskKib, awakeUs, queueNs, crowded }: SlowJob): Attributes {
  return {
    ...(diskKib > 0 && { 'posix.disk_read_bytes': diskKib * 1024 }),
    ...(awakeUs > NOTED_US && { 'posix.awake_ms': awakeUs / 1e3 }),
    ...(queueNs > NOTED_US * 1e3 && { 'posix.pool_full': crowded }),
  }
}

/** Gives a step its records, which begin at `from`; gives back where the next step's begin. */
function giveRecords(records: Float64Array, from: number, index: number, step: AnyStep): number {
  let to = from
  while (to < records.length && records[to + 7] === index) to += RECORD_DOUBLES
  step.records = records
  step.recordsFrom = from
  step.recordsTo = to
  return to
}
