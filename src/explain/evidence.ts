import type { Phase } from './explanation.ts'
import type { PhaseSums } from './divide.ts'
import { numberOf, textOf, type ExplainedSpan } from './spans.ts'

/** What the trace knows beside where the time went. */
export interface Evidence {
  readonly totalMs: number
  readonly sums: PhaseSums
  /** Object bytes that came in, went out or were copied; undefined where the trace does not say. */
  readonly bytes: number | undefined
  readonly direction: 'in' | 'out' | 'copy'
  /** How much of what was read was in memory before, 0 to 100; undefined where the kernel did not say. */
  readonly cachedPercent: number | undefined
  readonly syncs: number
  readonly slowestSyncMs: number
  /** Of the largest directory that was read. */
  readonly entries: number
  readonly directory: string | undefined
  /** `ldap`, `vault`, …: of an account that had to be fetched. */
  readonly fetchedFrom: string | undefined
  /** Who held the lock that was waited for, where that was a request of this process. */
  readonly lockHolder: string | undefined
  /** Calls to the file system beside data and syncs, and the longest of them. */
  readonly fileOperations: number
  readonly slowestOperationMs: number
  /** How long the event loop of the process was late meanwhile; undefined where nobody looked. */
  readonly loopLagMs: number | undefined
}

export function gather(spans: readonly ExplainedSpan[], sums: PhaseSums): Evidence {
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
  const lag = root?.attributes['vgw.loop_lag_ms']
  return {
    totalMs: (root?.durationUs ?? 0) / 1e3,
    sums,
    bytes: typeof bytes === 'number' ? bytes : movedBytes(spans),
    direction: directionOf(root?.name ?? ''),
    cachedPercent: sent.length === 0 ? undefined : lowest(sent, 'posix.cached_percent'),
    syncs: syncs.length,
    slowestSyncMs: longestMs(syncs),
    entries: largest === undefined ? 0 : numberOf(largest, 'posix.entries'),
    directory: largest === undefined ? undefined : textOf(largest, 'posix.dir'),
    fetchedFrom: fetched === undefined ? undefined : (textOf(fetched, 'iam.backend') ?? 'store'),
    lockHolder: spans
      .map((span) => textOf(span, 'posix.lock_holder'))
      .find((holder) => holder !== undefined),
    fileOperations: operations.length,
    slowestOperationMs: slowestOwnMs(spans),
    loopLagMs: typeof lag === 'number' ? lag : undefined,
  }
}

function isOperation({ name, phase }: ExplainedSpan): boolean {
  return name.startsWith('Posix.IO.') && OPERATIONS.has(phase)
}

/** Syncs that an operation made on its way are spans below it, and no part of it. */
function slowestOwnMs(spans: readonly ExplainedSpan[]): number {
  const below = spans.map(() => 0)
  for (const { parent, durationUs } of spans)
    if (parent >= 0) below[parent] = (below[parent] ?? 0) + durationUs
  return spans.reduce(
    (longest, span, index) =>
      isOperation(span)
        ? Math.max(longest, (span.durationUs - (below[index] ?? 0)) / 1e3)
        : longest,
    0,
  )
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
