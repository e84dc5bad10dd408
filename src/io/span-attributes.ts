import { attributeKeys } from '../trace/attribute-keys.ts'
import type { Attributes, Span } from '../trace/recorder.ts'
import { FLAG, OP } from './arena.ts'
import type { AnyStep } from './chain-step.ts'

/** Of all steps of a span. */
export interface Totals {
  bytes: number
  ioNs: number
  hashNs: number
}

/** Texts stand before numbers: an array that begins with a double has to be made anew when a text comes. */
const QUEUE = attributeKeys('posix.queue_ms')
const WRITE = attributeKeys('posix.queue_ms', 'posix.bytes_written', 'posix.io_ms', 'posix.hash_ms')
const READ = attributeKeys('posix.queue_ms', 'posix.bytes_read', 'posix.range_start')
const METADATA = attributeKeys('posix.meta_store', 'posix.queue_ms')
const OPEN_TMP = attributeKeys('posix.tmp_method', 'posix.queue_ms', 'posix.size')
const LINK = attributeKeys('posix.link_method', 'posix.queue_ms')
const SYNC = attributeKeys('posix.sync_target', 'posix.queue_ms')

/**
 * The attributes of a span whose main step this is; contract 3.4. How long it took and how fast it was follows from its
 * times and its bytes (`nameRules`).
 */
export function describeStep(span: Span, main: AnyStep, totals: Totals): void {
  const queueMs = main.queueNs / 1e6
  switch (main.op) {
    case OP.write:
      return span.describe(WRITE, [queueMs, totals.bytes, totals.ioNs / 1e6, totals.hashNs / 1e6])
    case OP.read:
    case OP.readWhole:
      return span.describe(READ, [queueMs, totals.bytes, main.op === OP.read ? main.a : 0])
    case OP.readAttributes:
    case OP.writeAttributes:
      return span.describe(METADATA, [metaStore(main), queueMs])
    case OP.openTmp:
      return span.describe(OPEN_TMP, [
        main.text === undefined ? 'o_tmpfile' : 'named',
        queueMs,
        main.a,
      ])
    case OP.link:
      if (typeof main.value !== 'string') break
      return span.describe(LINK, [main.value, queueMs])
    case OP.rename:
      return span.describe(LINK, ['rename', queueMs])
    case OP.sync:
      return span.describe(SYNC, [main.flags === FLAG.directory ? 'dir' : 'file', queueMs])
    default:
  }
  span.describe(QUEUE, [queueMs])
  setRareAttributes(span, main)
}

function metaStore({ fd2, flags }: AnyStep): 'xattr' | 'sidecar' | 'none' {
  if (fd2 !== undefined) return 'sidecar'
  return flags & FLAG.unstored ? 'none' : 'xattr'
}

function setRareAttributes(span: Span, step: AnyStep): void {
  switch (step.op) {
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
