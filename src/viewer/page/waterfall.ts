import type { SpanView } from '../api-types.ts'
import { h, replace } from './dom.ts'
import { visibleRows, type Row } from './rows.ts'
import { marks, micros } from './times.ts'

/** Pixels; the style sheet says the same. */
const ROW_HEIGHT = 26
/** Rows drawn above and below what is seen. */
const MARGIN = 10
const ZOOM_STEP = 1.6
/** Nothing is shown that is shorter than a tenth of a microsecond. */
const LEAST_SPAN_US = 0.1

/** Beside its bar, on the side where there is room; else upon it. */
function placeTime(time: HTMLElement, start: number, end: number): void {
  const upon = start < 0.2 && end > 0.8
  if (upon) time.classList.add('upon')
  if (end <= 0.8) time.style.left = `${Math.max(0, end) * 100}%`
  else time.style.right = `${(1 - Math.min(1, upon ? end : start)) * 100}%`
}

/**
 * The waterfall: a row a span, each a bar where and as long as it was. Only the rows that are seen are in the page, so that
 * ten thousand spans scroll as ten do.
 */
export class Waterfall {
  readonly element: HTMLElement
  readonly #tree: readonly SpanView[]
  readonly #onSelect: (span: SpanView, isUsers: boolean) => void
  readonly #ruler = h('div', { class: 'ruler', 'aria-hidden': 'true' })
  readonly #space = h('div', { class: 'space' })
  readonly #scroller: HTMLElement
  readonly #turned = new Set<string>()
  readonly #totalUs: number
  #rows: readonly Row[] = []
  #selected = 0
  #from = 0
  #to: number
  #frame = 0
  readonly #observer = new ResizeObserver(() => this.#drawSoon())

  constructor(tree: readonly SpanView[], onSelect: (span: SpanView, isUsers: boolean) => void) {
    this.#tree = tree
    this.#onSelect = onSelect
    this.#totalUs = Math.max(tree[0]?.durationUs ?? 0, LEAST_SPAN_US)
    this.#to = this.#totalUs
    this.#scroller = h('div', { class: 'rows', role: 'tree', tabindex: 0 }, this.#space)
    const button = (text: string, title: string, act: () => void): HTMLElement =>
      h('button', { type: 'button', title, onclick: act }, text)
    this.element = h(
      'section',
      { class: 'waterfall', 'aria-label': 'Waterfall' },
      h(
        'div',
        { class: 'bar' },
        button('+', 'Zoom in (+)', () => this.#zoom(1 / ZOOM_STEP)),
        button('−', 'Zoom out (−)', () => this.#zoom(ZOOM_STEP)),
        button('All', 'The whole request (0)', () => this.#show(0, this.#totalUs)),
        button('Span', 'Only the chosen span (z)', () => this.#zoomToSelected()),
        button('Fold', 'Close all (f)', () => this.#fold()),
        h('span', { class: 'hint' }, '↑ ↓ choose · ← → close, open · + − 0 z zoom · Esc back'),
      ),
      this.#ruler,
      this.#scroller,
    )
    this.#scroller.addEventListener('scroll', () => this.#drawSoon(), { passive: true })
    this.#scroller.addEventListener('wheel', (event) => this.#onWheel(event), { passive: false })
  }

  /** To be called once it stands in the page. */
  start(spanId: string | undefined): void {
    this.#layOut()
    const index = this.#tree.findIndex(({ id }) => id === spanId)
    if (index > 0) this.#reveal(index)
    this.#select(Math.max(0, this.#rowOf(Math.max(0, index))), false)
    this.#observer.observe(this.#scroller)
    this.#scroller.focus({ preventScroll: true })
  }

  stop(): void {
    cancelAnimationFrame(this.#frame)
    this.#observer.disconnect()
  }

  onKey(event: KeyboardEvent): void {
    const act = this.#keys[event.key]
    if (act === undefined) return
    event.preventDefault()
    act()
  }

  readonly #keys: Readonly<Record<string, (() => void) | undefined>> = {
    ArrowDown: () => this.#select(this.#selected + 1, true),
    ArrowUp: () => this.#select(this.#selected - 1, true),
    j: () => this.#select(this.#selected + 1, true),
    k: () => this.#select(this.#selected - 1, true),
    Home: () => this.#select(0, true),
    End: () => this.#select(this.#rows.length - 1, true),
    PageDown: () => this.#select(this.#selected + 20, true),
    PageUp: () => this.#select(this.#selected - 20, true),
    ArrowRight: () => this.#turn(this.#selected, true),
    ArrowLeft: () => this.#turn(this.#selected, false),
    Enter: () => this.#turn(this.#selected, !(this.#rows[this.#selected]?.isOpen ?? false)),
    '+': () => this.#zoom(1 / ZOOM_STEP),
    '=': () => this.#zoom(1 / ZOOM_STEP),
    '-': () => this.#zoom(ZOOM_STEP),
    '0': () => this.#show(0, this.#totalUs),
    z: () => this.#zoomToSelected(),
    f: () => this.#fold(),
  }

  #layOut(): void {
    this.#rows = visibleRows(this.#tree, this.#turned)
    this.#space.style.height = `${this.#rows.length * ROW_HEIGHT}px`
    this.#drawSoon()
  }

  #rowOf(index: number): number {
    return this.#rows.findIndex((row) => row.index === index && !row.handle.startsWith('g'))
  }

  /** Opens what hides a span. */
  #reveal(index: number): void {
    for (let at = 0; this.#rowOf(index) < 0 && at < this.#tree.length; at++) {
      const group = this.#rows.findLast(
        (row) => row.handle.startsWith('g') && row.index <= index && !row.isOpen,
      )
      if (group === undefined) return
      this.#turned.add(group.handle)
      this.#layOut()
    }
  }

  #turn(at: number, toOpen: boolean): void {
    const row = this.#rows[at]
    if (row === undefined) return
    if (!row.hasChildren || row.isOpen === toOpen) {
      // As in a file manager: to the parent, or to the first child.
      const parent = this.#rows.findLastIndex((other, i) => i < at && other.level < row.level)
      this.#select(toOpen ? at + 1 : parent, true)
      return
    }
    if (!this.#turned.delete(row.handle)) this.#turned.add(row.handle)
    this.#layOut()
  }

  #fold(): void {
    this.#turned.clear()
    this.#rows = visibleRows(this.#tree, this.#turned)
    for (const row of this.#rows)
      if (row.level > 0 && row.hasChildren && row.isOpen) this.#turned.add(row.handle)
    this.#layOut()
    this.#select(0, true)
  }

  #select(at: number, isUsers: boolean): void {
    const next = Math.max(0, Math.min(this.#rows.length - 1, at))
    this.#selected = next
    const row = this.#rows[next]
    if (row === undefined) return
    this.#onSelect(row.span, isUsers)
    const top = next * ROW_HEIGHT
    const { scrollTop, clientHeight } = this.#scroller
    if (top < scrollTop) this.#scroller.scrollTop = top
    else if (top + ROW_HEIGHT > scrollTop + clientHeight)
      this.#scroller.scrollTop = top + ROW_HEIGHT - clientHeight
    this.#drawSoon()
  }

  #zoom(factor: number, around?: number): void {
    const row = this.#rows[this.#selected]
    const center = around ?? (row === undefined ? 0 : (row.span.startUs + row.endUs) / 2)
    const at = Math.max(this.#from, Math.min(this.#to, center))
    this.#show(at - (at - this.#from) * factor, at + (this.#to - at) * factor)
  }

  #zoomToSelected(): void {
    const row = this.#rows[this.#selected]
    if (row === undefined) return
    const margin = Math.max((row.endUs - row.span.startUs) * 0.05, LEAST_SPAN_US)
    this.#show(row.span.startUs - margin, row.endUs + margin)
  }

  #show(from: number, to: number): void {
    const width = Math.min(this.#totalUs, Math.max(LEAST_SPAN_US, to - from))
    this.#from = Math.max(0, Math.min(from, this.#totalUs - width))
    this.#to = this.#from + width
    this.#drawSoon()
  }

  #onWheel(event: WheelEvent): void {
    if (!event.ctrlKey && !event.shiftKey) return
    event.preventDefault()
    const { left, width } = this.#ruler.getBoundingClientRect()
    const share = Math.max(0, Math.min(1, (event.clientX - left) / Math.max(1, width)))
    const at = this.#from + share * (this.#to - this.#from)
    if (event.ctrlKey) this.#zoom(event.deltaY > 0 ? ZOOM_STEP : 1 / ZOOM_STEP, at)
    else {
      const step = ((event.deltaY || event.deltaX) / 500) * (this.#to - this.#from)
      this.#show(this.#from + step, this.#to + step)
    }
  }

  #drawSoon(): void {
    cancelAnimationFrame(this.#frame)
    this.#frame = requestAnimationFrame(() => this.#draw())
  }

  #draw(): void {
    const { scrollTop, clientHeight } = this.#scroller
    const first = Math.max(0, Math.floor(scrollTop / ROW_HEIGHT) - MARGIN)
    const last = Math.min(
      this.#rows.length,
      Math.ceil((scrollTop + clientHeight) / ROW_HEIGHT) + MARGIN,
    )
    const lines = this.#rows.slice(first, last).map((row, i) => this.#line(row, first + i))
    replace(this.#space, ...lines)
    this.#drawRuler()
  }

  #drawRuler(): void {
    const most = Math.max(2, Math.floor(this.#ruler.clientWidth / 90))
    replace(
      this.#ruler,
      ...marks(this.#from, this.#to, most).flatMap((at) => {
        // At the very end there is no room for its text.
        if (this.#share(at) > 0.94) return []
        const mark = h('span', {}, micros(at))
        mark.style.left = `${this.#share(at) * 100}%`
        return mark
      }),
    )
  }

  #share(us: number): number {
    return (us - this.#from) / (this.#to - this.#from)
  }

  #line(row: Row, at: number): HTMLElement {
    const { span, level, hasChildren, isOpen, count, endUs } = row
    const name = h(
      'span',
      { class: 'name', title: span.name },
      hasChildren ? (isOpen ? '▾ ' : '▸ ') : '',
      span.name.replace(/^Posix\.(?:IO|Syscall)\./, ''),
      count > 1 && h('b', {}, ` ×${count}`),
    )
    name.style.paddingLeft = `${Math.min(level, 12) * 12 + 4}px`
    const bar = h('span', {
      class: `span p-${span.phase}${span.error === undefined ? '' : ' failed'}`,
    })
    const start = Math.max(0, this.#share(span.startUs))
    const end = Math.min(1, this.#share(endUs))
    bar.style.left = `${start * 100}%`
    bar.style.width = `${Math.max(0, end - start) * 100}%`
    bar.hidden = end < 0 || start > 1
    const time = h('span', { class: 'time' }, micros(endUs - span.startUs))
    placeTime(time, start, end)
    const line = h(
      'div',
      {
        class: at === this.#selected ? 'row selected' : 'row',
        role: 'treeitem',
        'aria-level': level + 1,
        'aria-selected': String(at === this.#selected),
        'aria-expanded': hasChildren ? String(isOpen) : undefined,
        'aria-label': `${span.name}, ${micros(span.durationUs)}`,
        onclick: () => this.#select(at, true),
        ondblclick: () => this.#turn(at, !isOpen),
      },
      name,
      h('span', { class: 'track' }, bar, time),
    )
    name.addEventListener('click', () => {
      if (hasChildren && at === this.#selected) this.#turn(at, !isOpen)
    })
    line.style.top = `${at * ROW_HEIGHT}px`
    return line
  }
}
