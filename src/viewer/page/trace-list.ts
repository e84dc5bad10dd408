import { duration, size } from '../../explain/words.ts'
import type { TraceNews, TraceRow } from '../api-types.ts'
import { showActivity } from './activity.ts'
import { api } from './api.ts'
import { h, replace } from './dom.ts'
import { filterForm, type Filter } from './filters.ts'
import type { View } from './main.ts'
import { traceHash } from './route.ts'
import { clock, place, REASONS, statusText, toneOf } from './words.ts'

/** Rows in the page: more are there for who asks, but a page of a thousand rows helps nobody. */
const MOST_ROWS = 300
const PAGE = 100
/** In one event, of which there are two a second: nobody reads more. */
const MOST_NEWS = 30
const FLOOD_MS = 1000

/** The last kept traces, the newest first, with what matches the filter added as it comes. */
export async function showList(main: HTMLElement, filter: Filter): Promise<View> {
  const list = new TraceListView(filter)
  const activity = await showActivity((id) => {
    location.hash = traceHash(id)
  }, filter['operation'])
  await list.load()
  activity.showTraces(list.rows)
  list.onRows = (rows) => activity.showTraces(rows)
  replace(main, activity.element, filterForm(filter, activity.operations), list.element)
  activity.draw()
  list.follow()
  return {
    leave() {
      list.stop()
      activity.stop()
    },
    onKey: (event) => list.onKey(event),
  }
}

class TraceListView {
  rows: readonly TraceRow[] = []
  onRows: (rows: readonly TraceRow[]) => void = () => undefined
  readonly element: HTMLElement
  readonly #filter: Filter
  readonly #body = h('tbody', {})
  readonly #state = h('span', { class: 'state', role: 'status' })
  readonly #toggle = h('button', { type: 'button', onclick: () => this.#turn() }, 'Pause')
  readonly #more = h(
    'button',
    { type: 'button', onclick: () => void this.load(true) },
    'Older ones',
  )
  #next: string | undefined
  #stop: (() => void) | undefined
  #skipped = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #drawnMs = 0

  constructor(filter: Filter) {
    this.#filter = filter
    const titles = ['Time', 'Operation', 'Status', 'Took', 'Size', 'Object', 'Who', 'Kept']
    this.element = h(
      'section',
      { class: 'list', 'aria-label': 'Traces' },
      h(
        'div',
        { class: 'bar' },
        this.#toggle,
        this.#state,
        h('span', { class: 'hint' }, '↑ ↓ choose · Enter open · / filter · Space pause'),
      ),
      h('table', {}, h('thead', {}, h('tr', {}, ...titles.map(titleOf))), this.#body),
      h('div', { class: 'bar' }, this.#more),
    )
  }

  /** The first page, or the one after what is shown. */
  async load(isMore = false): Promise<void> {
    const before = isMore ? this.#next : undefined
    const { traces, next } = await api.traces({ ...this.#filter, limit: PAGE, before })
    this.rows = isMore ? [...this.rows, ...traces] : traces
    this.#next = next
    this.#draw()
  }

  follow(): void {
    if (this.#filter['order'] === 'slowest') {
      replace(this.#state, 'The slowest of those that are held')
      this.#toggle.hidden = true
      return
    }
    this.#stop = api.follow(
      { ...this.#filter, limit: MOST_NEWS },
      (news) => this.#add(news),
      (isOpen) => this.#tell(isOpen ? 'Following' : 'Waiting for the gateway'),
    )
  }

  stop(): void {
    this.#stop?.()
    this.#stop = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  onKey(event: KeyboardEvent): void {
    const rows = [...this.#body.querySelectorAll<HTMLElement>('tr')]
    const at = rows.findIndex((row) => row.contains(document.activeElement))
    const to = event.key === 'j' || event.key === 'ArrowDown' ? at + 1 : at - 1
    if (['j', 'ArrowDown', 'k', 'ArrowUp'].includes(event.key)) {
      event.preventDefault()
      rows[Math.max(0, Math.min(rows.length - 1, to))]?.querySelector('a')?.focus()
    } else if (event.key === '/') {
      event.preventDefault()
      document.querySelector<HTMLInputElement>('.filters input')?.focus()
    } else if (event.key === ' ' && at < 0) {
      event.preventDefault()
      this.#turn()
    }
  }

  #turn(): void {
    if (this.#stop === undefined) {
      this.#skipped = 0
      void this.load().then(() => this.follow())
      replace(this.#toggle, 'Pause')
      return
    }
    this.stop()
    this.#tell('Paused')
    replace(this.#toggle, 'Follow')
  }

  #add({ traces, skipped }: TraceNews): void {
    this.#skipped += skipped
    this.rows = [...traces.toReversed(), ...this.rows].slice(0, Math.max(MOST_ROWS, PAGE))
    this.#tell('Following')
    this.#drawSoon()
  }

  #tell(state: string): void {
    const skipped = this.#skipped === 0 ? '' : `, ${this.#skipped} more came too fast to show`
    replace(this.#state, state + skipped)
  }

  /** However many events come; a flood that nobody reads is drawn once a second. */
  #drawSoon(): void {
    if (this.#timer !== undefined) return
    const waitMs = this.#skipped === 0 ? 0 : this.#drawnMs + FLOOD_MS - performance.now()
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#draw()
      },
      Math.max(0, waitMs),
    )
  }

  /** Touches only the rows that came and went: what stays keeps its place and its focus. */
  #draw(): void {
    this.#drawnMs = performance.now()
    const lines = new Map<string | undefined, HTMLElement>()
    const wanted = new Set(this.rows.map(({ requestId }) => requestId))
    for (const line of this.#body.querySelectorAll('tr')) {
      if (wanted.has(line.dataset['id'] ?? '')) lines.set(line.dataset['id'], line)
      else line.remove()
    }
    let at: Element | null = this.#body.firstElementChild
    for (const row of this.rows) {
      const known = lines.get(row.requestId)
      if (known !== undefined && known === at) at = at.nextElementSibling
      else this.#body.insertBefore(known ?? lineOf(row), at)
    }
    if (this.rows.length === 0) {
      const text = 'No trace matches. Only what was kept is here, and of that the last.'
      replace(this.#body, h('tr', { class: 'empty' }, h('td', { colspan: 8, class: 'none' }, text)))
    }
    this.#more.hidden = this.#next === undefined
    this.onRows(this.rows)
  }
}

function titleOf(title: string): HTMLElement {
  const isNumber = title === 'Took' || title === 'Size'
  return h('th', { scope: 'col', class: isNumber ? 'number' : undefined }, title)
}

function lineOf(row: TraceRow): HTMLElement {
  const tone = toneOf(row.status)
  const link = h('a', { href: traceHash(row.requestId) }, row.operation)
  const line = h(
    'tr',
    { 'data-id': row.requestId, class: tone },
    h('td', { class: 'time' }, clock(row.startMs)),
    h('td', { class: 'operation' }, link),
    h(
      'td',
      { class: 'status', title: row.error },
      statusText(row.status),
      row.error && ' ',
      row.error,
    ),
    h('td', { class: 'number took' }, duration(row.durationMs)),
    h('td', { class: 'number size' }, row.bytes === undefined ? '' : size(row.bytes)),
    h('td', { class: 'object' }, place(row)),
    h('td', { class: 'who' }, row.access ?? 'anonymous'),
    h(
      'td',
      { class: `reason ${row.reason}`, title: `kept ${REASONS[row.reason] ?? ''}` },
      row.reason,
    ),
  )
  line.addEventListener('click', () => link.click())
  link.addEventListener('click', (event) => event.stopPropagation())
  return line
}
