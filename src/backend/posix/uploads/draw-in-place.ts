import type { Chain, CopyResult, Step } from '../../../io/io.ts'
import { SPAN } from '../../../trace/names.ts'
import type { Span } from '../../../trace/recorder.ts'
import { copyFacts, drawCopyPart } from '../copy-spans.ts'
import type { StoredPart } from './check-parts.ts'

interface Assembled {
  readonly parts: readonly StoredPart[]
  /** Of those that were not where they belong. */
  readonly copies: readonly (Step<CopyResult> | undefined)[]
  readonly opened: Step<number>
}

/** A CopyPart and an event for each part, also where nothing had to be copied. */
export function drawInPlace(span: Span, chain: Chain, { parts, copies, opened }: Assembled): void {
  const times = chain.times(opened)
  span.set('posix.queue_ms', times.queueNs / 1e6)
  let end = 0
  for (const [i, part] of parts.entries()) {
    end += part.size
    const copy = copies[i]
    const taken = copy === undefined ? times : chain.times(copy)
    const attributes = { 'posix.part_number': part.partNumber, 'posix.part_size': part.size }
    const copyPart = span.child(SPAN.copyPart, attributes, taken.startNs)
    if (copy === undefined) {
      copyPart.set('posix.copy_method', 'in_place')
      copyPart.set('posix.queue_ms', taken.queueNs / 1e6)
      copyPart.end(taken.endNs)
    } else drawCopyPart(copyPart, copyFacts(copy.value, false), part.size, taken)
    span.addEvent(
      'part_assembled',
      { current_part: part.partNumber, bytes_copied: end },
      taken.endNs,
    )
  }
}
