import { Arena, CHAIN, FD_NONE, FD_OF_STEP, FLAG, LAYOUT, STEP_BYTES } from './arena.ts'
import { ChainStep } from './chain-step.ts'
import type { Fd } from './io.ts'
import { textBound, writeText } from './text.ts'

/** One job as it was written to its slot: steps `from` to `to - 1` of the chain. */
export interface WrittenJob {
  readonly to: number
  readonly pieces: readonly Uint8Array[] | undefined
}

const NO_PIECES: Uint8Array[] = []
const NOT_A_DESCRIPTOR = 0x7fffffff

/**
 * Writes as many steps of a chain as fit into a slot.
 *
 * What does not fit because of the others waits for the next job of the same chain; a single text that is longer than
 * the slot's text area travels as a piece.
 */
export function writeJob(
  arena: Arena,
  slot: number,
  steps: readonly ChainStep<unknown>[],
  from: number,
  options: { readonly flags: number; readonly jobKinds: number },
): WrittenJob {
  const base = arena.base(slot)
  const textStart = base + LAYOUT.text
  const textEnd = base + LAYOUT.data
  let textAt = textStart
  let pieces: Uint8Array[] | undefined
  const last = Math.min(steps.length, from + LAYOUT.maxSteps)
  let index = from
  for (; index < last; index++) {
    const step = steps[index]
    if (step === undefined) break
    const bound = textBound(step.text)
    const bound2 = step.text2 === undefined ? 0 : textBound(step.text2)
    if (bound2 > LAYOUT.data - LAYOUT.text) throw new RangeError('the second text of a step is too long')
    const isLong = bound + bound2 > LAYOUT.data - LAYOUT.text
    if (index > from && textAt + (isLong ? bound2 : bound + bound2) > textEnd) break

    const row = base + LAYOUT.steps + (index - from) * STEP_BYTES
    const needsPieces = isLong || step.pieces !== undefined || (typeof step.text === 'object' && !(step.text instanceof Uint8Array))
    if (needsPieces) pieces ??= []
    const list = pieces ?? NO_PIECES
    let text: number
    let textSize: number
    let flags = step.flags
    if (isLong) {
      const own = Buffer.allocUnsafeSlow(bound)
      textSize = writeText(own, 0, step.text, list)
      text = list.push(own) - 1
      flags |= FLAG.textInPiece
    } else {
      const end = writeText(arena.bytes, textAt, step.text, list)
      text = textAt - base
      textSize = end - textAt
      textAt = end + 1
    }
    const text2 = textAt - base
    let text2Size = 0
    if (step.text2 !== undefined) {
      const end = writeText(arena.bytes, textAt, step.text2, list)
      text2Size = end - textAt
      textAt = end + 1
    }
    const firstPiece = list.length
    if (step.pieces !== undefined) for (const piece of step.pieces) list.push(piece)

    const { int32, double } = arena
    const at = row >> 2
    let fd0 = reference(step.fd0, steps, from)
    const fd1 = reference(step.fd1, steps, from)
    const fd2 = reference(step.fd2, steps, from)
    // A descriptor of an earlier job that was never opened: the step is skipped, as within a job.
    if ((fd1 === FD_NONE && step.fd1 !== undefined) || (fd2 === FD_NONE && step.fd2 !== undefined)) fd0 = FD_NONE
    int32[at] = step.op | (step.hasher << 16)
    int32[at + 1] = flags
    int32[at + 2] = fd0
    int32[at + 3] = fd1
    int32[at + 4] = fd2
    int32[at + 5] = step.mode
    int32[at + 6] = text
    int32[at + 7] = textSize
    int32[at + 8] = text2
    int32[at + 9] = text2Size
    int32[at + 10] = firstPiece
    int32[at + 11] = list.length - firstPiece
    int32[at + 12] = tolerated(step.tolerate, 0)
    int32[at + 13] = tolerated(step.tolerate, 4)
    const d = (row + 56) >> 3
    double[d] = step.a
    double[d + 1] = step.b
    double[d + 2] = step.c
  }

  const head = base >> 2
  arena.int32[head] = options.flags | (from === 0 ? CHAIN.first : 0) | (index < steps.length ? CHAIN.more : 0)
  arena.int32[head + 1] = index - from
  arena.int32[head + 2] = options.jobKinds
  return { to: index, pieces }
}

/** A number, a place in this job, or FD_NONE where an earlier job did not open it. */
function reference(fd: Fd | undefined, steps: readonly ChainStep<unknown>[], from: number): number {
  if (fd === undefined) return FD_NONE
  if (typeof fd === 'number') return fd >= 0 ? fd : NOT_A_DESCRIPTOR
  if (fd instanceof ChainStep && fd.index >= from && steps[fd.index] === fd) return FD_OF_STEP - (fd.index - from)
  return fd.ran && fd.errno === 0 ? fd.value : FD_NONE
}

/** Up to four errnos in an integer, a byte each; there is room for eight. */
function tolerated(errnos: readonly number[] | undefined, first: number): number {
  if (errnos === undefined || errnos.length <= first) return 0
  let packed = 0
  for (let i = 0; i < 4; i++) packed |= (errnos[first + i] ?? 0) << (8 * i)
  return packed
}
