import type { Span } from '../trace/recorder.ts'
import { FLAG, HASHER_NONE } from './arena.ts'
import type { AttributeValue, Fd, Options, RemoveOnly, Step } from './io.ts'

/** Attributes to set and to remove, in this order: removed first. */
export interface AttributeChanges {
  readonly removed: readonly string[]
  readonly entries: readonly (readonly [name: string, value: AttributeValue])[]
}

/** Strings are paths; bytes are taken as they are. */
export type StepText = string | Uint8Array | AttributeChanges | undefined

/** What a step has to say beyond its result, for its span. */
export interface StepDetail {
  /** Start and end of each fsync within the step. */
  readonly syncs?: Float64Array
  /** ns of each entry of a batch. */
  readonly entryNs?: Float64Array
  /** System calls that read the directory. */
  readonly pages?: number
}

export type AnyStep = ChainStep<unknown>

/**
 * A step as planned, and after the run as it went. All fields are set here, so that all steps have one hidden class:
 * a chain makes several, and they are written to the arena and read from it field by field.
 */
export class ChainStep<T> implements Step<T> {
  readonly op: number
  /** Its place in the chain. */
  readonly index: number
  /** Below it the step's span is recorded; undefined: no span. */
  readonly parent: Span | undefined
  readonly attributes: Options['attributes']
  readonly tolerate: readonly number[] | undefined
  readonly expected: readonly number[] | undefined
  flags = 0
  hasher = HASHER_NONE
  mode = 0
  fd0: Fd | undefined
  fd1: Fd | undefined
  fd2: Fd | undefined
  text: StepText
  text2: string | Uint8Array | undefined
  pieces: readonly Uint8Array[] | undefined
  a = 0
  b = 0
  c = 0
  /** What the result is read with: the names of attributes, a buffer to be filled. */
  wanted: unknown

  value = undefined as T
  errno = 0
  ran = false
  startNs = 0
  endNs = 0
  queueNs = 0
  ioNs = 0
  hashNs = 0
  /** Its system calls: elements `recordsFrom` to `recordsTo` of those of its job. */
  records: Float64Array | undefined
  recordsFrom = 0
  recordsTo = 0
  detail: StepDetail | undefined

  constructor(op: number, index: number, parent: Span | undefined, options: Options | undefined) {
    this.op = op
    this.index = index
    this.parent = parent
    this.fd0 = undefined
    this.fd1 = undefined
    this.fd2 = undefined
    this.text = undefined
    this.text2 = undefined
    this.pieces = undefined
    this.wanted = undefined
    this.records = undefined
    this.detail = undefined
    this.attributes = options?.attributes
    this.tolerate = options?.tolerate
    this.expected = options?.expected
  }

  removeOnly({ file, tmpDir, aside }: RemoveOnly): void {
    this.flags |= FLAG.removeOnly
    this.fd1 = tmpDir
    this.text2 = aside
    this.a = file.ino
    this.b = file.dev
  }

  get syscalls(): Float64Array | undefined {
    return this.recordsTo > this.recordsFrom
      ? this.records?.subarray(this.recordsFrom, this.recordsTo)
      : undefined
  }
}
