import type { Evidence } from './evidence.ts'
import type { Cause, Phase } from './explanation.ts'
import { duration, grouped, size } from './words.ts'

export interface Verdict {
  readonly cause: Cause
  readonly verdict: string
}

/** Nobody asks why a request was so quick. */
const FAST_MS = 10
/** A request of this length has a cause worth naming even where its parts are ordinary. */
const LONG_MS = 100
/** The share of the time that a cause has to account for. */
const MAIN_SHARE = 0.45

/**
 * Names what most of the time is owed to. A phase alone is no cause: each rule asks for the evidence that tells one cause
 * from another, and says what is missing where there is none.
 */
export function findCause(evidence: Evidence): Verdict {
  const { totalMs, sums } = evidence
  if (totalMs < FAST_MS) return { cause: 'fast', verdict: 'Nothing was slow.' }
  const slowDisk = everythingSlow(evidence)
  if (slowDisk !== undefined) return slowDisk
  const [main] = [...sums].sort(([, a], [, b]) => b - a)
  if (main === undefined) return unknown('The trace holds no spans.')
  const [phase, ms] = main
  if (ms < totalMs * MAIN_SHARE) return mixed(evidence)
  const found = RULES[phase](evidence, ms)
  if (found !== undefined) return found
  if (totalMs < LONG_MS) return { cause: 'fast', verdict: 'Nothing was slow.' }
  return unknown(
    `Most of the time is ${NAMES[phase]}, and the trace does not tell why it took so long.`,
  )
}

function unknown(verdict: string): Verdict {
  return { cause: 'unknown', verdict }
}

function mixed({ totalMs, sums }: Evidence): Verdict {
  if (totalMs < LONG_MS) return { cause: 'fast', verdict: 'Nothing was slow.' }
  const largest = [...sums]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([phase, ms]) => `${NAMES[phase]} (${duration(ms)})`)
  return unknown(`No single cause: the time is divided among ${largest.join(', ')}.`)
}

/** File operations that only look up a name take microseconds, or a disk's access time when they have to read. */
const SLOW_OPERATION_MS = 15
const STORAGE: readonly Phase[] = ['metadata', 'directory', 'data', 'sync']

/** Where names, data and syncs all are slow it is the disk, or whatever lies below the file system. */
function everythingSlow(evidence: Evidence): Verdict | undefined {
  const { totalMs, sums, slowestOperationMs, entries } = evidence
  const storage = STORAGE.reduce((sum, phase) => sum + (sums.get(phase) ?? 0), 0)
  if (storage < totalMs * 0.6 || entries >= MANY_ENTRIES) return undefined
  if (slowestOperationMs < SLOW_OPERATION_MS || (sums.get('metadata') ?? 0) < totalMs * 0.25)
    return undefined
  return {
    cause: 'slow-disk',
    verdict: `The disk is slow: an operation on a single name took ${duration(slowestOperationMs)}.`,
  }
}

type Rule = (evidence: Evidence, ms: number) => Verdict | undefined

const RULES: Readonly<Record<Phase, Rule>> = {
  client: clientRule,
  auth: () => undefined,
  iam: ({ fetchedFrom }, ms) =>
    fetchedFrom === undefined || ms < 5
      ? undefined
      : {
          cause: 'remote-iam',
          verdict: `The account store (${fetchedFrom}) took ${duration(ms)} to answer; the account was not in memory.`,
        },
  queue: (_, ms) =>
    ms < 5
      ? undefined
      : {
          cause: 'full-pool',
          verdict: `For ${duration(ms)} no thread of the I/O pool took it up: all were busy with other requests (--io-threads), or the processors were.`,
        },
  lock: ({ lockHolder }, ms) => ({
    cause: 'lock',
    verdict:
      lockHolder === undefined
        ? `Another process held the lock of this key for ${duration(ms)}.`
        : `The request of trace ${lockHolder} held the lock of this key.`,
  }),
  metadata: metadataRule,
  directory: directoryRule,
  data: dataRule,
  sync: syncRule,
  hash: ({ bytes }, ms) =>
    ms < 5
      ? undefined
      : {
          cause: 'hashing',
          verdict: `Computing the checksums${bytes === undefined ? '' : ` of ${size(bytes)}`} took most of the time.`,
        },
  other: otherRule,
}

/** What the loop was late it may have been late for the client's bytes too. */
function clientRule(evidence: Evidence, ms: number): Verdict | undefined {
  const { loopLagMs = 0, direction, bytes, totalMs } = evidence
  if (loopLagMs > ms / 2)
    return unknown(
      `The gateway waited for the client, but its process was so busy (${duration(loopLagMs)}) that the bytes may have been there.`,
    )
  const rate = bytes === undefined ? 0 : (bytes / totalMs) * 1000
  if (rate > FAST_CLIENT) return fastClient(evidence, rate)
  return {
    cause: 'slow-client',
    verdict:
      direction === 'out'
        ? 'The client, or the network to it, was slow to take the answer.'
        : 'The client, or the network from it, was slow to send the body.',
  }
}

/** Bytes a second that nobody calls slow: more than a network of 1 Gbit/s brings. */
const FAST_CLIENT = 125e6

function fastClient(
  { direction, sums, cachedPercent = 100, totalMs }: Evidence,
  rate: number,
): Verdict {
  const dataMs = sums.get('data') ?? 0
  if (direction === 'out' && cachedPercent < 50 && dataMs > totalMs / 10)
    return {
      cause: 'cold-cache',
      verdict: `The data was not in the page cache: reading it from the disk took ${duration(dataMs)}.`,
    }
  const verb = direction === 'out' ? 'took' : 'sent'
  return unknown(`The client ${verb} ${size(rate)}/s, which is not slow: it is much data.`)
}

function metadataRule({ slowestOperationMs }: Evidence): Verdict | undefined {
  if (slowestOperationMs < SLOW_OPERATION_MS) return undefined
  return {
    cause: 'slow-disk',
    verdict: `The disk is slow: an operation on a single name took ${duration(slowestOperationMs)}.`,
  }
}

const MANY_ENTRIES = 10_000

function directoryRule({ entries, directory }: Evidence): Verdict | undefined {
  if (entries < MANY_ENTRIES) return undefined
  const name = directory === undefined ? '' : ` ${directory}`
  return {
    cause: 'large-directory',
    verdict: `The directory${name} has ${grouped(entries)} entries, which all have to be read.`,
  }
}

/** What no disk of this century should take for data, bytes a second. */
const SLOW_DISK = 32 * 1024 ** 2
const SLOW_DISK_MS = 20

function dataRule(evidence: Evidence, ms: number): Verdict | undefined {
  const { bytes, cachedPercent, direction } = evidence
  const rate = bytes === undefined ? undefined : (bytes / ms) * 1000
  const isSlow = rate !== undefined && rate < SLOW_DISK && ms >= SLOW_DISK_MS
  const speed = rate === undefined ? '' : ` at ${size(rate)}/s`
  if (direction === 'out' && cachedPercent !== undefined && cachedPercent < 50) {
    if (isSlow)
      return {
        cause: 'slow-disk',
        verdict: `The data was not in memory, and the disk gave it${speed}.`,
      }
    return {
      cause: 'cold-cache',
      verdict: `The data was not in the page cache: it came from the disk${speed}.`,
    }
  }
  if (direction === 'out' && cachedPercent !== undefined)
    return unknown(`The data was in memory already; sending ${size(bytes ?? 0)} took the time.`)
  if (direction === 'copy' && !isSlow)
    return unknown(`Copying the data took most of the time${speed}.`)
  if (isSlow)
    return {
      cause: 'slow-disk',
      verdict: `The disk is slow: it ${direction === 'out' ? 'gave' : 'took'} the data${speed}.`,
    }
  return undefined
}

/** One fsync of a disk that does nothing else. */
const ORDINARY_SYNC_MS = 20

function syncRule({ slowestSyncMs, syncs }: Evidence, ms: number): Verdict | undefined {
  if (slowestSyncMs < ORDINARY_SYNC_MS) return undefined
  return {
    cause: 'slow-sync',
    verdict: `The disk took ${duration(ms)} for ${syncs > 1 ? `${syncs} syncs` : 'a sync'}: it is busy with other writes, or slow to make them durable.`,
  }
}

function otherRule({ loopLagMs = 0 }: Evidence, ms: number): Verdict | undefined {
  if (loopLagMs > ms / 2)
    return unknown(
      `The gateway's process was busy with other requests (its event loop was ${duration(loopLagMs)} late).`,
    )
  return undefined
}

const NAMES: Readonly<Record<Phase, string>> = {
  client: 'waiting for the client',
  auth: 'checking the signature',
  iam: 'looking up the account',
  queue: 'waiting for the I/O pool',
  lock: 'waiting for a lock',
  metadata: 'file names and attributes',
  directory: 'reading directories',
  data: 'moving data',
  sync: 'fsync',
  hash: 'hashing',
  other: 'the gateway’s own work',
}
