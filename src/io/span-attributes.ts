import type { Attributes, Span } from '../trace/recorder.ts'
import { FLAG, OP } from './arena.ts'
import type { AnyStep } from './chain-step.ts'

/** Of all steps of a span. */
export interface Totals {
  bytes: number
  ioNs: number
  hashNs: number
}

/**
 * The attributes of a span whose main step this is; contract 3.4. How long it took and how fast it was follows from its
 * times and its bytes (`nameRules`).
 *
 * Each kind has a literal of its own: an object that grows property by property costs several times as much.
 */
export function spanAttributes(main: AnyStep, totals: Totals): Attributes {
  const queueMs = main.queueNs / 1e6
  switch (main.op) {
    case OP.write:
      return {
        'posix.queue_ms': queueMs,
        'posix.bytes_written': totals.bytes,
        'posix.io_ms': totals.ioNs / 1e6,
        'posix.hash_ms': totals.hashNs / 1e6,
      }
    case OP.read:
    case OP.readWhole:
      return {
        'posix.queue_ms': queueMs,
        'posix.bytes_read': totals.bytes,
        'posix.range_start': main.op === OP.read ? main.a : 0,
      }
    case OP.readAttributes:
    case OP.writeAttributes:
      return { 'posix.queue_ms': queueMs, 'posix.meta_store': metaStore(main) }
    default:
      return { 'posix.queue_ms': queueMs }
  }
}

function metaStore({ fd2, flags }: AnyStep): 'xattr' | 'sidecar' | 'none' {
  if (fd2 !== undefined) return 'sidecar'
  return flags & FLAG.unstored ? 'none' : 'xattr'
}

/** What an operation's own span tells of it beside. */
export function setOwnAttributes(span: Span, step: AnyStep): void {
  switch (step.op) {
    case OP.openTmp:
      span.set('posix.size', step.a)
      span.set('posix.tmp_method', step.text === undefined ? 'o_tmpfile' : 'named')
      break
    case OP.link:
      if (typeof step.value === 'string') span.set('posix.link_method', step.value)
      break
    case OP.rename:
      span.set('posix.link_method', 'rename')
      break
    case OP.sync:
      span.set('posix.sync_target', step.flags === FLAG.directory ? 'dir' : 'file')
      break
    case OP.lock:
      // Only where somebody held it.
      if (step.ioNs > 0) span.set('posix.lock_wait_ms', step.ioNs / 1e6)
      break
    case OP.list:
      if (step.errno !== 0) break
      span.set('posix.entries', (step.value as { count: number }).count)
      span.set('posix.pages', step.detail?.pages ?? 0)
      break
    case OP.statBatch:
      span.setAll(batchAttributes(step))
      break
    case OP.removeTree:
    case OP.prune:
      if (step.errno === 0) span.set('posix.removed', step.value as number)
      break
    default:
  }
}

function batchAttributes(step: AnyStep): Attributes {
  let total = 0
  let longest = 0
  for (const ns of step.detail?.entryNs ?? []) {
    total += ns
    if (ns > longest) longest = ns
  }
  return { 'posix.count': step.b, 'posix.total_ms': total / 1e6, 'posix.max_ms': longest / 1e6 }
}
