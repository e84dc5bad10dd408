import type { Evidence } from './evidence.ts'
import type { Phase } from './explanation.ts'

/** What a phase's time went into, in this request. */
export function phaseText(phase: Phase, ms: number, evidence: Evidence): string {
  return TEXTS[phase](evidence, ms)
}

const TEXTS: Readonly<Record<Phase, (evidence: Evidence, ms: number) => string>> = {
  client: clientText,
  auth: () => 'checking the signature and what it allows',
  iam: ({ fetchedFrom }) =>
    fetchedFrom === undefined
      ? 'looking up the account'
      : `fetching the account from the account store (${fetchedFrom})`,
  queue: () => 'waiting for a thread of the I/O pool',
  lock: ({ lockHolder }, ms) => {
    if (lockHolder !== undefined) return `waiting for a lock that trace ${lockHolder} held`
    // Taking one that nobody holds takes time too.
    return ms < 1 ? 'taking locks' : 'waiting for a lock that another process held'
  },
  metadata: ({ fileOperations }) =>
    fileOperations === 0
      ? 'file names and attributes'
      : `file names and attributes (${fileOperations} operations)`,
  directory: ({ entries }) =>
    entries === 0 ? 'reading directories' : `reading a directory of ${grouped(entries)} entries`,
  data: dataText,
  sync: ({ syncs }) => (syncs > 1 ? `in ${syncs} calls of fsync` : 'fsync'),
  hash: ({ bytes }, ms) =>
    bytes === undefined ? 'hashing' : `hashing ${size(bytes)} (${binaryRate(bytes, ms)})`,
  other: () => 'everything else',
}

function clientText({ direction, bytes, bodyWaitMs, sums }: Evidence, ms: number): string {
  const sending = bodyWaitMs > ms / 2
  const what = sending
    ? 'waiting for the client to send the body'
    : 'waiting for the client to take the answer'
  // While it came, or went: hashing and writing are done meanwhile. Who hardly ever waited does not know how fast it was.
  const during = sum(ms, sums.get('data'), sums.get('hash'))
  if (bytes === undefined || sending !== (direction === 'in') || ms < during / 2) return what
  return `${what} (${decimalRate(bytes, during)})`
}

function dataText(
  { direction, bytes, cachedPercent, diskReadBytes }: Evidence,
  ms: number,
): string {
  const what = bytes === undefined ? 'data' : size(bytes)
  const speed = bytes === undefined ? '' : ` (${binaryRate(bytes, ms)})`
  if (direction === 'copy') return `copying ${what} between files${speed}`
  if (direction === 'in') return `writing ${what} to disk${speed}`
  if (cachedPercent === undefined)
    return `reading ${what}${bytes !== undefined && diskReadBytes >= bytes ? ' from disk' : ''}${speed}`
  if (cachedPercent >= 95) return `sending ${what} from the page cache${speed}`
  if (cachedPercent <= 5) return `reading ${what} from disk${speed}`
  return `reading ${what}, of which ${cachedPercent} % were in the page cache${speed}`
}

/** Of a phase, where it is one of several. */
export const PHASE_NAMES: Readonly<Record<Phase, string>> = {
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

/** To three digits or so: `412 ms`, `3.1 ms`, `85 µs`, `12.4 s`. */
export function duration(ms: number): string {
  if (ms >= 9999.5) return `${(ms / 1000).toFixed(1)} s`
  if (ms >= 9.95) return `${Math.round(ms)} ms`
  if (ms >= 0.9995) return `${ms.toFixed(1).replace('.0', '')} ms`
  return `${Math.round(ms * 1000)} µs`
}

const BINARY = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']

export function size(bytes: number): string {
  if (bytes === 1) return '1 byte'
  let unit = 0
  let number = bytes
  while (number >= 1024 && unit < BINARY.length - 1) {
    number /= 1024
    unit++
  }
  const digits = unit === 0 || number >= 9.95 ? 0 : 1
  return `${number.toFixed(digits).replace('.0', '')} ${BINARY[unit] ?? ''}`
}

export function binaryRate(bytes: number, ms: number): string {
  return `${size((bytes / Math.max(ms, 1e-6)) * 1000)}/s`
}

/** Networks count in powers of ten. */
function decimalRate(bytes: number, ms: number): string {
  const perSecond = (bytes / Math.max(ms, 1e-6)) * 1000
  if (perSecond >= 1e6) return `${short(perSecond / 1e6)} MB/s`
  return `${short(perSecond / 1e3)} kB/s`
}

function short(number: number): string {
  return number >= 9.95 ? String(Math.round(number)) : number.toFixed(1)
}

export function grouped(number: number): string {
  return String(number).replaceAll(/(?<=\d)(?=(?:\d{3})+$)/g, ',')
}

function sum(...all: (number | undefined)[]): number {
  return all.reduce<number>((total, one) => total + (one ?? 0), 0)
}
