import type { Evidence } from './evidence.ts'
import type { Cause, Phase } from './explanation.ts'
import { clientRule } from './client-rule.ts'
import { dataRule, directoryRule, metadataRule, storageRule, syncRule } from './storage-rules.ts'
import { unknown, type Rule, type Verdict } from './verdict.ts'
import { PHASE_NAMES, binaryRate, duration, size } from './words.ts'

/** Nobody asks why a request was so quick. */
const FAST_MS = 10
/** A request of this length has a cause worth naming even where its parts are ordinary. */
const LONG_MS = 100
/** The share of the time that a cause has to account for. */
const MAIN_SHARE = 0.4
/** What else took a share of this size and so many milliseconds is mentioned. */
const SECOND_SHARE = 0.2
const SECOND_MS = 20

/**
 * Names what most of the time is owed to. A phase alone is no cause: each rule asks for the evidence that tells one cause
 * from another, and says what is missing where there is none.
 */
export function findCause(evidence: Evidence): Verdict {
  const { totalMs, sums } = evidence
  if (totalMs < FAST_MS) return FAST
  const sorted = [...sums].sort(([, a], [, b]) => b - a)
  const [main] = sorted
  if (main === undefined) return unknown('The trace holds no spans.')
  const storage = storageRule(evidence)
  if (storage !== undefined) return storage
  const [phase, ms] = main
  if (ms < totalMs * MAIN_SHARE) return mixed(evidence, sorted)
  const busy = unsure(evidence, phase, ms)
  const found = busy ?? RULES[phase](evidence, ms)
  const isNamed = found !== undefined && found.cause !== 'unknown'
  if (busy === undefined && !isNamed && totalMs < LONG_MS) return FAST
  const { cause, verdict } =
    found ??
    unknown(
      `Most of the time is ${PHASE_NAMES[phase]}, and the trace does not tell why it took so long.`,
    )
  const second = secondCause(evidence, sorted, cause)
  return { cause, verdict: second === undefined ? verdict : `${verdict} Beside that: ${second}` }
}

const FAST: Verdict = { cause: 'fast', verdict: 'Nothing was slow.' }

type Sorted = readonly (readonly [Phase, number])[]

function mixed(evidence: Evidence, sorted: Sorted): Verdict {
  if (evidence.totalMs < LONG_MS) return FAST
  const largest = sorted.slice(0, 3).map(([phase, ms]) => `${PHASE_NAMES[phase]} (${duration(ms)})`)
  return unknown(`No single cause: the time is divided among ${largest.join(', ')}.`)
}

function secondCause(evidence: Evidence, [, ...others]: Sorted, main: Cause): string | undefined {
  for (const [phase, ms] of others) {
    if (ms < SECOND_MS || ms < evidence.totalMs * SECOND_SHARE) return undefined
    if (unsure(evidence, phase, ms) !== undefined) continue
    const found = RULES[phase](evidence, ms)
    if (found !== undefined && found.cause !== 'unknown' && found.cause !== main)
      return found.verdict
  }
  return undefined
}

/** What these phases take is seen by the event loop, which counts its own lateness in. */
const SEEN_BY_LOOP: ReadonlySet<Phase> = new Set(['client', 'auth', 'iam', 'lock', 'other'])

/** Threads of the I/O pool may have run where the event loop did not. */
const STARVED_MS = 50

/** A process that was late counts its own time as another's. Defined where that may be most of a phase. */
function unsure(evidence: Evidence, phase: Phase, ms: number): Verdict | undefined {
  const { loopLagMs, starvedMs, totalMs } = evidence
  const noticed = SEEN_BY_LOOP.has(phase) ? 0 : STARVED_MS
  if (starvedMs > Math.max(noticed, ms / 2) && ms - starvedMs < totalMs * MAIN_SHARE)
    return unknown(
      `For ${duration(starvedMs)} the gateway's process was not running: other programs had the processors, or it was stopped.`,
    )
  if (!SEEN_BY_LOOP.has(phase) || loopLagMs <= ms / 2) return undefined
  if (phase === 'client')
    return unknown(
      `The gateway waited for the client, but its process was so busy (${duration(loopLagMs)}) that the bytes may have been there.`,
    )
  return unknown(
    `The gateway's process was busy with other requests (its event loop was ${duration(loopLagMs)} late).`,
  )
}

/** A phase of fewer milliseconds is nobody's fault. */
const LITTLE_MS = 5
/** What a processor that is free does of MD5 alone is several times that, bytes a second. */
const SLOW_HASH = 120e6

const RULES: Readonly<Record<Phase, Rule>> = {
  client: clientRule,
  auth: () => undefined,
  iam: ({ fetchedFrom, fetchFailed }, ms) => {
    if (fetchedFrom === undefined || ms < LITTLE_MS) return undefined
    const took = fetchFailed
      ? `gave no account in ${duration(ms)}`
      : `took ${duration(ms)} to answer; the account was not in memory`
    return { cause: 'remote-iam', verdict: `The account store (${fetchedFrom}) ${took}.` }
  },
  queue: ({ poolFull, loopLagMs }, ms) => {
    if (ms < LITTLE_MS) return undefined
    if (poolFull === false)
      return unknown(
        `Threads of the I/O pool were free, but none ran for ${duration(ms)}: the machine was too busy, or short of memory.`,
      )
    const or = poolFull === undefined || loopLagMs > 0 ? ', or the processors were' : ''
    return {
      cause: 'full-pool',
      verdict: `For ${duration(ms)} no thread of the I/O pool took it up: all were busy with other requests (--io-threads)${or}.`,
    }
  },
  lock: ({ lockHolder }, ms) =>
    ms < LITTLE_MS
      ? undefined
      : {
          cause: 'lock',
          verdict:
            lockHolder === undefined
              ? `Another process held the lock of this key for ${duration(ms)}.`
              : `The request of trace ${lockHolder} held the lock of this key.`,
        },
  metadata: metadataRule,
  directory: directoryRule,
  data: dataRule,
  sync: syncRule,
  hash: ({ bytes }, ms) => {
    if (ms < LITTLE_MS) return undefined
    const rate = bytes === undefined ? Infinity : (bytes / ms) * 1000
    const what = bytes === undefined ? '' : ` of ${size(bytes)}`
    const slow =
      bytes !== undefined && rate < SLOW_HASH
        ? ` At ${binaryRate(bytes, ms)} it was slow: other work had the processors too.`
        : ''
    return {
      cause: 'hashing',
      verdict: `Computing the checksums${what} took ${duration(ms)}.${slow}`,
    }
  },
  other: () => undefined,
}
