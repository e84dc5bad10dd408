import type { StoredSpan } from '../trace/otlp-reader.ts'
import type { AttributeValue } from '../trace/recorder.ts'
import { SCOPE_NAME } from '../trace/otlp-batch.ts'

/**
 * Spans in OTLP's JSON form: ids are hex, 64-bit integers are strings.
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function resourceSpans(
  spans: readonly StoredSpan[],
  resource: Readonly<Record<string, AttributeValue>>,
): object {
  const version = resource['service.version']
  return {
    resource: { attributes: keyValues(resource, NO_DOUBLES) },
    scopeSpans: [
      {
        scope: { name: SCOPE_NAME, ...(version === undefined ? {} : { version: String(version) }) },
        spans: spans.map(jsonSpan),
      },
    ],
  }
}

const NO_DOUBLES: ReadonlySet<string> = new Set()
const STATUS_ERROR = 2

function jsonSpan(span: StoredSpan): object {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId === '' ? {} : { parentSpanId: span.parentSpanId }),
    ...(span.traceState === '' ? {} : { traceState: span.traceState }),
    flags: span.flags,
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: String(span.startNs),
    endTimeUnixNano: String(span.endNs),
    attributes: keyValues(span.attributes, span.doubles),
    events: span.events.map((event) => ({
      timeUnixNano: String(event.atNs),
      name: event.name,
      attributes: keyValues(event.attributes, event.doubles),
    })),
    links: span.links.map(({ traceId, spanId, traceState, flags }) => ({
      traceId,
      spanId,
      ...(traceState === '' ? {} : { traceState }),
      flags,
    })),
    status: span.error === undefined ? {} : { code: STATUS_ERROR, message: span.error.message },
  }
}

function keyValues(
  attributes: Readonly<Record<string, AttributeValue>>,
  doubles: ReadonlySet<string>,
): object[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: anyValue(value, doubles.has(key)),
  }))
}

function anyValue(value: AttributeValue, isDouble: boolean): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  return isDouble || !Number.isInteger(value) ? { doubleValue: value } : { intValue: String(value) }
}
