import type { SpanView } from '../api-types.ts'

/** A line of the waterfall: a span, or several neighbours of one name that are shown as one until they are opened. */
export interface Row {
  readonly span: SpanView
  /** Its place in the tree. */
  readonly index: number
  readonly level: number
  readonly hasChildren: boolean
  readonly isOpen: boolean
  /** Of a folded group, itself included; 1 for a span alone. */
  readonly count: number
  readonly endUs: number
  /** What the row is opened and closed by. */
  readonly handle: string
}

/** So many equal neighbours are folded. */
const FOLD_FROM = 6

interface Open {
  readonly tree: readonly SpanView[]
  readonly children: readonly (readonly number[])[]
  /** Handles that are not as they would be of themselves: closed spans, opened groups. */
  readonly turned: ReadonlySet<string>
}

/** What is visible, top to bottom. Spans are open, and groups closed, until they are turned. */
export function visibleRows(tree: readonly SpanView[], turned: ReadonlySet<string>): Row[] {
  if (tree.length === 0) return []
  const children: number[][] = tree.map(() => [])
  tree.forEach(({ parent }, index) => {
    if (parent >= 0) children[parent]?.push(index)
  })
  const open: Open = { tree, children, turned }
  const rows: Row[] = []
  // A stack of our own, last first: a trace may be deeper than JavaScript's.
  const waiting: Part[] = [{ at: [0], level: 0, isGroup: false }]
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    const row = rowOf(part, open)
    if (row === undefined) continue
    rows.push(row)
    if (!row.isOpen) continue
    const below = part.isGroup
      ? part.at.map((index): Part => ({ at: [index], level: part.level + 1, isGroup: false }))
      : partsOf(open, children[row.index] ?? [], part.level + 1)
    for (const next of below.toReversed()) waiting.push(next)
  }
  return rows
}

interface Part {
  readonly at: readonly number[]
  readonly level: number
  readonly isGroup: boolean
}

function rowOf({ at, level, isGroup }: Part, { tree, children, turned }: Open): Row | undefined {
  const [index = 0] = at
  const span = tree[index]
  if (span === undefined) return undefined
  const handle = `${isGroup ? 'g' : 's'}${index}`
  const hasChildren = isGroup || (children[index]?.length ?? 0) > 0
  const endUs = at.reduce((end, i) => Math.max(end, endOf(tree[i])), 0)
  const isOpen = hasChildren && turned.has(handle) === isGroup
  return { span, index, level, hasChildren, isOpen, count: at.length, endUs, handle }
}

function endOf(span: SpanView | undefined): number {
  return span === undefined ? 0 : span.startUs + span.durationUs
}

/** Neighbours of one name, none of which failed, together where there are enough of them. */
function partsOf({ tree }: Open, siblings: readonly number[], level: number): Part[] {
  const parts: Part[] = []
  for (let i = 0; i < siblings.length;) {
    const first = tree[siblings[i] ?? 0]
    let end = i + 1
    while (end < siblings.length && isLike(tree[siblings[end] ?? 0], first)) end++
    if (end - i >= FOLD_FROM) parts.push({ at: siblings.slice(i, end), level, isGroup: true })
    else
      for (const index of siblings.slice(i, end)) parts.push({ at: [index], level, isGroup: false })
    i = end
  }
  return parts
}

function isLike(span: SpanView | undefined, first: SpanView | undefined): boolean {
  return span?.name === first?.name && span?.error === undefined && first?.error === undefined
}
