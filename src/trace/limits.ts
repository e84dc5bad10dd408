import type { Attributes, AttributeValue, Recorder, Span } from './recorder.ts'
import type { SpanLimits } from './tracing-config.ts'

/** What was cut off, in numbers; the receiver is told them. */
export interface Lost {
  readonly attributes: number
  readonly events: number
  readonly links: number
}

/** Whether anything was asked to be cut. */
export function hasLimits(limits: SpanLimits): boolean {
  return Object.values(limits).some((limit) => limit !== undefined)
}

/**
 * Cuts the spans of a settled record to size: the first so many attributes and events stay, texts are cut at their end.
 * What follows from a span's times and its failure is not counted.
 * https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits
 */
export function applyLimits(recorder: Recorder, limits: SpanLimits): void {
  for (const span of recorder.spans) limitSpan(span, limits)
  const { links } = recorder
  const { linkCount = Infinity, linkAttributeCount, attributeValueLength } = limits
  if (links === undefined) return
  recorder.links = links.slice(0, linkCount).map((link) => ({
    ...link,
    attributes: limited(link.attributes, linkAttributeCount, attributeValueLength),
  }))
  lose(recorder.root, { links: links.length - recorder.links.length })
}

export function limitSpan(span: Span, limits: SpanLimits): void {
  const {
    attributeCount,
    attributeValueLength,
    eventCount = Infinity,
    eventAttributeCount,
  } = limits
  if (attributeCount !== undefined || attributeValueLength !== undefined) {
    const all = span.attributes
    const kept = limited(all, attributeCount, attributeValueLength)
    span.attributes = kept
    lose(span, { attributes: Object.keys(all).length - Object.keys(kept).length })
  }
  const { events } = span
  if (events === undefined) return
  span.events = events.slice(0, eventCount).map((event) => ({
    ...event,
    attributes: limited(event.attributes, eventAttributeCount, attributeValueLength),
  }))
  lose(span, { events: events.length - span.events.length })
}

const NOTHING: Lost = { attributes: 0, events: 0, links: 0 }

function lose(span: Span, more: Partial<Lost>): void {
  if (Object.values(more).every((count) => count === 0)) return
  const { attributes, events, links } = span.lost ?? NOTHING
  span.lost = {
    attributes: attributes + (more.attributes ?? 0),
    events: events + (more.events ?? 0),
    links: links + (more.links ?? 0),
  }
}

function limited(
  attributes: Attributes,
  count: number | undefined,
  length: number | undefined,
): Attributes {
  if (count === undefined && length === undefined) return attributes
  const entries = Object.entries(attributes).slice(0, count)
  return Object.fromEntries(entries.map(([key, value]) => [key, cut(value, length)]))
}

function cut(value: AttributeValue, length: number | undefined): AttributeValue {
  return typeof value === 'string' && length !== undefined ? value.slice(0, length) : value
}
