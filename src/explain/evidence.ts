import type { Phase } from './explanation.ts'
import type { Division, PhaseSums } from './divide.ts'
import { numberOf, textOf, type ExplainedSpan } from './spans.ts'

/** A mounted file system. */
export interface Place {
  /** `ext4`, `xfs`, `nfs4`, `fuse.sshfs` … */
  readonly type: string
  /** The device, or what else is mounted: `/dev/sda1`, `server:/export`. */
  readonly source: string
}

/** What the trace knows beside where the time went. */
export interface Evidence {
  readonly totalMs: number
  readonly sums: PhaseSums
  /** Object bytes that came in, went out or were copied; undefined where the trace does not say. */
  readonly bytes: number | undefined
  readonly direction: 'in' | 'out' | 'copy'
  /** Of the time of `client`: for the request's body; the rest for the answer. */
  readonly bodyWaitMs: number
  /** Where the data lies. */
  readonly place: Place | undefined
  /** How much of what was read was in memory before, 0 to 100; undefined where the kernel did not say. */
  readonly cachedPercent: number | undefined
  readonly syncs: number
  readonly slowestSyncMs: number
  /** Of the largest directory that was read. */
  readonly entries: number
  readonly directory: string | undefined
  /** `ldap`, `vault`, `users.json`, …: of an account that had to be fetched. */
  readonly fetchedFrom: string | undefined
  /** The account store did not answer, or with an error. */
  readonly fetchFailed: boolean
  /** Who held the lock that was waited for, where that was a request of this process. */
  readonly lockHolder: string | undefined
  /** Calls to the file system beside data and syncs, and the longest of them. */
  readonly fileOperations: number
  readonly slowestOperationMs: number
  /** Of those the longest that removed nothing: what is removed may be large. */
  readonly slowestLookMs: number
  /** Entries whose files were looked at one by one, as a listing does with those on its page. */
  readonly lookedAt: number
  /** Read from disks by file operations that took long; their readahead, and what file systems keep there, included. */
  readonly diskReadBytes: number
  /** Of slow file operations: time in which they waited for nothing but a processor, or computed. */
  readonly awakeMs: number
  /** Whether a thread of the I/O pool was free when the longest wait for one began; undefined where nobody looked. */
  readonly poolFull: boolean | undefined
  /** How long the event loop of the process was late meanwhile; 0 where nobody looked. */
  readonly loopLagMs: number
  /** Of that: while the process got no processor, or was stopped. */
  readonly starvedMs: number
}

export function gather(
  spans: readonly ExplainedSpan[],
  { sums, bodyWaitMs }: Division,
  place: Place | undefined,
): Evidence {
  const [root] = spans
  const syncs = spans.filter(({ name }) => name === 'Posix.IO.Sync')
  const listed = spans.filter(({ name }) => name === 'Posix.IO.ListDir')
  const largest = maxBy(listed, (span) => numberOf(span, 'posix.entries'))
  const sent = spans.filter(({ attributes }) => attributes['posix.cached_percent'] !== undefined)
  const fetched = spans.find(
    ({ name, attributes }) => name.startsWith('IAM.') && attributes['iam.cache_hit'] === false,
  )
  const operations = spans.filter(isOperation)
  const bytes = root?.attributes['s3.content_length']
  return {
    totalMs: (root?.durationUs ?? 0) / 1e3,
    sums,
    bytes: typeof bytes === 'number' ? bytes : movedBytes(spans),
    direction: directionOf(root?.name ?? ''),
    bodyWaitMs,
    place,
    cachedPercent: sent.length === 0 ? undefined : lowest(sent, 'posix.cached_percent'),
    syncs: syncs.length,
    slowestSyncMs: longestMs(syncs),
    entries: largest === undefined ? 0 : numberOf(largest, 'posix.entries'),
    directory: largest === undefined ? undefined : textOf(largest, 'posix.dir'),
    fetchedFrom: fetched && storeName(textOf(fetched, 'iam.backend')),
    fetchFailed: fetched?.attributes['error.type'] !== undefined,
    lockHolder: spans
      .map((span) => textOf(span, 'posix.lock_holder'))
      .find((holder) => holder !== undefined),
    fileOperations: operations.length,
    slowestOperationMs: slowestOwnMs(spans),
    slowestLookMs: slowestOwnMs(spans, (span) => isOperation(span) && !isRemoval(span)),
    lookedAt: spans
      .filter(({ name }) => name === 'Posix.IO.StatBatch')
      .reduce((sum, span) => sum + numberOf(span, 'posix.count'), 0),
    diskReadBytes: total(spans, 'posix.disk_read_bytes'),
    awakeMs: total(spans, 'posix.awake_ms'),
    poolFull: poolFull(spans),
    loopLagMs: root === undefined ? 0 : numberOf(root, 'vgw.loop_lag_ms'),
    starvedMs: root === undefined ? 0 : numberOf(root, 'vgw.loop_starved_ms'),
  }
}

function poolFull(spans: readonly ExplainedSpan[]): boolean | undefined {
  const told = spans.filter(({ attributes }) => attributes['posix.pool_full'] !== undefined)
  const longest = maxBy(told, (span) => numberOf(span, 'posix.queue_ms'))
  return longest && longest.attributes['posix.pool_full'] === true
}

function total(spans: readonly ExplainedSpan[], key: string): number {
  return spans.reduce((sum, span) => sum + numberOf(span, key), 0)
}

/** Accounts of `--iam-dir` are in a file. */
function storeName(backend = 'unnamed'): string {
  return backend === 'internal' ? 'users.json' : backend
}

function isOperation({ name, phase }: ExplainedSpan): boolean {
  return name.startsWith('Posix.IO.') && OPERATIONS.has(phase)
}

function isRemoval({ name }: ExplainedSpan): boolean {
  return name === 'Posix.IO.RemoveFile'
}

/** The longest of those that `counts`. Syncs that an operation made on its way are spans below it, and no part of it. */
function slowestOwnMs(
  spans: readonly ExplainedSpan[],
  counts: (span: ExplainedSpan) => boolean = isOperation,
): number {
  const below = spans.map(() => 0)
  for (const { parent, durationUs, name } of spans)
    if (parent >= 0 && name.startsWith('Posix.IO.'))
      below[parent] = (below[parent] ?? 0) + durationUs
  return spans.reduce(
    (longest, span, index) =>
      counts(span) ? Math.max(longest, oneMs(span, below[index] ?? 0)) : longest,
    0,
  )
}

/** A span may stand for many operations of a kind; then it says how long the longest took, or how many they were. */
function oneMs(span: ExplainedSpan, belowUs: number): number {
  if (span.attributes['posix.count'] !== undefined) return numberOf(span, 'posix.max_ms')
  return (span.durationUs - belowUs) / 1e3 / Math.max(1, numberOf(span, 'posix.removed'))
}

const OPERATIONS: ReadonlySet<Phase> = new Set(['metadata', 'directory'])

/** Where the operation does not tell, as for an answer that broke off. */
function movedBytes(spans: readonly ExplainedSpan[]): number | undefined {
  const moved = spans.reduce(
    (sum, span) => sum + MOVED.reduce((own, key) => own + numberOf(span, key), 0),
    0,
  )
  return moved === 0 ? undefined : moved
}

const MOVED = ['posix.bytes_read', 'posix.bytes_written', 'posix.total_size']

function directionOf(root: string): Evidence['direction'] {
  if (root.includes('Copy') || root.includes('Complete')) return 'copy'
  return /\.(?:Put|Post|Upload)/.test(root) ? 'in' : 'out'
}

function longestMs(spans: readonly ExplainedSpan[]): number {
  return spans.reduce((longest, { durationUs }) => Math.max(longest, durationUs), 0) / 1e3
}

function lowest(spans: readonly ExplainedSpan[], key: string): number {
  return Math.min(...spans.map((span) => numberOf(span, key)))
}

function maxBy(
  spans: readonly ExplainedSpan[],
  measure: (span: ExplainedSpan) => number,
): ExplainedSpan | undefined {
  let best: ExplainedSpan | undefined
  for (const span of spans) if (best === undefined || measure(span) > measure(best)) best = span
  return best
}
