import type { AttributeValue } from '../trace/recorder.ts'
import type { Phase } from './explanation.ts'

/** What of a span the words are made of. Parents stand before their children, siblings by their beginning. */
export interface ExplainedSpan {
  readonly name: string
  readonly phase: Phase
  /** Where in the list its parent stands; -1 for the root. */
  readonly parent: number
  readonly startUs: number
  readonly durationUs: number
  readonly attributes: Readonly<Record<string, AttributeValue>>
}

/** A number of a span's attributes; 0 where there is none. */
export function numberOf({ attributes }: ExplainedSpan, key: string): number {
  const value = attributes[key]
  return typeof value === 'number' ? value : 0
}

export function textOf({ attributes }: ExplainedSpan, key: string): string | undefined {
  const value = attributes[key]
  return value === undefined ? undefined : String(value)
}
