import type { Evidence } from './evidence.ts'
import type { Cause } from './explanation.ts'

export interface Verdict {
  readonly cause: Cause
  /** Whole sentences. */
  readonly verdict: string
}

/** Judges a phase and the ms it took. Undefined where the trace has no evidence of a cause. */
export type Rule = (evidence: Evidence, ms: number) => Verdict | undefined

export function unknown(verdict: string): Verdict {
  return { cause: 'unknown', verdict }
}
