import { type Arena, CHAIN, FD_NONE, FD_OF_STEP, FLAG, LAYOUT, STEP_BYTES } from './arena.ts'
import { type AnyStep, ChainStep } from './chain-step.ts'
import type { Fd } from './io.ts'
import { textBound, writeText } from './text.ts'

/** One job as it was written to its slot. */
export interface WrittenJob {
  /** The chain's first step that is not part of it. */
  readonly to: number
  readonly pieces: readonly Uint8Array[] | undefined
}

export interface JobSource {
  readonly steps: readonly AnyStep[]
  readonly bulk: boolean
  readonly syscalls: boolean
  /** Kinds of the chain's own hash state. */
  readonly jobKinds: number
}

const TEXT_BYTES = LAYOUT.data - LAYOUT.text
const NOT_A_DESCRIPTOR = 0x7fffffff

/**
 * Writes as many steps of a chain as fit into a slot.
 *
 * What does not fit because of the others waits for the next job of the same chain; a single text
 * that is longer than the slot's text area travels as a piece.
 */
export class JobWriter {
  readonly #arena: Arena
  #base = 0
  /** Where the next text goes. */
  #textAt = 0
  #pieces: Uint8Array[] = []
  #steps: readonly AnyStep[] = []
  #from = 0

  constructor(arena: Arena) {
    this.#arena = arena
  }

  /** Writes the steps from `from` on. */
  write(slot: number, source: JobSource, from: number): WrittenJob {
    const { steps } = source
    this.#base = this.#arena.base(slot)
    this.#textAt = this.#base + LAYOUT.text
    this.#pieces = []
    this.#steps = steps
    this.#from = from
    const last = Math.min(steps.length, from + LAYOUT.maxSteps)
    let index = from
    for (; index < last; index++) {
      const step = steps[index]
      if (step === undefined || !this.#writeStep(step, index)) break
    }
    this.#writeHeader(source, index)
    return { to: index, pieces: this.#pieces.length === 0 ? undefined : this.#pieces }
  }

  #writeHeader({ steps, bulk, syscalls, jobKinds }: JobSource, to: number): void {
    const { int32 } = this.#arena
    const at = this.#base >> 2
    int32[at] =
      (this.#from === 0 ? CHAIN.first : 0) |
      (to < steps.length ? CHAIN.more : 0) |
      (bulk ? CHAIN.bulk : 0) |
      (syscalls ? CHAIN.syscalls : 0)
    int32[at + 1] = to - this.#from
    int32[at + 2] = jobKinds
  }

  /** False where there is no more room for its texts. */
  #writeStep(step: AnyStep, index: number): boolean {
    const bound = textBound(step.text)
    const bound2 = step.text2 === undefined ? 0 : textBound(step.text2)
    if (bound2 > TEXT_BYTES) throw new RangeError('the second text of a step is too long')
    const isLong = bound + bound2 > TEXT_BYTES
    const needed = isLong ? bound2 : bound + bound2
    if (this.#textAt + needed > this.#base + LAYOUT.data) {
      if (index > this.#from) return false
      throw new RangeError('a step does not fit in a slot')
    }

    const at = (this.#base + LAYOUT.steps + (index - this.#from) * STEP_BYTES) >> 2
    const { int32 } = this.#arena
    int32[at] = step.op | (step.hasher << 16)
    int32[at + 1] = step.flags | (isLong ? FLAG.textInPiece : 0)
    int32[at + 5] = step.mode
    if (isLong) this.#writeLongText(step, bound, at + 6)
    else this.#writeText(step, step.text, at + 6)
    this.#writeText(step, step.text2, at + 8)
    int32[at + 10] = this.#pieces.length
    int32[at + 11] = step.pieces === undefined ? 0 : step.pieces.length
    if (step.pieces !== undefined) for (const piece of step.pieces) this.#pieces.push(piece)
    int32[at + 12] = tolerated(step.tolerate, 0)
    int32[at + 13] = tolerated(step.tolerate, 4)
    this.#writeDescriptors(step, at + 2)
    this.#writeNumbers(step, (at + 14) >> 1)
    return true
  }

  #writeNumbers(step: AnyStep, at: number): void {
    const { double } = this.#arena
    double[at] = step.a
    double[at + 1] = step.b
    double[at + 2] = step.c
  }

  #writeText(step: AnyStep, text: AnyStep['text'], at: number): void {
    const { int32, bytes } = this.#arena
    const start = this.#textAt
    const end = text === undefined ? start : writeText(bytes, start, text, this.#pieces)
    if (text === undefined) bytes[start] = 0
    int32[at] = start - this.#base
    int32[at + 1] = end - start
    if (text !== undefined || step.text2 !== undefined) this.#textAt = end + 1
  }

  #writeLongText(step: AnyStep, bound: number, at: number): void {
    const { int32 } = this.#arena
    const own = Buffer.allocUnsafeSlow(bound)
    int32[at + 1] = writeText(own, 0, step.text, this.#pieces)
    int32[at] = this.#pieces.push(own) - 1
  }

  #writeDescriptors(step: AnyStep, at: number): void {
    const { int32 } = this.#arena
    const fd1 = this.#reference(step.fd1)
    const fd2 = this.#reference(step.fd2)
    // One that an earlier job did not open: the step is skipped, as within a job.
    const isSkipped =
      (fd1 === FD_NONE && step.fd1 !== undefined) || (fd2 === FD_NONE && step.fd2 !== undefined)
    int32[at] = isSkipped ? FD_NONE : this.#reference(step.fd0)
    int32[at + 1] = fd1
    int32[at + 2] = fd2
  }

  /** A number, a place in this job, or FD_NONE where an earlier job did not open it. */
  #reference(fd: Fd | undefined): number {
    if (fd === undefined) return FD_NONE
    if (typeof fd === 'number') return fd >= 0 ? fd : NOT_A_DESCRIPTOR
    if (fd instanceof ChainStep && fd.index >= this.#from && this.#steps[fd.index] === fd) {
      return FD_OF_STEP - (fd.index - this.#from)
    }
    return fd.ran && fd.errno === 0 ? fd.value : FD_NONE
  }
}

/** Up to four errnos in an integer, a byte each; there is room for eight. */
function tolerated(errnos: readonly number[] | undefined, first: number): number {
  if (errnos === undefined || errnos.length <= first) return 0
  let packed = 0
  for (let i = 0; i < 4; i++) packed |= (errnos[first + i] ?? 0) << (8 * i)
  return packed
}
