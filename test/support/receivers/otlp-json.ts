import { readFileSync, statSync } from 'node:fs'
import type { SeenEvent, SeenSpan, SeenValue, TraceStore } from './seen-span.ts'

/** Asks a file that grows; it is read again when it has grown. */
export function fileOfTraces(path: string): TraceStore['trace'] {
  let size = 0
  let byTrace = new Map<string, SeenSpan[]>()
  return async (traceId) => {
    const now = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    if (now !== size) {
      size = now
      byTrace = new Map()
      for (const span of readOtlpLines(readFileSync(path, 'utf8'))) {
        const spans = byTrace.get(span.traceId)
        if (spans === undefined) byTrace.set(span.traceId, [span])
        else spans.push(span)
      }
    }
    return byTrace.get(traceId) ?? []
  }
}

/**
 * Spans of OTLP's JSON, as the gateway's `file` exporter and a collector's write it, a message a line:
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
function readOtlpLines(text: string): SeenSpan[] {
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .flatMap((line) => spansOf(JSON.parse(line) as Message))
}

interface Message {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes?: readonly KeyValue[] }
    readonly scopeSpans: readonly { readonly spans?: readonly Span[] }[]
  }[]
}

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes?: readonly KeyValue[]
  readonly events?: readonly { readonly name: string; readonly attributes?: readonly KeyValue[] }[]
  readonly links?: readonly { readonly traceId: string }[]
  readonly status?: { readonly code?: number }
}

interface KeyValue {
  readonly key: string
  readonly value: {
    readonly stringValue?: string
    readonly intValue?: string | number
    readonly doubleValue?: number
    readonly boolValue?: boolean
  }
}

const KINDS = ['INTERNAL', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const
const STATUS_ERROR = 2

function spansOf({ resourceSpans = [] }: Message): SeenSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const shared = attributesOf(resource.attributes)
    return scopeSpans.flatMap(({ spans = [] }) => spans.map((span) => spanOf(span, shared)))
  })
}

function spanOf(span: Span, resource: SeenSpan['resource']): SeenSpan {
  const { traceId, spanId, parentSpanId = '', name, kind } = span
  const ns = BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    resource,
    kind: KINDS[kind] ?? 'INTERNAL',
    durationMs: Number(ns) / 1e6,
    attributes: attributesOf(span.attributes),
    isError: span.status?.code === STATUS_ERROR,
    events: (span.events ?? []).map((event): SeenEvent => ({
      name: event.name,
      attributes: attributesOf(event.attributes),
    })),
    links: (span.links ?? []).map((link) => link.traceId),
  }
}

function attributesOf(list: readonly KeyValue[] = []): Map<string, SeenValue> {
  return new Map(list.map(({ key, value }) => [key, valueOf(value)]))
}

function valueOf({ stringValue, intValue, doubleValue, boolValue }: KeyValue['value']): SeenValue {
  if (stringValue !== undefined) return { type: 'string', value: stringValue }
  if (intValue !== undefined) return { type: 'int', value: Number(intValue) }
  if (doubleValue !== undefined) return { type: 'double', value: doubleValue }
  if (boolValue !== undefined) return { type: 'bool', value: boolValue }
  // Protobuf's JSON leaves out what is empty.
  return { type: 'string', value: '' }
}
