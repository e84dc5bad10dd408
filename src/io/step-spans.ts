import { SPAN } from '../trace/names.ts'
import type { Attributes, Span } from '../trace/recorder.ts'
import { FLAG, OP } from './arena.ts'
import type { ChainStep } from './chain-step.ts'
import { errnoName } from './io-error.ts'

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
const SHAPE_OF: readonly Shape[] = (Object.keys(OP) as (keyof typeof OP)[]).map((name) => SHAPES[name])

/** Makes spans of a chain's steps, in order, as its jobs settle. */
export class StepSpans {
  /** The step whose name and attributes the next span has; undefined where none is under way. */
  #main: ChainStep<unknown> | undefined
  #last: ChainStep<unknown> | undefined
  #failure: string | undefined
  #bytes = 0
  #ioNs = 0
  #hashNs = 0
  /** System calls of the span's earlier jobs, where it has more than one. */
  #earlier: Float64Array[] | undefined

  /** `failure` is the message of the error that this step ended the chain with. */
  add(step: ChainStep<unknown>, failure: string | undefined): void {
    const shape = SHAPE_OF[step.op] ?? HIDDEN
    if (step.parent === undefined || shape.name === undefined) {
      this.#flush()
      return
    }
    const main = this.#main
    if (main !== undefined && main.parent === step.parent && joins(main, step, shape)) {
      if (step.records !== this.#last?.records) this.#keepRecords()
    } else {
      this.#flush()
      this.#main = step
    }
    this.#last = step
    this.#failure = failure
    this.#ioNs += step.ioNs
    this.#hashNs += step.hashNs
    if (step.op === OP.write && step.errno === 0) this.#bytes += step.value as number
    else if (shape === READ_SHAPE && step.value instanceof Buffer) this.#bytes += step.value.length
  }

  /** Records what is pending: no later step will join it. */
  end(): void {
    this.#flush()
  }

  #flush(): void {
    const main = this.#main
    const last = this.#last
    if (main?.parent === undefined || last === undefined) return
    let attributes = this.#attributes(main, last.endNs - main.startNs)
    if (main.attributes !== undefined) attributes = { ...attributes, ...main.attributes }
    if (this.#failure !== undefined) attributes = { ...attributes, 'error.type': errnoName(last.errno) }
    const span = main.parent.child(SHAPE_OF[main.op]?.name ?? '', attributes, main.startNs)
    span.syscalls = this.#syscalls(main, last)
    if (this.#failure !== undefined) span.fail({ type: errnoName(last.errno), message: this.#failure })
    if (main.op === OP.statBatch) addSlowest(span, main)
    span.end(last.endNs)
    if (main.detail?.syncs !== undefined) addSyncs(span, main)
    this.#main = undefined
    this.#last = undefined
    this.#failure = undefined
    this.#earlier = undefined
    this.#bytes = 0
    this.#ioNs = 0
    this.#hashNs = 0
  }

  /** A literal for each kind: an object that grows property by property costs several times as much. */
  #attributes(main: ChainStep<unknown>, durationNs: number): Attributes {
    const ms = durationNs / 1e6
    const queueMs = main.queueNs / 1e6
    switch (main.op) {
      case OP.openTmp: {
        const method = main.text === undefined ? 'o_tmpfile' : 'named'
        return { 'posix.duration_ms': ms, 'posix.queue_ms': queueMs, 'posix.size': main.a, 'posix.tmp_method': method }
      }
      case OP.write:
        return {
          'posix.duration_ms': ms,
          'posix.queue_ms': queueMs,
          'posix.bytes_written': this.#bytes,
          'posix.throughput_mbps': mebibytesPerSecond(this.#bytes, durationNs),
          'posix.io_ms': this.#ioNs / 1e6,
          'posix.hash_ms': this.#hashNs / 1e6,
        }
      case OP.read:
      case OP.readWhole:
        return {
          'posix.duration_ms': ms,
          'posix.queue_ms': queueMs,
          'posix.bytes_read': this.#bytes,
          'posix.range_start': main.op === OP.read ? main.a : 0,
          'posix.throughput_mbps': mebibytesPerSecond(this.#bytes, durationNs),
        }
      case OP.readAttributes:
      case OP.writeAttributes:
        return { 'posix.duration_ms': ms, 'posix.queue_ms': queueMs, 'posix.meta_store': 'xattr' }
      case OP.link:
        if (typeof main.value !== 'string') break
        return { 'posix.duration_ms': ms, 'posix.queue_ms': queueMs, 'posix.link_method': main.value }
      case OP.sync: {
        const target = main.flags === FLAG.directory ? 'dir' : 'file'
        return { 'posix.duration_ms': ms, 'posix.queue_ms': queueMs, 'posix.sync_target': target }
      }
      case OP.list: {
        if (main.errno !== 0) break
        const { count } = main.value as { count: number }
        const pages = main.detail?.pages ?? 0
        return { 'posix.duration_ms': ms, 'posix.queue_ms': queueMs, 'posix.entries': count, 'posix.pages': pages }
      }
      case OP.statBatch:
        return { 'posix.duration_ms': ms, 'posix.queue_ms': queueMs, 'posix.count': main.b, ...batchTimes(main) }
      case OP.removeTree:
      case OP.prune:
        if (main.errno !== 0) break
        return { 'posix.duration_ms': ms, 'posix.queue_ms': queueMs, 'posix.removed': main.value as number }
      default:
    }
    return { 'posix.duration_ms': ms, 'posix.queue_ms': queueMs }
  }

  /** A span that goes on in another job has its calls in several arrays. */
  #keepRecords(): void {
    const main = this.#main
    const last = this.#last
    if (main === undefined || last?.records === undefined) return
    const from = main.records === last.records ? main.recordsFrom : 0
    ;(this.#earlier ??= []).push(last.records.subarray(from, last.recordsTo))
  }

  #syscalls(main: ChainStep<unknown>, last: ChainStep<unknown>): Float64Array | undefined {
    const { records } = last
    const from = main.records === records ? main.recordsFrom : 0
    const calls = records !== undefined && last.recordsTo > from ? records.subarray(from, last.recordsTo) : undefined
    if (this.#earlier === undefined) return calls
    return joinSyscalls(calls === undefined ? this.#earlier : [...this.#earlier, calls])
  }
}

function joins(main: ChainStep<unknown>, step: ChainStep<unknown>, shape: Shape): boolean {
  if (shape.joins) return true
  // A file that was not read after all has only been looked at.
  if (step.op === OP.readWhole && step.errno === 0 && step.value === undefined) return true
  return shape.shares && SHAPE_OF[main.op]?.name === shape.name && main.fd0 === step.fd0 && step.attributes === undefined
}

export function mebibytesPerSecond(bytes: number, ns: number): number {
  return ns > 0 ? bytes / 1048576 / (ns / 1e9) : 0
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

function batchTimes(step: ChainStep<unknown>): { 'posix.total_ms': number; 'posix.max_ms': number } {
  let total = 0
  let longest = 0
  for (const ns of step.detail?.entryNs ?? []) {
    total += ns
    if (ns > longest) longest = ns
  }
  return { 'posix.total_ms': total / 1e6, 'posix.max_ms': longest / 1e6 }
}

/** How many entries of a batch are named in its span. */
const SLOWEST = 3

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
