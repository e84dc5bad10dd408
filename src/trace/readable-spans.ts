import {
  createTraceState,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type HrTime,
  type SpanContext,
  type TraceState,
} from '@opentelemetry/api'
import { resourceFromAttributes, type Resource } from '@opentelemetry/resources'
import type { ReadableSpan, TimedEvent } from '@opentelemetry/sdk-trace-node'
import { unixTime, type Anchor } from './clock.ts'
import { exceptionAttributes } from './otlp.ts'
import { SCOPE_NAME } from './otlp-batch.ts'
import {
  kindOf,
  type Attributes,
  type RemoteParent,
  type Span,
  type SpanKind as KindName,
} from './recorder.ts'
import { durationMs, nameRules, throughputMbps } from './span-kinds.ts'

/** Turns a settled span into the SDK's, for exporters and processors that know nothing else; undefined below `level`. */
export type SpanReader = (span: Span, level: number) => ReadableSpan | undefined

export function createSpanReader(resource: Attributes, serviceVersion: string): SpanReader {
  const shared: Shared = {
    resource: resourceFromAttributes({ ...resource }),
    instrumentationScope: {
      name: SCOPE_NAME,
      ...(serviceVersion === '' ? {} : { version: serviceVersion }),
    },
  }
  return (span, level) => {
    const isWanted = span.parent === undefined || nameRules(span.name).level <= level
    return isWanted ? toReadable(span, shared) : undefined
  }
}

const KINDS: Readonly<Record<KindName, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

interface Shared {
  readonly resource: Resource
  readonly instrumentationScope: ReadableSpan['instrumentationScope']
}

/** Written so that the SDK's serialiser makes of it what `otlp.ts` makes of the record. */
function toReadable(span: Span, shared: Shared): ReadableSpan {
  const { recorder, parent, failure } = span
  const { anchor } = recorder
  const traceState =
    recorder.parent?.traceState === undefined
      ? undefined
      : createTraceState(recorder.parent.traceState)
  const context = contextOf(recorder.traceId, span.spanId, traceState)
  const parentContext =
    parent === undefined
      ? recorder.parent && remoteContext(recorder.parent)
      : contextOf(recorder.traceId, parent.spanId, traceState)
  const links = parent === undefined ? (recorder.links ?? []) : []
  return {
    ...shared,
    name: span.name,
    kind: KINDS[kindOf(span)],
    spanContext: () => context,
    ...(parentContext === undefined ? {} : { parentSpanContext: parentContext }),
    startTime: hrTime(span.startNs, anchor),
    endTime: hrTime(span.endNs, anchor),
    duration: splitNs(Math.round(span.endNs - span.startNs)),
    ended: true,
    status:
      failure === undefined
        ? { code: SpanStatusCode.UNSET }
        : { code: SpanStatusCode.ERROR, message: failure.message },
    attributes: { ...span.attributes, ...derivedAttributes(span) },
    links: links.map(({ context: linked, attributes }) => ({
      context: remoteContext(linked),
      attributes: { ...attributes },
    })),
    events: eventsOf(span),
    droppedAttributesCount: span.lost?.attributes ?? 0,
    droppedEventsCount: span.lost?.events ?? 0,
    droppedLinksCount: span.lost?.links ?? 0,
  }
}

/** What the span's times and its failure say; it wins over what was set. */
function derivedAttributes(span: Span): Attributes {
  const rules = nameRules(span.name)
  const ns = span.endNs - span.startNs
  const derived: Record<string, string | number> = {}
  if (rules.duration !== undefined) derived[rules.duration] = durationMs(ns)
  if (span.failure !== undefined) derived['error.type'] = span.failure.type
  const moved = rules.movedBytes === undefined ? undefined : span.read(rules.movedBytes)
  if (typeof moved === 'number') derived['posix.throughput_mbps'] = throughputMbps(moved, ns)
  return derived
}

function eventsOf({ events = [], failure, endNs, recorder: { anchor } }: Span): TimedEvent[] {
  const all =
    failure === undefined
      ? events
      : [...events, { name: 'exception', atNs: endNs, attributes: exceptionAttributes(failure) }]
  return all.map(({ name, atNs, attributes }) => ({ name, time: hrTime(atNs, anchor), attributes }))
}

function contextOf(
  traceId: string,
  spanId: string,
  traceState: TraceState | undefined,
): SpanContext {
  return {
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    ...(traceState === undefined ? {} : { traceState }),
  }
}

function remoteContext(remote: RemoteParent): SpanContext {
  const traceState =
    remote.traceState === undefined ? {} : { traceState: createTraceState(remote.traceState) }
  const traceFlags = remote.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE
  return {
    traceId: remote.traceId,
    spanId: remote.spanId,
    traceFlags,
    isRemote: true,
    ...traceState,
  }
}

function hrTime(ns: number, anchor: Anchor): HrTime {
  const { seconds, nanoseconds } = unixTime(ns, anchor)
  return [seconds, nanoseconds]
}

function splitNs(ns: number): HrTime {
  const seconds = Math.floor(ns / 1e9)
  return [seconds, ns - seconds * 1e9]
}
