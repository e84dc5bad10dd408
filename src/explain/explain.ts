import { findCause } from './cause.ts'
import { divide } from './divide.ts'
import { gather, type Place } from './evidence.ts'
import type { Explanation, PhaseTime } from './explanation.ts'
import type { ExplainedSpan } from './spans.ts'
import { duration, phaseText } from './words.ts'

/** Tells where the time of a request went, and why. `spans` begin with the root; `place` is where the data lies. */
export function explain(spans: readonly ExplainedSpan[], place?: Place): Explanation {
  const division = divide(spans)
  const evidence = gather(spans, division, place)
  const phases = [...division.sums]
    .map(([phase, ms]): PhaseTime => ({ phase, ms, text: phaseText(phase, ms, evidence) }))
    .sort((a, b) => b.ms - a.ms)
  return {
    sentence: sentenceOf(evidence.totalMs, phases),
    phases,
    ...findCause(evidence),
    facts:
      place === undefined ? [] : [`The served directory lies on ${place.type} (${place.source}).`],
  }
}

/** Phases below this share of the whole are not worth words of their own. */
const WORTH_TELLING = 0.01

function sentenceOf(total: number, phases: readonly PhaseTime[]): string {
  const told = phases.filter(({ phase, ms }) => phase !== 'other' && ms >= total * WORTH_TELLING)
  const rest = total - told.reduce((sum, { ms }) => sum + ms, 0)
  const parts = told.map(({ ms, text }) => `${duration(ms)} ${text}`)
  if (parts.length === 0 || rest >= total * (WORTH_TELLING / 4))
    parts.push(`${duration(rest)} everything else`)
  return `${duration(total)}: ${parts.join(', ')}`
}
