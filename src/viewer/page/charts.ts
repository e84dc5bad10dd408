// A page imports addresses: the gateway serves the package's file.
// oxlint-disable-next-line import/no-absolute-path, import/default
import uPlot from '/uPlot.esm.js'
import type { AlignedData, Options, Scale, Series } from 'uplot'
import { duration } from '../../explain/words.ts'
import { h } from './dom.ts'
import { toneOf } from './words.ts'

/** A chart that is drawn once it stands in the page. */
export interface Chart {
  readonly figure: HTMLElement
  draw(): void
  update?(points: readonly Point[]): void
  destroy(): void
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

const HEIGHT = 150
/** The package's `Scale.Distr.Logarithmic`, an enum that exists in its types only. */
const LOGARITHMIC: unknown = 3

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
    width: Math.max(240, place.clientWidth),
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 6 } },
    legend: { live: true },
    axes: [
      { ...axis, space: 60 },
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

export function lineChart(
  title: string,
  times: readonly number[],
  lines: readonly Line[],
  show: (value: number) => string,
): Chart {
  const { figure, place } = frame(title)
  let plot: uPlot | undefined
  return {
    figure,
    draw() {
      const options = optionsFor(place, show)
      options.scales = { y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } }
      options.series = [
        {
          value: (_, seconds) =>
            seconds === null ? '' : new Date(seconds * 1000).toLocaleTimeString(),
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
      const data: AlignedData = [[...times], ...lines.map(({ values }) => [...values])]
      plot = new uPlot(options, data, place)
    },
    destroy: () => plot?.destroy(),
  }
}

const TONES = ['good', 'warn', 'bad'] as const

/** A dot a trace: when, and on a logarithmic scale how long. */
export function dotChart(
  title: string,
  points: readonly Point[],
  open: (requestId: string) => void,
): Chart {
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
        y: { distr: LOGARITHMIC as Scale.Distr, range: (_, min, max) => around(min, max) },
      }
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
    destroy: () => plot?.destroy(),
  }
}

/** From one power of ten to another: the package counts the marks between them, without end between two that are none. */
function around(min: number | null, max: number | null): [number, number] {
  const low = 10 ** Math.floor(Math.log10(min ?? 1))
  return [low, Math.max(low * 10, 10 ** Math.ceil(Math.log10(max ?? 10)))]
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
