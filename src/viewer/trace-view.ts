import type { Place } from '../explain/evidence.ts'
import { explain } from '../explain/explain.ts'
import { phaseOf } from '../explain/phase-of.ts'
import type { StoredSpan } from '../trace/otlp-reader.ts'
import type { AttributeValue } from '../trace/recorder.ts'
import type { RecentTrace } from '../trace/trace-ring.ts'
import type { SpanView, TraceView } from './api-types.ts'
import { rowOf } from './trace-row.ts'

/** What is the same for all traces of a process. */
export interface Surroundings {
  readonly resource: Readonly<Record<string, AttributeValue>>
  /** The file system of the served directory. */
  readonly place: Place | undefined
  /** The number of the process among the workers. */
  readonly worker: number
}

/** One request with all its spans as a tree, and what they say in words. */
export function traceView(
  trace: RecentTrace,
  spans: readonly StoredSpan[],
  { resource, place }: Surroundings,
): TraceView {
  const tree = spanTree(spans, trace.requestId)
  return {
    ...rowOf(trace, spans),
    explanation: explain(tree, place),
    tree,
    dropped: trace.dropped,
    resource,
  }
}

/** Parents before their children, siblings by their beginning. What has lost its parent hangs below the root. */
function spanTree(spans: readonly StoredSpan[], rootId: string): SpanView[] {
  const root = spans.find(({ spanId }) => spanId === rootId)
  if (root === undefined) return []
  const known = new Set(spans.map(({ spanId }) => spanId))
  const children = new Map<string, StoredSpan[]>()
  for (const span of spans) {
    if (span === root) continue
    const parent = known.has(span.parentSpanId) ? span.parentSpanId : rootId
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [span])
    else siblings.push(span)
  }
  for (const siblings of children.values()) siblings.sort((a, b) => Number(a.startNs - b.startNs))
  const tree: SpanView[] = []
  // A stack of our own: a trace may be deeper than JavaScript's.
  const open: { span: StoredSpan; parent: number; level: number }[] = [
    { span: root, parent: -1, level: 0 },
  ]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { span, parent, level } = next
    const below = children.get(span.spanId) ?? []
    children.delete(span.spanId)
    tree.push(spanView(span, below, { parent, level, origin: root.startNs }))
    for (const child of below.toReversed())
      open.push({ span: child, parent: tree.length - 1, level: level + 1 })
  }
  return tree
}

interface Position {
  readonly parent: number
  readonly level: number
  readonly origin: bigint
}

function spanView(
  span: StoredSpan,
  children: readonly StoredSpan[],
  { parent, level, origin }: Position,
): SpanView {
  return {
    id: span.spanId,
    parent,
    level,
    name: span.name,
    phase: phaseOf(span.name),
    startUs: Number(span.startNs - origin) / 1e3,
    durationUs: Number(span.endNs - span.startNs) / 1e3,
    selfUs: selfNs(span, children) / 1e3,
    attributes: span.attributes,
    events: span.events.map(({ name, atNs, attributes }) => ({
      name,
      atUs: Number(atNs - origin) / 1e3,
      attributes,
    })),
    ...(span.error === undefined ? {} : { error: span.error.message }),
  }
}

/** The time that no child covers; children may overlap. They come sorted by their beginning. */
function selfNs({ startNs, endNs }: StoredSpan, children: readonly StoredSpan[]): number {
  let self = 0n
  let at = startNs
  for (const child of children) {
    const childStart = child.startNs > endNs ? endNs : child.startNs
    if (childStart > at) self += childStart - at
    const childEnd = child.endNs > endNs ? endNs : child.endNs
    if (childEnd > at) at = childEnd
  }
  return Number(self + (endNs > at ? endNs - at : 0n))
}
