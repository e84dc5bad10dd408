import { duration, size } from '../../explain/words.ts'
import type { ActivityView, TraceRow } from '../api-types.ts'
import { api } from './api.ts'
import { dotChart, lineChart, type Chart, type Line, type Lines } from './charts.ts'
import { h, replace } from './dom.ts'

export interface ActivityPanel {
  readonly element: HTMLElement
  readonly operations: readonly string[]
  /** Once it stands in the page: a chart is as wide as its place there. */
  draw(): void
  /** The dots: traces that the list shows. */
  showTraces(rows: readonly TraceRow[]): void
  stop(): void
}

const SLOTS = 360
/** Three slots of ten seconds are a point. */
const GROUP = 3
const REFRESH_MS = 10_000

/** The last hour of all requests, whether they were kept or not, and the traces of the list as dots to click on. */
export async function showActivity(
  open: (requestId: string) => void,
  operation: string | undefined,
): Promise<ActivityPanel> {
  const activity = await api.activity(SLOTS, GROUP)
  const dots = dotChart('Traces in the list: click one', [], open)
  const hour = linesOf(activity, operation).map(({ title, show, ...lines }) =>
    lineChart(title, lines, show),
  )
  const charts: readonly Pick<Chart<never>, 'figure' | 'draw' | 'fit' | 'destroy'>[] = [
    dots,
    ...hour,
  ]
  const grid = h('div', { class: 'charts' })
  const element = h('section', { 'aria-label': 'The last hour' }, grid)
  replace(grid, ...charts.map(({ figure }) => figure))
  const refresh = setInterval(() => {
    if (document.hidden) return
    api.activity(SLOTS, GROUP).then(
      (next) => {
        for (const [i, lines] of linesOf(next, operation).entries()) hour[i]?.update(lines)
      },
      () => undefined,
    )
  }, REFRESH_MS)
  const onResize = (): void => {
    for (const chart of charts) chart.fit()
  }
  addEventListener('resize', onResize)
  return {
    element,
    operations: activity.operations.map(({ operation }) => operation.replace(/^S3\./, '')),
    draw() {
      for (const chart of charts) chart.draw()
    },
    showTraces: (rows) => dots.update(pointsOf(rows)),
    stop() {
      clearInterval(refresh)
      removeEventListener('resize', onResize)
      for (const chart of charts) chart.destroy()
    },
  }
}

function pointsOf(rows: readonly TraceRow[]) {
  return rows
    .map(({ startMs, durationMs, status, requestId }) => ({
      startMs,
      durationMs,
      status,
      requestId,
    }))
    .sort((a, b) => a.startMs - b.startMs)
}

type Operations = ActivityView['operations']

interface TitledLines extends Lines {
  readonly title: string
  readonly show: (value: number) => string
}

/** Points that are shown at least, however short the gateway has been there. */
const LEAST_SLOTS = 20

function linesOf(activity: ActivityView, chosen: string | undefined): TitledLines[] {
  const { startMs, slotMs } = activity
  const name = chosen?.toLowerCase()
  const operations = activity.operations.filter(
    ({ operation }) =>
      name === undefined || name === '' || operation.toLowerCase().replace(/^s3\./, '') === name,
  )
  const shown = slotsOf(activity)
  const times = shown.map((slot) => (startMs + slot * slotMs) / 1000)
  const sum = (column: Column): number[] =>
    shown.map((slot) => operations.reduce((all, one) => all + (one[column][slot] ?? 0), 0))
  const perSecond = (column: Column): number[] => sum(column).map((n) => (n * 1000) / slotMs)
  const of = chosen === undefined || chosen === '' ? 'all operations' : chosen
  const percentile = (share: number): (number | null)[] =>
    shown.map((slot) => percentileOf(operations, slot, share, activity.latencyBoundsMs))
  const lines = (
    title: string,
    all: readonly Line[],
    show: (value: number) => string,
  ): TitledLines => ({ title, times, lines: all, show })
  return [
    lines(
      `Latency, ${of}`,
      [
        { label: 'median', color: '--c-data', values: percentile(0.5) },
        { label: '95 %', color: '--c-queue', values: percentile(0.95) },
        { label: '99 %', color: '--c-lock', values: percentile(0.99) },
      ],
      duration,
    ),
    lines(
      'Requests a second',
      [
        { label: 'all', color: '--c-auth', values: perSecond('requests') },
        { label: '4xx', color: '--warn', values: perSecond('clientErrors') },
        { label: '5xx', color: '--bad', values: perSecond('serverErrors') },
      ],
      rate,
    ),
    lines(
      'Waiting for the I/O pool, a request',
      [
        {
          label: 'mean',
          color: '--c-queue',
          values: ratio(sum('queueMs'), sum('requests')),
        },
      ],
      duration,
    ),
    lines(
      'Object bytes a second',
      [
        { label: 'in', color: '--c-client', values: perSecond('bytesIn') },
        { label: 'out', color: '--c-data', values: perSecond('bytesOut') },
      ],
      size,
    ),
  ]
}

/** The hour begins where something happened. */
function slotsOf({ slots, operations }: ActivityView): readonly number[] {
  const busy = operations.map(({ requests }) => requests.findIndex((number) => number > 0))
  const first = Math.max(0, Math.min(slots - LEAST_SLOTS, ...busy.filter((slot) => slot >= 0)) - 1)
  return Array.from({ length: slots - first }, (_, i) => first + i)
}

type Column = 'requests' | 'clientErrors' | 'serverErrors' | 'queueMs' | 'bytesIn' | 'bytesOut'

function ratio(above: readonly number[], below: readonly number[]): (number | null)[] {
  return above.map((number, i) => ((below[i] ?? 0) === 0 ? null : number / (below[i] ?? 1)))
}

function rate(perSecond: number): string {
  return perSecond >= 10 || perSecond === 0 ? String(Math.round(perSecond)) : perSecond.toFixed(1)
}

/** The upper bound of the bin that holds it: at most 19 % too high. Null where there was no request. */
function percentileOf(
  operations: Operations,
  slot: number,
  share: number,
  bounds: readonly number[],
): number | null {
  const counts = new Map<number, number>()
  let all = 0
  for (const { latency } of operations) {
    const pairs = latency[slot] ?? []
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const [bin = 0, count = 0] = [pairs[i], pairs[i + 1]]
      counts.set(bin, (counts.get(bin) ?? 0) + count)
      all += count
    }
  }
  let left = Math.ceil(all * share)
  for (const [bin, count] of [...counts].sort(([a], [b]) => a - b)) {
    left -= count
    if (left <= 0) return bounds[bin] ?? null
  }
  return null
}
