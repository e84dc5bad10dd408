import type { Phase } from './explanation.ts'
import { numberOf, type ExplainedSpan } from './spans.ts'

/** Milliseconds by phase. They add up to the root's duration. */
export type PhaseSums = ReadonlyMap<Phase, number>

export interface Division {
  readonly sums: PhaseSums
  /** What of the time of `client` was spent on the request's body; the rest on the answer. */
  readonly bodyWaitMs: number
}

/** A stretch of time in which a span was at work itself, none of its children. */
interface Stretch {
  readonly span: ExplainedSpan
  readonly ms: number
  /** The children before and after it. */
  readonly before: ExplainedSpan | undefined
  readonly after: ExplainedSpan | undefined
}

/**
 * Divides a request's time among the phases: each moment belongs to the innermost span of that moment (of two side by side
 * to the one that began first), and what a span's own time went into its attributes tell.
 */
export function divide(spans: readonly ExplainedSpan[]): Division {
  const [root] = spans
  if (root === undefined) return { sums: new Map(), bodyWaitMs: 0 }
  const sums = new Sums()
  const stretches = ownStretches(spans)
  const lists = root.name.includes('List')
  // What the reader of the body waited for bytes. Part of it the I/O pool was busy with the piece before.
  const sending = spans.reduce((ms, span) => ms + sendWaitMs(span), 0)
  const waitMs = Math.max(0, numberOf(root, 'vgw.client_wait_ms') - sending)
  const wait = { left: waitMs }
  for (const stretch of stretches) {
    const { span } = stretch
    if (isBodyWriter(span)) writerStretch(stretch, sums, wait)
    else if (span.phase === 'data') dataStretch(stretch, sums)
    else if (span.phase === 'lock') lockStretch(stretch, sums)
    else if (span.phase === 'other') idleStretch(stretch, sums, { wait, lists })
    else sums.add(span.phase, stretch.ms)
  }
  return { sums: sums.rounded(), bodyWaitMs: waitMs - wait.left }
}

/** What the answer's bytes waited for the client, of which the root's sum has its part. */
function sendWaitMs(span: ExplainedSpan): number {
  return isBodyWriter(span) ? 0 : numberOf(span, 'posix.client_wait_ms')
}

class Sums {
  readonly #ms = new Map<Phase, number>()

  /** Takes at most `limit`; what is left of `ms`. */
  take(phase: Phase, ms: number, limit: number): number {
    const taken = Math.max(0, Math.min(ms, limit))
    this.add(phase, taken)
    return ms - taken
  }

  add(phase: Phase, ms: number): void {
    if (ms > 0) this.#ms.set(phase, (this.#ms.get(phase) ?? 0) + ms)
  }

  /** To the nanosecond. */
  rounded(): PhaseSums {
    return new Map([...this.#ms].map(([phase, ms]) => [phase, Math.round(ms * 1e6) / 1e6]))
  }
}

/** The span of a body that is written as it comes, piece by piece. */
function isBodyWriter({ name, attributes }: ExplainedSpan): boolean {
  return name === 'Posix.IO.WriteData' && attributes['posix.later_queue_ms'] !== undefined
}

/** Between two pieces nothing was there to write: that is the client's doing as far as we were waiting for him meanwhile. */
function writerStretch({ span, ms }: Stretch, sums: Sums, wait: { left: number }): void {
  let rest = sums.take('hash', ms, numberOf(span, 'posix.hash_ms'))
  rest = sums.take('data', rest, numberOf(span, 'posix.io_ms'))
  rest = sums.take('queue', rest, numberOf(span, 'posix.later_queue_ms'))
  const idle = Math.min(numberOf(span, 'posix.client_wait_ms'), wait.left)
  const left = sums.take('client', rest, idle)
  wait.left -= rest - left
  sums.add('other', left)
}

function dataStretch({ span, ms }: Stretch, sums: Sums): void {
  let rest = sums.take('client', ms, numberOf(span, 'posix.client_wait_ms'))
  rest = sums.take('hash', rest, numberOf(span, 'posix.hash_ms'))
  if (span.name === 'Posix.IO.SendFile') {
    // Between two bursts it stands in line again.
    rest = sums.take('data', rest, numberOf(span, 'posix.io_ms'))
    sums.add('queue', rest)
  } else if (span.attributes['posix.later_queue_ms'] !== undefined) {
    // Read piece by piece for the event loop to send, as TLS needs it.
    rest = sums.take('data', rest, numberOf(span, 'posix.io_ms'))
    rest = sums.take('queue', rest, numberOf(span, 'posix.later_queue_ms'))
    sums.add('other', rest)
  } else {
    sums.add('data', rest)
  }
}

/** Taking a lock that nobody holds is a file operation as any other. */
function lockStretch({ span, ms }: Stretch, sums: Sums): void {
  const waitMs =
    span.attributes['posix.lock_holder'] === undefined ? numberOf(span, 'posix.lock_wait_ms') : ms
  sums.add('metadata', sums.take('lock', ms, waitMs))
}

/** Time of the root or the backend span itself: between their children, who may have waited for a thread before they began. */
function idleStretch(
  { span, ms, before, after }: Stretch,
  sums: Sums,
  { wait, lists }: { readonly wait: { left: number }; readonly lists: boolean },
): void {
  // Within a job one step follows upon the other: one that has no span of its own is a small file operation too.
  if (isOneJob(before, after)) {
    sums.add('metadata', ms)
    return
  }
  const queued = after === undefined ? 0 : numberOf(after, 'posix.queue_ms')
  let rest = sums.take('queue', ms, queued)
  if (wait.left > 0 && mayAwaitBody(span, before, after)) {
    const left = sums.take('client', rest, wait.left)
    wait.left -= rest - left
    rest = left
  }
  // Names are sorted and matched between reading them and looking at their files.
  sums.add(lists && before?.phase === 'directory' ? 'directory' : 'other', rest)
}

/** Steps of one job of the I/O pool have one time in the queue, to the nanosecond. */
function isOneJob(before: ExplainedSpan | undefined, after: ExplainedSpan | undefined): boolean {
  const queued = before?.attributes['posix.queue_ms']
  return typeof queued === 'number' && queued > 0 && queued === after?.attributes['posix.queue_ms']
}

/** A body is read before its first piece is written, or whole before anything is done with it. */
function mayAwaitBody(
  span: ExplainedSpan,
  before: ExplainedSpan | undefined,
  after: ExplainedSpan | undefined,
): boolean {
  // Nobody's body is read before it is known who he is, but a form says it itself.
  if (span.parent < 0 && before === undefined) return span.name === 'S3.PostObject'
  return before?.phase !== 'data' && before?.name !== 'Posix.IO.LinkFile' && after?.phase !== 'sync'
}

function ownStretches(spans: readonly ExplainedSpan[]): Stretch[] {
  const children = childrenOf(spans)
  const stretches: Stretch[] = []
  const [root] = spans
  // Spans and the part of them that is theirs: a sibling that began earlier may have taken the beginning.
  const open = root === undefined ? [] : [{ index: 0, from: root.startUs, to: endOf(root) }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const span = spans[next.index]
    if (span === undefined) continue
    let at = next.from
    let before: ExplainedSpan | undefined
    const own = (to: number, after: ExplainedSpan | undefined): void => {
      if (to > at) stretches.push({ span, ms: (to - at) / 1e3, before, after })
    }
    for (const index of children[next.index] ?? []) {
      const child = spans[index]
      if (child === undefined) continue
      const from = Math.max(at, Math.min(child.startUs, next.to))
      const to = Math.min(endOf(child), next.to)
      own(from, child)
      at = from
      before = child
      if (to <= at) continue
      open.push({ index, from, to })
      at = to
    }
    own(next.to, undefined)
  }
  return stretches.sort((a, b) => a.span.startUs - b.span.startUs)
}

/**
 * System calls are left out: their operation's span accounts for them, and what stands between the calls of a transfer too.
 * So the words are the same at every depth.
 */
function childrenOf(spans: readonly ExplainedSpan[]): number[][] {
  const children: number[][] = spans.map(() => [])
  for (const [index, { parent, name }] of spans.entries())
    if (!name.startsWith('Posix.Syscall.')) children[parent]?.push(index)
  return children
}

function endOf({ startUs, durationUs }: ExplainedSpan): number {
  return startUs + durationUs
}
