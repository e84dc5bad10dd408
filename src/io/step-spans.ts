import { SPAN } from '../trace/names.ts'
import type { AttributeValue, Span } from '../trace/recorder.ts'
import { FLAG, OP } from './arena.ts'
import type { ChainStep } from './chain-step.ts'
import { errnoName } from './io-error.ts'

type Attributes = Record<string, AttributeValue>

/** How an operation shows in the trace: with a span of its own, within the span before it, or not at all. */
interface Shape {
  readonly name: string | undefined
  /** Joins the span before it, whatever that is; `name` serves where there is none. */
  readonly joins: boolean
  /** Neighbours on the same file share a span. */
  readonly shares: boolean
}

const own = (name: string): Shape => ({ name, joins: false, shares: false })
const shared = (name: string): Shape => ({ name, joins: false, shares: true })
const within = (name: string): Shape => ({ name, joins: true, shares: false })
const HIDDEN: Shape = { name: undefined, joins: false, shares: false }

const SHAPES: Readonly<Record<keyof typeof OP, Shape>> = {
  open: own(SPAN.openFile),
  stat: within(SPAN.openFile),
  statAt: own(SPAN.openFile),
  readAttributes: shared(SPAN.readMetadata),
  writeAttributes: shared(SPAN.writeMetadata),
  read: shared(SPAN.readData),
  readWhole: shared(SPAN.readData),
  openTmp: own(SPAN.openTmpFile),
  write: shared(SPAN.writeData),
  hash: within(SPAN.writeData),
  digest: within(SPAN.writeData),
  verifyDigest: within(SPAN.writeData),
  verifySize: within(SPAN.writeData),
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
  close: HIDDEN,
  owner: within(SPAN.writeMetadata),
}
const SHAPE_OF: readonly Shape[] = Object.values(SHAPES)

/** Steps that become one span. */
interface Draft {
  readonly parent: Span
  readonly name: string
  /** The step whose attributes the span has; a step that joined comes never first. */
  readonly main: ChainStep<unknown>
  readonly steps: ChainStep<unknown>[]
  failure: string | undefined
}

/** Makes spans of a chain's steps, in order, as its jobs settle. */
export class StepSpans {
  #draft: Draft | undefined

  /** `failure` is the message of the error that this step ended the chain with. */
  add(step: ChainStep<unknown>, failure: string | undefined): void {
    const shape = SHAPE_OF[step.op] ?? HIDDEN
    const readNothing = step.op === OP.readWhole && step.errno === 0 && step.value === undefined
    if (step.parent === undefined || shape.name === undefined) {
      this.flush()
      return
    }
    const draft = this.#draft
    if (draft !== undefined && draft.parent === step.parent && joins(draft, step, shape, readNothing)) {
      draft.steps.push(step)
      draft.failure ??= failure
      return
    }
    this.flush()
    this.#draft = { parent: step.parent, name: shape.name, main: step, steps: [step], failure }
  }

  /** Records what is pending: no later step can join it. */
  flush(): void {
    const draft = this.#draft
    if (draft === undefined) return
    this.#draft = undefined
    const last = draft.steps[draft.steps.length - 1] ?? draft.main
    const { parent, main } = draft
    const attributes = spanAttributes(draft, last.endNs)
    const span = parent.child(draft.name, attributes, main.startNs)
    span.syscalls = draftSyscalls(draft)
    if (draft.failure !== undefined) span.fail({ type: errnoName(last.errno), message: draft.failure })
    if (main.op === OP.statBatch) addSlowest(span, main)
    span.end(last.endNs)
    if (main.detail?.syncs !== undefined) addSyncs(span, main)
  }
}

function joins(draft: Draft, step: ChainStep<unknown>, shape: Shape, readNothing: boolean): boolean {
  if (shape.joins || readNothing) return true
  return shape.shares && draft.name === shape.name && draft.main.fd0 === step.fd0 && step.attributes === undefined
}

function spanAttributes(draft: Draft, endNs: number): Attributes {
  const { main } = draft
  const durationNs = endNs - main.startNs
  const attributes: Attributes = { 'posix.duration_ms': durationNs / 1e6, 'posix.queue_ms': main.queueNs / 1e6 }
  if (main.attributes !== undefined) for (const key in main.attributes) attributes[key] = main.attributes[key] ?? ''
  addOperationAttributes(attributes, draft, durationNs)
  if (draft.failure !== undefined) {
    attributes['error.type'] = errnoName(draft.steps[draft.steps.length - 1]?.errno ?? 0)
  }
  return attributes
}

function addOperationAttributes(attributes: Attributes, draft: Draft, durationNs: number): void {
  const { main } = draft
  switch (main.op) {
    case OP.openTmp:
      attributes['posix.size'] ??= main.a
      attributes['posix.tmp_method'] = main.text === undefined ? 'o_tmpfile' : 'named'
      return
    case OP.write:
      attributes['posix.bytes_written'] = bytesOf(draft)
      attributes['posix.throughput_mbps'] = mebibytesPerSecond(bytesOf(draft), durationNs)
      attributes['posix.io_ms'] = sum(draft, 'ioNs') / 1e6
      attributes['posix.hash_ms'] = sum(draft, 'hashNs') / 1e6
      return
    case OP.read:
    case OP.readWhole:
      attributes['posix.bytes_read'] = bytesOf(draft)
      attributes['posix.range_start'] = main.op === OP.read ? main.a : 0
      attributes['posix.throughput_mbps'] = mebibytesPerSecond(bytesOf(draft), durationNs)
      return
    case OP.readAttributes:
    case OP.writeAttributes:
      attributes['posix.meta_store'] = 'xattr'
      return
    case OP.link:
      if (typeof main.value === 'string') attributes['posix.link_method'] = main.value
      return
    case OP.sync:
      attributes['posix.sync_target'] = main.flags === FLAG.directory ? 'dir' : 'file'
      return
    case OP.list:
      if (main.errno !== 0) return
      attributes['posix.entries'] = (main.value as { count: number }).count
      attributes['posix.pages'] = main.detail?.pages ?? 0
      return
    case OP.statBatch:
      addBatchAttributes(attributes, main)
      return
    case OP.removeTree:
    case OP.prune:
      if (main.errno === 0) attributes['posix.removed'] = main.value as number
      return
    default:
  }
}

function bytesOf(draft: Draft): number {
  let bytes = 0
  for (const step of draft.steps) {
    if (step.errno !== 0) continue
    if (typeof step.value === 'number') bytes += step.value
    else if (step.value instanceof Uint8Array && (step.op === OP.read || step.op === OP.readWhole)) bytes += step.value.length
  }
  return bytes
}

function sum(draft: Draft, field: 'ioNs' | 'hashNs'): number {
  let total = 0
  for (const step of draft.steps) total += step[field]
  return total
}

export function mebibytesPerSecond(bytes: number, ns: number): number {
  return ns > 0 ? bytes / 1048576 / (ns / 1e9) : 0
}

/** The system calls of all steps of a span, one after the other. */
function draftSyscalls({ steps }: Draft): Float64Array | undefined {
  let only: Float64Array | undefined
  let length = 0
  for (const { syscalls } of steps) {
    if (syscalls === undefined) continue
    length += syscalls.length
    only = syscalls
  }
  if (only === undefined || only.length === length) return only
  return joinSyscalls(steps, length)
}

export function joinSyscalls(steps: Iterable<{ readonly syscalls: Float64Array | undefined }>, length: number): Float64Array {
  const all = new Float64Array(length)
  let at = 0
  for (const { syscalls } of steps) {
    if (syscalls === undefined) continue
    all.set(syscalls, at)
    at += syscalls.length
  }
  return all
}

/** How many entries of a batch are named in its span. */
const SLOWEST = 3

function addBatchAttributes(attributes: Attributes, step: ChainStep<unknown>): void {
  const entryNs = step.detail?.entryNs ?? new Float64Array(0)
  let total = 0
  let longest = 0
  for (const ns of entryNs) {
    total += ns
    if (ns > longest) longest = ns
  }
  attributes['posix.count'] = step.b
  attributes['posix.total_ms'] = total / 1e6
  attributes['posix.max_ms'] = longest / 1e6
}

function addSlowest(span: Span, step: ChainStep<unknown>): void {
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
function addSyncs(parent: Span, { detail, queueNs }: ChainStep<unknown>): void {
  const syncs = detail?.syncs ?? new Float64Array(0)
  for (let i = 0; i + 1 < syncs.length; i += 2) {
    const startNs = syncs[i] ?? 0
    const endNs = syncs[i + 1] ?? 0
    const attributes = {
      'posix.duration_ms': (endNs - startNs) / 1e6,
      'posix.queue_ms': queueNs / 1e6,
      'posix.sync_target': 'dir',
    }
    parent.child(SPAN.sync, attributes, startNs).end(endNs)
  }
}
