import type { Evidence, Place } from './evidence.ts'
import type { Phase } from './explanation.ts'
import { unknown, type Verdict } from './verdict.ts'
import { binaryRate, duration, grouped, size } from './words.ts'

/** File operations that only look up a name take microseconds, or a disk's access time when they have to read. */
const SLOW_OPERATION_MS = 15
/** Of ordinary operations, if there are many of them. */
const LONG_MS = 100
const STORAGE: readonly Phase[] = ['metadata', 'directory', 'data', 'sync']

/** Causes that show in several phases at once: nothing was in memory, or the disk is slow, whatever it is asked. */
export function storageRule(evidence: Evidence): Verdict | undefined {
  const { totalMs, sums, slowestOperationMs, entries, starvedMs, awakeMs } = evidence
  if (entries >= MANY_ENTRIES) return undefined
  const storage = sumOf(evidence, STORAGE)
  if (storage - starvedMs - awakeMs < totalMs * 0.6) return undefined
  const cold = coldRule(evidence)
  if (cold !== undefined) return cold
  const metadataMs = sums.get('metadata') ?? 0
  if (slowestOperationMs < SLOW_OPERATION_MS || metadataMs < totalMs * 0.25) return undefined
  // Who waits for fsync keeps others from the journal, which is why names wait too.
  if (metadataMs < Math.max(sums.get('sync') ?? 0, sums.get('data') ?? 0)) return undefined
  return slowName(evidence)
}

function sumOf({ sums }: Evidence, phases: readonly Phase[]): number {
  return phases.reduce((sum, phase) => sum + (sums.get(phase) ?? 0), 0)
}

/** The least that is read from a disk at once. */
const BLOCK_BYTES = 4096
/** One access to a disk that turns and has some other work. */
const SLOW_ACCESS_MS = 30

/** Of names, attributes and small objects, which the kernel keeps in memory as long as there is room. */
function coldRule(evidence: Evidence): Verdict | undefined {
  const { totalMs, diskReadBytes, cachedPercent, direction } = evidence
  if (diskReadBytes === 0 || cachedPercent !== undefined) return undefined
  const reads = direction === 'out' ? READING : NAMES
  const ms = sumOf(evidence, reads)
  if (ms < totalMs * 0.4) return undefined
  if (ms / Math.ceil(diskReadBytes / BLOCK_BYTES) > SLOW_ACCESS_MS)
    return slowDisk(evidence.place, `reading ${size(diskReadBytes)} took ${duration(ms)}`)
  const what =
    (evidence.sums.get('data') ?? 0) > ms / 2 ? 'The data was' : 'Names and attributes were'
  return {
    cause: 'cold-cache',
    verdict: `${what} not in memory: ${size(diskReadBytes)} had to be read from the disk, which took ${duration(ms)}.`,
  }
}

const NAMES: readonly Phase[] = ['metadata', 'directory']
const READING: readonly Phase[] = [...NAMES, 'data']

export function metadataRule(evidence: Evidence, ms: number): Verdict | undefined {
  const { slowestOperationMs, awakeMs } = evidence
  if (slowestOperationMs < SLOW_OPERATION_MS) return undefined
  if (awakeMs > ms / 2)
    return unknown(
      `File operations took ${duration(ms)}, but did not wait for the disk: the processors were busy.`,
    )
  return coldRule(evidence) ?? slowName(evidence)
}

function slowName(evidence: Evidence): Verdict {
  const { place, slowestOperationMs, slowestLookMs, slowestSyncMs } = evidence
  if (slowestLookMs < SLOW_OPERATION_MS && !isElsewhere(place))
    return unknown(
      `Removing a file took ${duration(slowestOperationMs)}: it was a large one, or the disk is slow.`,
    )
  const sync = slowestSyncMs < ORDINARY_SYNC_MS ? '' : `, an fsync ${duration(slowestSyncMs)}`
  return slowDisk(
    place,
    `an operation on a single name took ${duration(slowestOperationMs)}${sync}`,
  )
}

function slowDisk(place: Place | undefined, why: string): Verdict {
  return { cause: 'slow-disk', verdict: `${nameOf(place)} is slow: ${why}.` }
}

/** File systems that have no disk of this machine below them, or nobody knows what. */
const ELSEWHERE = /^(?:fuse|nfs|cifs|smb|ceph|gluster|lustre|9p|virtiofs|afs|beegfs)/

function isElsewhere(place: Place | undefined): boolean {
  return place !== undefined && ELSEWHERE.test(place.type)
}

function nameOf(place: Place | undefined): string {
  return place !== undefined && isElsewhere(place)
    ? `The file system (${place.type}), or what is behind it,`
    : 'The disk'
}

const MANY_ENTRIES = 10_000
/** A directory that is read from a disk takes a tenth of that an entry. */
const SLOW_ENTRY_MS = 0.1
/** Looking at one file; a page of a listing looks at those on it. */
const SLOW_LOOK_MS = 5

const COLD_DIRECTORY_BYTES = 1024 ** 2

export function directoryRule(evidence: Evidence, ms: number): Verdict | undefined {
  const { entries, directory, lookedAt, place, diskReadBytes, awakeMs } = evidence
  if (entries >= MANY_ENTRIES && ms / entries < SLOW_ENTRY_MS) {
    const name = directory === undefined ? '' : ` ${directory}`
    const beside =
      diskReadBytes < COLD_DIRECTORY_BYTES
        ? ''
        : ` They were not in memory: ${size(diskReadBytes)} came from the disk.`
    return {
      cause: 'large-directory',
      verdict: `The directory${name} has ${grouped(entries)} entries, which all have to be read.${beside}`,
    }
  }
  if (ms < SLOW_OPERATION_MS || awakeMs > ms / 2) return undefined
  const cold = coldRule(evidence)
  if (cold !== undefined) return cold
  const of = entries >= lookedAt ? `a directory of ${counted(entries, 'entry', 'entries')}` : ''
  const and = lookedAt === 0 ? '' : `looking at ${counted(lookedAt, 'file', 'files')}`
  if (ms / Math.max(lookedAt, entries, 1) < SLOW_LOOK_MS) return undefined
  return slowDisk(
    place,
    `reading ${[of, and].filter((part) => part !== '').join(' and ')} took ${duration(ms)}`,
  )
}

function counted(count: number, one: string, many: string): string {
  return `${grouped(count)} ${count === 1 ? one : many}`
}

/** What no disk of this century should take for data, bytes a second. */
const SLOW_DISK = 32 * 1024 ** 2
const SLOW_DISK_MS = 20
/** Of fewer bytes the time is told and not the speed. */
const FEW_BYTES = 256 * 1024

export function dataRule(evidence: Evidence, ms: number): Verdict | undefined {
  const { bytes, cachedPercent, direction, place } = evidence
  const isSlow = bytes !== undefined && (bytes / ms) * 1000 < SLOW_DISK && ms >= SLOW_DISK_MS
  const speed = bytes === undefined ? '' : ` at ${binaryRate(bytes, ms)}`
  if (direction === 'out' && cachedPercent !== undefined && cachedPercent < 50) {
    if (isSlow)
      return {
        cause: 'slow-disk',
        verdict: `The data was not in memory, and ${lower(nameOf(place))} gave it${speed}.`,
      }
    return {
      cause: 'cold-cache',
      verdict: `The data was not in the page cache: it came from the disk${speed}.`,
    }
  }
  if (direction === 'out' && cachedPercent !== undefined)
    return unknown(`The data was in memory already; sending ${size(bytes ?? 0)} took the time.`)
  const cold = direction === 'out' ? coldRule(evidence) : undefined
  if (cold !== undefined) return cold
  if (direction === 'copy' && !isSlow)
    return unknown(`Copying the data took most of the time${speed}.`)
  if (!isSlow) return ofMedium(evidence, ms)
  if (bytes < FEW_BYTES) {
    const verb = { in: 'writing', out: 'reading', copy: 'copying' }[direction]
    return slowDisk(place, `${verb} ${size(bytes)} took ${duration(ms)}`)
  }
  const verb = { in: 'took', out: 'gave', copy: 'copied' }[direction]
  return slowDisk(place, `it ${verb} the data${speed}`)
}

/** Memory, which is where writes go first, takes several times that, bytes a second. */
const SLOW_MEMORY = 128 * 1024 ** 2

/** Neither as slow as a slow disk nor as fast as memory. */
function ofMedium({ bytes, direction }: Evidence, ms: number): Verdict | undefined {
  if (bytes === undefined || ms < LONG_MS || (bytes / ms) * 1000 > SLOW_MEMORY) return undefined
  const verb = direction === 'in' ? 'Writing' : 'Reading'
  return unknown(
    `${verb} ${size(bytes)} took ${duration(ms)}, at ${binaryRate(bytes, ms)}: that may be all the disk can do, or it was busy.`,
  )
}

function lower(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1)
}

/** One fsync of a disk that does nothing else. */
const ORDINARY_SYNC_MS = 20

export function syncRule({ slowestSyncMs, syncs }: Evidence, ms: number): Verdict | undefined {
  if (slowestSyncMs < ORDINARY_SYNC_MS) {
    if (ms < LONG_MS) return undefined
    return {
      cause: 'slow-sync',
      verdict: `The disk took ${duration(ms)} for ${syncs} syncs, the longest ${duration(slowestSyncMs)}: there were many of them.`,
    }
  }
  return {
    cause: 'slow-sync',
    verdict: `The disk took ${duration(ms)} for ${syncs > 1 ? `${syncs} syncs` : 'a sync'}: it is busy with other writes, or slow to make them durable.`,
  }
}
