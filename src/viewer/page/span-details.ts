import type { EventView, SpanView, TraceView } from '../api-types.ts'
import { h } from './dom.ts'
import { micros } from './times.ts'

/** Shown of a span's events: the rest is told by their number, and the download has them all. */
const MOST_EVENTS = 200

type Attributes = SpanView['attributes']

/** All that is known of a span. */
export function spanDetails(span: SpanView, trace: TraceView): Node[] {
  const { name, phase, startUs, durationUs, selfUs, error, attributes, events } = span
  const shown = events.slice(0, MOST_EVENTS)
  const nodes: (Node | undefined)[] = [
    h('h2', {}, h('span', { class: `key p-${phase}` }), name),
    error === undefined ? undefined : h('p', { class: 'problem' }, error),
    h(
      'dl',
      { class: 'facts' },
      ...pair('began at', micros(startUs)),
      ...pair('took', micros(durationUs)),
      ...pair('of that itself', micros(selfUs)),
      ...pair('phase', phase),
      ...pair('span id', span.id),
    ),
    attributesOf('Attributes', attributes),
    events.length === 0 ? undefined : h('h3', {}, `Events (${events.length})`),
    ...shown.map(eventOf),
    events.length > shown.length
      ? h('p', {}, `and ${events.length - shown.length} more`)
      : undefined,
    span.parent < 0 ? attributesOf('Resource', trace.resource) : undefined,
  ]
  return nodes.filter((node) => node !== undefined)
}

function attributesOf(title: string, attributes: Attributes): HTMLElement | undefined {
  const entries = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))
  if (entries.length === 0) return undefined
  return h(
    'section',
    {},
    h('h3', {}, title),
    h('dl', {}, ...entries.flatMap(([name, value]) => pair(name, textOf(value)))),
  )
}

function eventOf({ name, atUs, attributes }: EventView): HTMLElement {
  const entries = Object.entries(attributes)
  return h(
    'details',
    {},
    h('summary', {}, `${micros(atUs)}  ${name}`),
    h('dl', {}, ...entries.flatMap(([key, value]) => pair(key, textOf(value)))),
  )
}

function pair(name: string, value: string): Node[] {
  return [h('dt', {}, name), h('dd', {}, value)]
}

function textOf(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') : String(value)
}
