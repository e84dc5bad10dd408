import { duration, size } from '../../explain/words.ts'
import type { SpanView, TraceView } from '../api-types.ts'
import { api } from './api.ts'
import { h, replace } from './dom.ts'
import type { View } from './main.ts'
import { traceHash } from './route.ts'
import { spanDetails } from './span-details.ts'
import { Waterfall } from './waterfall.ts'
import { clock, place, REASONS, statusText, toneOf } from './words.ts'

/** One request: in words, as a bar of phases, and as a waterfall down to the system call. */
export async function showTrace(
  main: HTMLElement,
  id: string,
  spanId: string | undefined,
): Promise<View> {
  const { traces } = await api.trace(id)
  const [trace, ...others] = traces
  if (trace === undefined) throw new Error('No trace of this id is held.')
  const details = h('aside', { class: 'details', 'aria-label': 'Span' })
  const select = (span: SpanView, isUsers: boolean): void => {
    replace(details, ...spanDetails(span, trace))
    if (isUsers) history.replaceState(null, '', traceHash(id, span.id))
  }
  const waterfall = new Waterfall(trace.tree, select)
  replace(
    main,
    heading(trace, id),
    inWords(trace),
    others.length === 0 ? undefined : sameTrace(others),
    h('div', { class: 'trace' }, waterfall.element, details),
  )
  waterfall.start(spanId)
  return {
    leave: () => waterfall.stop(),
    onKey(event) {
      if (event.key === 'Escape') location.hash = '#/'
      else waterfall.onKey(event)
    },
  }
}

function heading(trace: TraceView, id: string): HTMLElement {
  const tone = toneOf(trace.status)
  const copied = h('span', { role: 'status', class: 'state' })
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(location.href)
      replace(copied, 'copied')
    } catch {
      replace(copied, 'the address bar has it')
    }
  }
  return h(
    'section',
    { class: 'heading' },
    h('a', { href: '#/', class: 'back', 'aria-label': 'All traces' }, '←'),
    h('h1', {}, trace.operation),
    h(
      'span',
      { class: `badge ${tone}` },
      statusText(trace.status),
      trace.error && ` ${trace.error}`,
    ),
    h('span', { class: 'badge' }, duration(trace.durationMs)),
    trace.bytes !== undefined && h('span', { class: 'badge' }, size(trace.bytes)),
    h('span', { class: 'badge', title: `kept ${REASONS[trace.reason] ?? ''}` }, trace.reason),
    h('p', { class: 'object' }, place(trace)),
    h(
      'p',
      { class: 'ids' },
      `${new Date(trace.startMs).toLocaleDateString()} ${clock(trace.startMs)} · ${trace.access ?? 'anonymous'} · `,
      'trace ',
      h('code', {}, trace.traceId),
      ' · request ',
      h('code', {}, trace.requestId),
    ),
    h(
      'p',
      { class: 'actions' },
      h('button', { type: 'button', onclick: () => void copy() }, 'Copy link'),
      copied,
      h(
        'a',
        { class: 'button', href: api.otlpPath(id), download: `trace-${id}.json` },
        'OTLP JSON',
      ),
    ),
  )
}

function inWords({ explanation, durationMs, dropped }: TraceView): HTMLElement {
  const { sentence, verdict, phases, facts, cause } = explanation
  const bar = h('div', { class: 'phases', role: 'img', 'aria-label': sentence })
  for (const { phase, ms, text } of phases) {
    const part = h('span', { class: `phase p-${phase}`, title: `${duration(ms)} ${text}` })
    part.style.flexGrow = String(Math.max(ms / Math.max(durationMs, 1e-6), 0.002))
    bar.append(part)
  }
  return h(
    'section',
    { class: 'words' },
    h('p', { class: 'sentence' }, sentence),
    h('p', { class: `verdict c-${cause}` }, verdict),
    bar,
    h(
      'ul',
      { class: 'legend' },
      ...phases.map(({ phase, ms, text }) =>
        h(
          'li',
          {},
          h('span', { class: `key p-${phase}` }),
          `${phase} ${duration(ms)}`,
          h('small', {}, ` ${text}`),
        ),
      ),
    ),
    ...facts.map((fact) => h('p', { class: 'fact' }, fact)),
    dropped > 0 && h('p', { class: 'fact' }, `${dropped} spans had no room and are not here.`),
  )
}

function sameTrace(others: readonly TraceView[]): HTMLElement {
  return h(
    'section',
    { class: 'others' },
    'Other requests of this trace: ',
    ...others.map((other) =>
      h(
        'a',
        { href: traceHash(other.requestId) },
        `${other.operation} ${duration(other.durationMs)}`,
      ),
    ),
  )
}
