// A page imports addresses: the gateway serves the package's file.
// oxlint-disable-next-line import/no-absolute-path, import/default
import uPlot from '/uPlot.esm.js'
import type { AlignedData, Options, Scale, Series } from 'uplot'
import { duration } from '../../explain/words.ts'
import { h } from './dom.ts'
import { toneOf } from './words.ts'

/** A chart that is drawn once it stands in the page. */
export interface Chart<Data> {
  readonly figure: HTMLElement
  draw(): void
  update(data: Data): void
  /** Makes it as wide as its place is now. */
  fit(): void
  destroy(): void
}

export interface Lines {
  /** Unix time, seconds. */
  readonly times: readonly number[]
  readonly lines: readonly Line[]
}

export interface Line {
  readonly label: string
  /** A custom property of the style sheet. */
  readonly color: string
  /** One a time; null where there is none. */
  readonly values: readonly (number | null)[]
}

export interface Point {
  readonly startMs: number
  readonly durationMs: number
  readonly status: number
  readonly requestId: string
}

const HEIGHT = 140
/** The package's `Scale.Distr.Logarithmic`, an enum that exists in its types only. */
const LOGARITHMIC: unknown = 3

/** The hour as everybody reads it: `21:34`, `21:34:07`, and thousandths where marks are closer than a second. */
function clockMarks(_: uPlot, marks: number[]): string[] {
  const [first = 0, second = first + 60] = marks
  const step = second - first
  const from = step < 1 ? 17 : 11
  const to = step < 1 ? 23 : step < 60 ? 19 : 16
  return marks.map((seconds) => localTime(seconds).slice(from, to))
}

/** As toISOString() has it, but of this place. */
function localTime(seconds: number): string {
  const date = new Date(seconds * 1000)
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString()
}

/** A colour of the style sheet as a canvas takes it: the property itself names two, for light and dark. */
function css(name: string): string {
  const probe = h('span', {})
  probe.style.color = `var(${name})`
  document.body.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

function frame(title: string): { figure: HTMLElement; place: HTMLElement } {
  const place = h('div', { class: 'plot' })
  return { figure: h('figure', {}, h('figcaption', {}, title), place), place }
}

function optionsFor(place: HTMLElement, show: (value: number) => string): Options {
  const axis = {
    stroke: css('--quiet'),
    grid: { stroke: css('--line'), width: 1 },
    ticks: { show: false },
  }
  return {
    width: widthOf(place),
    height: HEIGHT,
    padding: [8, 22, 0, 0],
    cursor: { y: false, points: { size: 6 } },
    legend: { live: true },
    axes: [
      { ...axis, space: 60, size: 34, gap: 8, values: clockMarks },
      {
        ...axis,
        size: 64, // On a logarithmic scale most marks have no text.
        values: (_, ticks: (number | null)[]) =>
          ticks.map((tick) => (tick === null ? '' : show(tick))),
      },
    ],
    series: [{}],
  }
}

function widthOf(place: HTMLElement): number {
  return Math.max(220, place.clientWidth)
}

export function lineChart(
  title: string,
  first: Lines,
  show: (value: number) => string,
): Chart<Lines> {
  const { figure, place } = frame(title)
  const { lines } = first
  let shown = first
  let plot: uPlot | undefined
  return {
    figure,
    draw() {
      const options = optionsFor(place, show)
      options.scales = { y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } }
      options.series = [
        {
          label: 'at',
          value: (_, seconds) => (seconds === null ? '' : localTime(seconds).slice(11, 19)),
        },
        ...lines.map(({ label, color }): Series => ({
          label,
          stroke: css(color),
          width: 1.5,
          spanGaps: false,
          // A minute between two without requests is a point alone.
          points: { show: true, size: 3, fill: css(color) },
          value: (_, value) => (value === null ? '–' : show(value)),
        })),
      ]
      plot = new uPlot(options, columnsOf(shown), place)
    },
    update(next) {
      shown = next
      plot?.setData(columnsOf(shown))
    },
    fit: () => plot?.setSize({ width: widthOf(place), height: HEIGHT }),
    destroy: () => plot?.destroy(),
  }
}

function columnsOf({ times, lines }: Lines): AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])]
}

const TONES = ['good', 'warn', 'bad'] as const

/** A dot a trace: when, and on a logarithmic scale how long. */
export function dotChart(
  title: string,
  points: readonly Point[],
  open: (requestId: string) => void,
): Chart<readonly Point[]> {
  const { figure, place } = frame(title)
  let shown = points
  let plot: uPlot | undefined
  return {
    figure,
    draw() {
      const options = optionsFor(place, duration)
      options.legend = { show: false }
      options.cursor = { y: false, x: false, points: { show: false }, drag: { x: true, y: false } }
      options.scales = {
        x: { range: (_, min, max) => beside(min, max) },
        y: { distr: LOGARITHMIC as Scale.Distr, range: (_, min, max) => around(min, max) },
      }
      const [, axis] = options.axes ?? []
      // Lines at powers of ten alone: those between them are a hatching.
      if (axis?.grid !== undefined)
        axis.grid.filter = (_, marks) => marks.map((mark) => (isPowerOfTen(mark) ? mark : null))
      options.series = [
        {},
        ...TONES.map((tone): Series => ({
          stroke: css(`--${tone}`),
          paths: () => null,
          points: { show: true, size: 7, fill: css(`--${tone}`) },
        })),
      ]
      plot = new uPlot(options, dataOf(shown), place)
      plot.over.addEventListener('click', (event) => {
        const near = nearest(plot, shown, event)
        if (near !== undefined) open(near.requestId)
      })
    },
    update(next) {
      shown = next
      plot?.setData(dataOf(shown))
    },
    fit: () => plot?.setSize({ width: widthOf(place), height: HEIGHT }),
    destroy: () => plot?.destroy(),
  }
}

/** With room at both sides: a dot at the edge is half a dot, and one alone has no width of its own. */
function beside(min: number | null, max: number | null): [number, number] {
  const to = max ?? Date.now() / 1000
  const from = min ?? to - 60
  const room = Math.max((to - from) * 0.04, 0.05)
  return [from - room, to + room]
}

/** From one power of ten to another: the package counts the marks between them, without end between two that are none. */
function around(min: number | null, max: number | null): [number, number] {
  const low = 10 ** Math.floor(Math.log10(min ?? 1))
  return [low, Math.max(low * 10, 10 ** Math.ceil(Math.log10(max ?? 10)))]
}

function isPowerOfTen(number: number): boolean {
  const power = Math.log10(number)
  return Math.abs(power - Math.round(power)) < 1e-9
}

function dataOf(points: readonly Point[]): AlignedData {
  return [
    points.map(({ startMs }) => startMs / 1000),
    ...TONES.map((tone) =>
      points.map(({ status, durationMs }) =>
        toneOf(status) === tone ? Math.max(durationMs, 0.001) : null,
      ),
    ),
  ]
}

const REACH_PX = 12

function nearest(
  plot: uPlot | undefined,
  points: readonly Point[],
  { offsetX, offsetY }: MouseEvent,
): Point | undefined {
  let best: Point | undefined
  let reach = REACH_PX
  for (const point of points) {
    const x = plot?.valToPos(point.startMs / 1000, 'x') ?? 0
    const y = plot?.valToPos(Math.max(point.durationMs, 0.001), 'y') ?? 0
    const away = Math.hypot(x - offsetX, y - offsetY)
    if (away > reach) continue
    reach = away
    best = point
  }
  return best
}
