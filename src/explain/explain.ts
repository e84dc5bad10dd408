import type { AttributeValue } from '../trace/recorder.ts'
import type { Explanation, Phase, PhaseTime } from './explanation.ts'

/** What of a span the words are made of. */
export interface ExplainedSpan {
  readonly name: string
  readonly phase: Phase
  readonly durationUs: number
  readonly selfUs: number
  readonly attributes: Readonly<Record<string, AttributeValue>>
}

/** Tells where the time of a request went. `spans` begin with the root. */
export function explain(spans: readonly ExplainedSpan[]): Explanation {
  const total = (spans[0]?.durationUs ?? 0) / 1e3
  const times = new Map<Phase, number>()
  const add = (phase: Phase, ms: number): void => {
    if (ms > 0) times.set(phase, (times.get(phase) ?? 0) + ms)
  }
  for (const span of spans) divide(span, add)
  const phases = [...times]
    .map(([phase, ms]): PhaseTime => ({ phase, ms, text: TEXTS[phase] }))
    .sort((a, b) => b.ms - a.ms)
  return {
    sentence: sentenceOf(total, phases),
    phases,
    cause: 'unknown',
    verdict: 'The trace does not tell the cause.',
    facts: [],
  }
}

/** The span's own time, of which its attributes may tell more. */
function divide(span: ExplainedSpan, add: (phase: Phase, ms: number) => void): void {
  let rest = span.selfUs / 1e3
  const take = (phase: Phase, key: string): void => {
    const value = span.attributes[key]
    if (typeof value !== 'number') return
    const ms = Math.min(rest, value)
    add(phase, ms)
    rest -= ms
  }
  if (span.phase === 'data') {
    take('hash', 'posix.hash_ms')
    take('client', 'posix.client_wait_ms')
  }
  add(span.phase, rest)
}

const TEXTS: Readonly<Record<Phase, string>> = {
  client: 'waiting for the client',
  auth: 'checking who asks and whether he may',
  iam: 'asking the account store',
  queue: 'waiting for a thread of the I/O pool',
  lock: 'waiting for a lock',
  metadata: 'opening files, reading and writing their attributes',
  directory: 'reading directories',
  data: 'moving the data',
  sync: 'making it durable',
  hash: 'hashing',
  other: 'everything else',
}

/** Phases below this share of the whole are not worth words of their own. */
const WORTH = 0.02

function sentenceOf(total: number, phases: readonly PhaseTime[]): string {
  const told = phases.filter(({ phase, ms }) => phase !== 'other' && ms >= total * WORTH)
  const rest = total - told.reduce((sum, { ms }) => sum + ms, 0)
  const parts = told.map(({ ms, text }) => `${time(ms)} ${text}`)
  if (parts.length === 0 || rest >= (total * WORTH) / 2) parts.push(`${time(rest)} everything else`)
  return `${time(total)}: ${parts.join(', ')}`
}

/** To three digits or so: `412 ms`, `3.1 ms`, `85 µs`, `12.4 s`. */
function time(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms >= 10) return `${Math.round(ms)} ms`
  if (ms >= 1) return `${ms.toFixed(1)} ms`
  return `${Math.round(ms * 1000)} µs`
}
