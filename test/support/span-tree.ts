import type { ReceivedSpan } from './otlp-protobuf.ts'

export interface SpanNode {
  readonly span: ReceivedSpan
  readonly children: readonly SpanNode[]
}

/** The root with everything below it, each level in the order of its starts. Throws unless there is exactly one tree. */
export function buildTree(spans: readonly ReceivedSpan[]): SpanNode {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const roots = spans.filter(({ parentSpanId }) => !ids.has(parentSpanId))
  const [root] = roots
  if (root === undefined || roots.length !== 1)
    throw new Error(`${roots.length} roots: ${roots.map(({ name }) => name).join(', ')}`)
  const inOrder = spans.toSorted(
    (a, b) => compare(a.startNs, b.startNs) || compare(a.endNs, b.endNs),
  )
  const node = (span: ReceivedSpan): SpanNode => ({
    span,
    children: inOrder
      .filter(({ parentSpanId }) => parentSpanId === span.spanId)
      .map((child) => node(child)),
  })
  return node(root)
}

/** A root has come, and every other span's parent. */
export function isWhole(spans: readonly ReceivedSpan[]): boolean {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  return (
    spans.some(({ kind }) => kind === 'SERVER') &&
    spans.every(({ kind, parentSpanId }) => kind === 'SERVER' || ids.has(parentSpanId))
  )
}

/** Names, two spaces a level; equal neighbours as one line with their number. */
export function foldedTree(spans: readonly ReceivedSpan[]): string {
  return render(buildTree(spans), '').join('\n')
}

function render({ span, children }: SpanNode, indent: string): string[] {
  const rendered = children.map((child) => render(child, `${indent}  `))
  const lines: string[] = []
  for (let i = 0; i < rendered.length;) {
    const [first = '', ...rest] = rendered[i] ?? []
    let end = i + 1
    while (JSON.stringify(rendered[end]) === JSON.stringify(rendered[i])) end++
    lines.push(end - i > 1 ? `${first} × ${end - i}` : first, ...rest)
    i = end
  }
  return [indent + span.name, ...lines]
}

/** What is wrong with the times of a trace: children outside their parents, ends before starts. */
export function misplaced(spans: readonly ReceivedSpan[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  return spans.flatMap((span) => {
    const parent = byId.get(span.parentSpanId)
    const faults: string[] = []
    if (span.endNs < span.startNs)
      faults.push(`${span.name} ends ${span.startNs - span.endNs} ns before it starts`)
    if (parent !== undefined && span.startNs < parent.startNs) {
      faults.push(`${span.name} starts ${parent.startNs - span.startNs} ns before ${parent.name}`)
    }
    if (parent !== undefined && span.endNs > parent.endNs) {
      faults.push(`${span.name} ends ${span.endNs - parent.endNs} ns after ${parent.name}`)
    }
    for (const event of span.events) {
      if (event.timeNs < span.startNs || event.timeNs > span.endNs)
        faults.push(`event ${event.name} lies outside ${span.name}`)
    }
    return faults
  })
}

export function spanNamed(spans: readonly ReceivedSpan[], name: string): ReceivedSpan {
  const found = spans.find((span) => span.name === name)
  if (found === undefined)
    throw new Error(`no ${name} among ${spans.map((span) => span.name).join(', ')}`)
  return found
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
