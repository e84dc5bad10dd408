import { SpanKind, SpanStatusCode, type HrTime } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'

/** Standard output, or whatever stands in for it. */
export interface ConsoleOutput {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly writableNeedDrain?: boolean | undefined
}

/** Writes traces for people on a terminal, and as one line of JSON each elsewhere. */
export function createConsoleWriter(
  output: ConsoleOutput,
): (spans: readonly ReadableSpan[]) => boolean {
  const format = output.isTTY === true ? formatTrace : formatJson
  return (spans) => {
    // Whoever reads the pipe has stopped: memory must not grow for his sake.
    if (output.writableNeedDrain === true) return false
    if (spans.length > 0) output.write(`${format(spans)}\n`)
    return true
  }
}

/**
 * One trace as a tree, a line a span: how long it took, when it began within the trace, and its attributes.
 *
 *     S3.PutObject            4.530 ms           200 PUT /bucket/key  trace 4bf92f3577b34da6a3ce929d0e0e4736
 *     ├─ Auth.V4Signature     0.085 ms  +0.010   method=header role=admin
 *     └─ Backend.PutObject    4.300 ms  +0.100   type=posix
 */
function formatTrace(spans: readonly ReadableSpan[]): string {
  const rows = treeRows(spans)
  const nameWidth = Math.max(...rows.map(({ label }) => label.length))
  const times = rows.map(({ span }) => milliseconds(span.duration).toFixed(3))
  const timeWidth = Math.max(...times.map((time) => time.length))
  const [first] = rows
  const origin = first === undefined ? 0 : nanoseconds(first.span.startTime)
  const lines = rows.map(({ label, span }, index) => {
    const offset =
      index === 0
        ? ''
        : `+${(Number(nanoseconds(span.startTime) - BigInt(origin)) / 1e6).toFixed(3)}`
    const time = (times[index] ?? '').padStart(timeWidth)
    return `${label.padEnd(nameWidth)}  ${time} ms  ${offset.padEnd(timeWidth + 1)}  ${remarks(span)}`.trimEnd()
  })
  return lines.join('\n')
}

interface Row {
  /** The name with the branches of the tree before it. */
  readonly label: string
  readonly span: ReadableSpan
}

/** Parents before children, siblings by their start; a span whose parent is not here stands at the margin. */
function treeRows(spans: readonly ReadableSpan[]): Row[] {
  const ids = new Set(spans.map((span) => span.spanContext().spanId))
  const children = new Map<string, ReadableSpan[]>()
  for (const span of spans) {
    const parentId = span.parentSpanContext?.spanId ?? ''
    const key = ids.has(parentId) ? parentId : ''
    children.set(key, [...(children.get(key) ?? []), span])
  }
  const rows: Row[] = []
  const walk = (parentId: string, indent: string): void => {
    const siblings = (children.get(parentId) ?? []).toSorted(byStart)
    siblings.forEach((span, index) => {
      const isLast = index === siblings.length - 1
      const branch = parentId === '' ? '' : isLast ? '└─ ' : '├─ '
      rows.push({ label: indent + branch + span.name, span })
      walk(span.spanContext().spanId, parentId === '' ? '' : indent + (isLast ? '   ' : '│  '))
    })
  }
  walk('', '')
  return rows
}

/** What is said of a span behind its times. */
function remarks(span: ReadableSpan): string {
  const error =
    span.status.code === SpanStatusCode.ERROR ? [`ERROR ${span.status.message ?? ''}`] : []
  const all =
    span.kind === SpanKind.SERVER
      ? [...error, ...rootRemarks(span)]
      : [...error, ...attributeRemarks(span)]
  return [...all, ...eventRemarks(span)].join(' ')
}

function rootRemarks({ attributes, ...span }: ReadableSpan): string[] {
  const first = (...keys: string[]): string[] => {
    const value = keys.map((key) => attributes[key]).find((candidate) => candidate !== undefined)
    return value === undefined ? [] : [String(value)]
  }
  return [
    ...first('http.response.status_code', 'http.status_code'),
    ...first('error.type'),
    ...first('http.request.method', 'http.method'),
    ...first('url.path', 'http.url').map(printable),
    ...first('s3.content_length').map((bytes) => `${bytes} bytes`),
    `trace ${span.spanContext().traceId}`,
  ]
}

/** Told by the root, by the name or by the times already. */
const UNSAID =
  /^(?:s3\.(?:bucket|key)|posix\.(?:bucket|object)|backend\.operation|(?:posix\.)?duration_(?:ms|us))$/

function attributeRemarks({ attributes, status }: ReadableSpan): string[] {
  const isTold = (key: string): boolean =>
    key === 'error.type' && status.code === SpanStatusCode.ERROR
  return Object.entries(attributes)
    .filter(([key]) => !UNSAID.test(key) && !isTold(key))
    .map(
      ([key, value]) =>
        `${key.replace(/^(?:posix|auth|backend|s3|iam)\./, '')}=${printable(String(value))}`,
    )
}

/** Events are counted by name: a thousand parts are one remark. */
function eventRemarks({ events }: ReadableSpan): string[] {
  const counts = new Map<string, number>()
  for (const { name } of events)
    if (name !== 'exception') counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].map(([name, count]) => `[${count} × ${name}]`)
}

/** Keys may hold anything; on a terminal a control character is a command. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd')
}

function formatJson(spans: readonly ReadableSpan[]): string {
  const [first] = spans
  return JSON.stringify({
    trace_id: first?.spanContext().traceId,
    resource: first?.resource.attributes,
    spans: spans.toSorted(byStart).map((span) => ({
      name: span.name,
      span_id: span.spanContext().spanId,
      parent_span_id: span.parentSpanContext?.spanId,
      kind: SpanKind[span.kind],
      start: isoTime(span.startTime),
      duration_ms: milliseconds(span.duration),
      status:
        span.status.code === SpanStatusCode.UNSET ? undefined : SpanStatusCode[span.status.code],
      attributes: span.attributes,
      events: span.events.length === 0 ? undefined : span.events.map(jsonEvent),
    })),
  })
}

function jsonEvent({ name, time, attributes }: ReadableSpan['events'][number]): object {
  return { name, time: isoTime(time), attributes }
}

function byStart(a: ReadableSpan, b: ReadableSpan): number {
  return a.startTime[0] - b.startTime[0] || a.startTime[1] - b.startTime[1]
}

function milliseconds([seconds, nanos]: HrTime): number {
  return Math.round(seconds * 1e9 + nanos) / 1e6
}

function nanoseconds([seconds, nanos]: HrTime): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanos)
}

/** RFC 3339 to the nanosecond. */
function isoTime([seconds, nanos]: HrTime): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanos).padStart(9, '0')}Z`
}
