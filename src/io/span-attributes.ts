import type { Attributes } from '../trace/recorder.ts'
import { FLAG, OP } from './arena.ts'
import type { AnyStep } from './chain-step.ts'

/** Of all steps of a span. */
export interface Totals {
  bytes: number
  ioNs: number
  hashNs: number
}

/**
 * The attributes of a span whose main step this is; contract 3.4. How fast it was follows from its bytes and its times
 * (`nameRules`).
 *
 * Each kind has a literal of its own: an object that grows property by property costs several times as much.
 */
export function spanAttributes(main: AnyStep, durationNs: number, totals: Totals): Attributes {
  const ms = durationNs / 1e6
  const queueMs = main.queueNs / 1e6
  switch (main.op) {
    case OP.write:
      return {
        'posix.duration_ms': ms,
        'posix.queue_ms': queueMs,
        'posix.bytes_written': totals.bytes,
        'posix.io_ms': totals.ioNs / 1e6,
        'posix.hash_ms': totals.hashNs / 1e6,
      }
    case OP.read:
    case OP.readWhole:
      return {
        'posix.duration_ms': ms,
        'posix.queue_ms': queueMs,
        'posix.bytes_read': totals.bytes,
        'posix.range_start': main.op === OP.read ? main.a : 0,
      }
    case OP.readAttributes:
    case OP.writeAttributes:
      return { 'posix.duration_ms': ms, 'posix.queue_ms': queueMs, 'posix.meta_store': 'xattr' }
    default: {
      const own = ownAttributes(main)
      const times = { 'posix.duration_ms': ms, 'posix.queue_ms': queueMs }
      return own === undefined ? times : { ...times, ...own }
    }
  }
}

/** What an operation's own span tells of it. */
function ownAttributes(step: AnyStep): Attributes | undefined {
  switch (step.op) {
    case OP.openTmp: {
      const method = step.text === undefined ? 'o_tmpfile' : 'named'
      return { 'posix.size': step.a, 'posix.tmp_method': method }
    }
    case OP.link:
      return typeof step.value === 'string' ? { 'posix.link_method': step.value } : undefined
    case OP.rename:
      return { 'posix.link_method': 'rename' }
    case OP.sync:
      return { 'posix.sync_target': step.flags === FLAG.directory ? 'dir' : 'file' }
    case OP.list: {
      if (step.errno !== 0) return undefined
      const { count } = step.value as { count: number }
      return { 'posix.entries': count, 'posix.pages': step.detail?.pages ?? 0 }
    }
    case OP.statBatch:
      return batchAttributes(step)
    case OP.removeTree:
    case OP.prune:
      return step.errno === 0 ? { 'posix.removed': step.value as number } : undefined
    default:
      return undefined
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
