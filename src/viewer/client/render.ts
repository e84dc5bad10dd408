import type { Phase } from '../../explain/explanation.ts'
import { duration, size } from '../../explain/words.ts'
import type { SpanView, TraceRow, TraceView } from '../api-types.ts'

/** How a terminal shows traces; without colours where it is none. */
export interface Renderer {
  line(row: TraceRow): string
  tree(trace: TraceView): string
  words(trace: TraceView): string
}

export function createRenderer(hasColor: boolean): Renderer {
  const paint = (code: string, text: string): string =>
    hasColor ? `\u001b[${code}m${text}\u001b[0m` : text
  const line = (row: TraceRow): string => {
    const failed = row.status >= 500 || row.status === 0 ? '31' : row.status >= 400 ? '33' : '32'
    const place = [row.bucket, row.key].filter((part) => part !== undefined).join('/')
    const parts = [
      paint('2', new Date(row.startMs).toISOString().slice(11, 23)),
      row.operation.padEnd(22),
      paint(failed, String(row.status)),
      duration(row.durationMs).padStart(8),
      (row.bytes === undefined ? '' : size(row.bytes)).padStart(9),
      printable(place),
      ...(row.error === undefined ? [] : [paint(failed, printable(row.error))]),
      ...(row.reason === 'head' ? [] : [paint('35', printable(row.reason))]),
      paint('2', printable(row.access ?? 'anonymous')),
      paint('2', row.traceId),
    ]
    return parts.join('  ')
  }
  return {
    line,
    tree: (trace) => `${line(trace)}\n${treeLines(trace, paint).join('\n')}`,
    words: ({ explanation: { sentence, verdict, cause, facts } }) =>
      [
        printable(sentence),
        `${paint('1', cause === 'unknown' ? 'Cause not known.' : `Cause: ${CAUSES[cause]}.`)} ${printable(verdict)}`,
        ...facts.map((fact) => paint('2', printable(fact))),
      ].join('\n'),
  }
}

const CAUSES = {
  'slow-client': 'slow client',
  'full-pool': 'full I/O pool',
  'cold-cache': 'cold cache',
  'slow-disk': 'slow disk',
  'slow-sync': 'slow sync',
  'large-directory': 'large directory',
  lock: 'a held lock',
  'remote-iam': 'remote account store',
  hashing: 'hashing',
  fast: 'none, it was fast',
} as const

type Paint = (code: string, text: string) => string

const COLORS: Readonly<Record<Phase, string>> = {
  client: '33',
  auth: '36',
  iam: '36',
  queue: '35',
  lock: '31',
  metadata: '34',
  directory: '34',
  data: '32',
  sync: '91',
  hash: '95',
  other: '37',
}

const BAR = 32
/** A trace of thousands of spans is for the page; a terminal shows so many lines of it. */
const MAX_LINES = 200

function treeLines({ tree, durationMs }: TraceView, paint: Paint): string[] {
  const shown = tree.slice(0, MAX_LINES)
  const labels = shown.map((span, index) => branches(tree, index) + span.name)
  const width = Math.max(...labels.map((label) => label.length))
  const lines = shown.map((span, index) => {
    const label = (labels[index] ?? '').padEnd(width)
    const time = duration(span.durationUs / 1e3).padStart(8)
    const failed = span.error === undefined ? '' : ` ${paint('31', printable(span.error))}`
    return `${label}  ${time}  ${paint(COLORS[span.phase], bar(span, durationMs * 1e3))}${failed}`
  })
  if (tree.length > MAX_LINES) lines.push(`… and ${tree.length - MAX_LINES} spans more`)
  return lines
}

function bar({ startUs, durationUs }: SpanView, totalUs: number): string {
  const from = Math.min(BAR - 1, Math.floor((startUs / Math.max(totalUs, 1)) * BAR))
  const length = Math.max(1, Math.round((durationUs / Math.max(totalUs, 1)) * BAR))
  return ' '.repeat(from) + '█'.repeat(Math.min(length, BAR - from))
}

/** `│  └─ ` before a name: whether a level goes on below is seen from the spans behind it. */
function branches(tree: readonly SpanView[], index: number): string {
  const span = tree[index]
  if (span === undefined || span.parent < 0) return ''
  let text = isLast(tree, index) ? '└─ ' : '├─ '
  for (let at = span.parent; (tree[at]?.parent ?? -1) >= 0; at = tree[at]?.parent ?? -1)
    text = (isLast(tree, at) ? '   ' : '│  ') + text
  return text
}

function isLast(tree: readonly SpanView[], index: number): boolean {
  const parent = tree[index]?.parent
  const level = tree[index]?.level ?? 0
  for (let at = index + 1; at < tree.length && (tree[at]?.level ?? 0) >= level; at++)
    if (tree[at]?.parent === parent) return false
  return true
}

/** Keys may hold anything; on a terminal a control character is a command. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '\ufffd')
}
