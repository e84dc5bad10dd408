import { SPAN } from '../trace/names.ts'
import type { Attributes, Span } from '../trace/recorder.ts'
import { OP } from './arena.ts'
import type { AnyStep } from './chain-step.ts'
import { errnoName } from './io-error.ts'
import { describeStep, type Totals } from './span-attributes.ts'
import { END, RECORD_DOUBLES, START } from './syscalls.ts'

/** How an operation shows in the trace: with a span of its own, within the span before it, or not at all. */
interface Shape {
  readonly name: string | undefined
  /** Joins the span before it, whatever that is; `name` serves where there is none. */
  readonly joins: boolean
  /** Neighbours on the same file share a span. */
  readonly shares: boolean
  /** A look that is not worth a span of its own, unless what it found ends the chain. */
  readonly isLook?: boolean
}

const own = (name: string): Shape => ({ name, joins: false, shares: false })
const shared = (name: string): Shape => ({ name, joins: false, shares: true })
const within = (name: string): Shape => ({ name, joins: true, shares: false })
const look = (name: string): Shape => ({ ...within(name), isLook: true })
const READ_SHAPE = shared(SPAN.readData)
const HIDDEN: Shape = { name: undefined, joins: false, shares: false }

const SHAPES: Readonly<Record<keyof typeof OP, Shape>> = {
  open: own(SPAN.openFile),
  stat: within(SPAN.openFile),
  statAt: own(SPAN.openFile),
  readAttributes: shared(SPAN.readMetadata),
  writeAttributes: shared(SPAN.writeMetadata),
  read: READ_SHAPE,
  readWhole: READ_SHAPE,
  openTmp: own(SPAN.openTmpFile),
  write: shared(SPAN.writeData),
  hash: within(SPAN.writeData),
  digest: within(SPAN.writeData),
  verifyDigest: within(SPAN.writeData),
  verifySize: look(SPAN.writeData),
  makeParents: own(SPAN.makeParents),
  link: own(SPAN.linkFile),
  makeDir: own(SPAN.makeParents),
  rename: own(SPAN.linkFile),
  remove: own(SPAN.removeFile),
  removeTree: own(SPAN.removeFile),
  prune: own(SPAN.pruneParents),
  sync: own(SPAN.sync),
  list: own(SPAN.listDir),
  statBatch: own(SPAN.statBatch),
  copy: HIDDEN,
  writeback: within(SPAN.writeData),
  lock: own(SPAN.waitLock),
  truncate: within(SPAN.writeData),
  times: within(SPAN.writeMetadata),
  close: HIDDEN,
  owner: within(SPAN.writeMetadata),
  verifyFile: within(SPAN.readMetadata),
}
const SHAPE_OF: readonly Shape[] = (Object.keys(OP) as (keyof typeof OP)[]).map(
  (name) => SHAPES[name],
)

/** Makes spans of a chain's steps, in order, as its jobs settle. */
export class StepSpans {
  /** The step whose name and attributes the next span has; undefined where none is under way. */
  #main: AnyStep | undefined
  /** With which it begins: this one, or the first of the directories opened on the way to it. */
  #first: AnyStep | undefined
  #last: AnyStep | undefined
  #failure: string | undefined
  #noted: Attributes | undefined
  readonly #totals: Totals = { bytes: 0, ioNs: 0, hashNs: 0 }
  /** System calls of the span's earlier jobs, where it has more than one. */
  #earlier: Float64Array[] | undefined

  /** What is to be known of the next span beside: the facts of a job that was slow. */
  note(facts: Attributes): void {
    this.#noted = facts
  }

  /** `failure` is the message of the error that this step ended the chain with. */
  add(step: AnyStep, failure: string | undefined): void {
    const shape = SHAPE_OF[step.op] ?? HIDDEN
    if (step.parent === undefined || shape.name === undefined) {
      this.#flush()
      return
    }
    const main = this.#main
    const isSibling = main !== undefined && main.parent === step.parent
    const isFound = isSibling && leadsTo(main, step, shape)
    if (isFound || (isSibling && joins(main, step, shape))) {
      if (step.records !== this.#last?.records) this.#keepRecords()
      if (isFound) this.#main = step
    } else {
      this.#flush()
      if (shape.isLook === true && failure === undefined) return
      this.#main = this.#first = step
    }
    this.#last = step
    const isExpected = failure !== undefined && step.expected?.includes(step.errno) === true
    this.#failure = isExpected ? undefined : failure
    this.#totals.ioNs += step.ioNs
    this.#totals.hashNs += step.hashNs
    if (step.op === OP.write && step.errno === 0) this.#totals.bytes += step.value as number
    else if (shape === READ_SHAPE && step.value instanceof Buffer)
      this.#totals.bytes += step.value.length
  }

  /** Records what is pending: no later step will join it. */
  end(): void {
    this.#flush()
  }

  #flush(): void {
    const main = this.#main
    const first = this.#first
    const last = this.#last
    if (main?.parent === undefined || first === undefined || last === undefined) return
    const span = main.parent.child(SHAPE_OF[main.op]?.name ?? '', undefined, first.startNs)
    describeStep(span, main, this.#totals)
    if (main.attributes !== undefined) span.setAll(main.attributes)
    if (this.#noted !== undefined) {
      span.setAll(this.#noted)
      this.#noted = undefined
    }
    span.syscalls = this.#syscalls(first, last)
    if (this.#failure !== undefined)
      span.fail({ type: errnoName(last.errno), message: this.#failure })
    if (main.op === OP.statBatch) addSlowest(span, main)
    span.end(last.endNs)
    if (main.detail?.syncs !== undefined) addSyncs(span, main)
    this.#main = undefined
    this.#first = undefined
    this.#last = undefined
    this.#failure = undefined
    this.#earlier = undefined
    this.#totals.bytes = this.#totals.ioNs = this.#totals.hashNs = 0
  }

  /** A span that goes on in another job has its calls in several arrays. */
  #keepRecords(): void {
    const first = this.#first
    const last = this.#last
    if (first === undefined || last?.records === undefined) return
    const from = first.records === last.records ? first.recordsFrom : 0
    ;(this.#earlier ??= []).push(last.records.subarray(from, last.recordsTo))
  }

  #syscalls(first: AnyStep, last: AnyStep): Float64Array | undefined {
    const { records } = last
    const from = first.records === records ? first.recordsFrom : 0
    const calls =
      records !== undefined && last.recordsTo > from
        ? records.subarray(from, last.recordsTo)
        : undefined
    if (this.#earlier === undefined) return calls
    return joinSyscalls(calls === undefined ? this.#earlier : [...this.#earlier, calls])
  }
}

/** Opening a directory is a part of opening what is in it. */
function leadsTo(main: AnyStep, step: AnyStep, { name, joins }: Shape): boolean {
  return (
    main.op === OP.open &&
    step.fd0 === main &&
    !joins &&
    main.attributes === undefined &&
    (name === SPAN.openFile || name === SPAN.openTmpFile)
  )
}

function joins(main: AnyStep, step: AnyStep, shape: Shape): boolean {
  if (shape.joins) return true
  // A file that was not read after all has only been looked at.
  if (step.op === OP.readWhole && step.errno === 0 && step.value === undefined) return true
  return (
    shape.shares &&
    SHAPE_OF[main.op]?.name === shape.name &&
    main.fd0 === step.fd0 &&
    step.attributes === undefined
  )
}

export function joinSyscalls(parts: readonly Float64Array[]): Float64Array {
  let length = 0
  for (const part of parts) length += part.length
  const all = new Float64Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** How many entries of a batch are named in its span. */
const SLOWEST = 3

function addSlowest(span: Span, step: AnyStep): void {
  const entryNs = step.detail?.entryNs
  if (entryNs === undefined || entryNs.length <= SLOWEST) return
  let at = step.startNs
  const entries = Array.from(entryNs, (ns, index) => ({ ns, index, endNs: (at += ns) }))
  entries.sort((a, b) => b.ns - a.ns)
  for (const { ns, index, endNs } of entries.slice(0, SLOWEST)) {
    span.addEvent('slow_entry', { 'posix.index': index, 'posix.duration_ms': ns / 1e6 }, endNs)
  }
}

/** Syncs that a step made on its way stand below its span. */
function addSyncs(parent: Span, { detail, queueNs }: AnyStep): void {
  const syncs = detail?.syncs ?? new Float64Array(0)
  for (let i = 0; i + 1 < syncs.length; i += 2) {
    const startNs = syncs[i] ?? 0
    const endNs = syncs[i + 1] ?? 0
    const attributes = {
      'posix.duration_ms': (endNs - startNs) / 1e6,
      'posix.queue_ms': queueNs / 1e6,
      'posix.sync_target': 'dir',
    }
    const sync = parent.child(SPAN.sync, attributes, startNs)
    sync.syscalls = takeSyscalls(parent, startNs, endNs)
    sync.end(endNs)
  }
}

/** Moves the system calls of a time from the span that holds them to the one that is drawn below it. */
function takeSyscalls(span: Span, startNs: number, endNs: number): Float64Array | undefined {
  const { syscalls } = span
  if (syscalls === undefined) return undefined
  const [taken, left]: [Float64Array[], Float64Array[]] = [[], []]
  for (let at = 0; at < syscalls.length; at += RECORD_DOUBLES) {
    const isWithin = (syscalls[at + START] ?? 0) >= startNs && (syscalls[at + END] ?? 0) <= endNs
    ;(isWithin ? taken : left).push(syscalls.subarray(at, at + RECORD_DOUBLES))
  }
  span.syscalls = joinSyscalls(left)
  return joinSyscalls(taken)
}
