import { expect, test } from 'vitest'
import { gauge, type Exemplar, type Family } from './family.ts'
import { labelled, lasting, sumFamilies } from './sum.ts'

const exemplar = (traceId: string, unixMs: number): Exemplar => ({
  traceId,
  spanId: 's',
  value: 1,
  unixMs,
})

const durations = (counts: number[], exemplars: (Exemplar | undefined)[]): Family => ({
  name: 'd_seconds',
  type: 'histogram',
  help: '',
  series: [
    { labels: { operation: 'GetObject' }, value: { bounds: [1], counts, sum: 2, exemplars } },
  ],
})

test('series of the same labels are added up, others stand side by side', () => {
  const count = (operation: string, value: number): Family => ({
    name: 'c_total',
    type: 'counter',
    help: '',
    series: [{ labels: { operation }, value }],
  })
  const [sum] = sumFamilies([[count('a', 1)], [count('b', 2)], [count('a', 3)], []])
  expect(sum?.series).toEqual([
    { labels: { operation: 'a' }, value: 4 },
    { labels: { operation: 'b' }, value: 2 },
  ])
})

test('histograms are added by bucket; of two exemplars the younger stays', () => {
  const [old, young, only] = [exemplar('old', 1), exemplar('young', 2), exemplar('only', 0)]
  const [sum] = sumFamilies([
    [durations([1, 2], [young, undefined])],
    [durations([10, 20], [old, only])],
  ])
  expect(sum?.series[0]?.value).toEqual({
    bounds: [1],
    counts: [11, 22],
    sum: 4,
    exemplars: [young, only],
  })
})

test('of a process that is gone gauges and what was its own are left out', () => {
  const own: Family = { ...gauge('cpu_total', '', 1), type: 'counter', perWorker: true }
  expect(lasting([gauge('g', '', 1), own, durations([1, 1], [])]).map(({ name }) => name)).toEqual([
    'd_seconds',
  ])
})

test('what is a worker’s own says whose it is', () => {
  const own: Family = { ...gauge('rss_bytes', '', 1), perWorker: true }
  expect(labelled([own, gauge('g', '', 2)], '3').map(({ series }) => series)).toEqual([
    [{ labels: { worker: '3' }, value: 1 }],
    [{ labels: {}, value: 2 }],
  ])
})

test('what several workers have together does not depend on who comes first', () => {
  const sums = [0.1, 0.2, 0.3, 0.000_000_4, 1e6 + 0.7]
  const family = (sum: number): Family => ({
    ...durations([1], [undefined]),
    series: [{ labels: {}, value: { bounds: [1], counts: [1], sum, exemplars: [] } }],
  })
  const total = (order: readonly number[]): unknown => {
    const [summed] = sumFamilies(order.map((sum) => [family(sum)]))
    return summed?.series[0]?.value
  }
  expect(total(sums)).toMatchObject({ sum: 1_000_001.3 })
  expect(total(sums.toReversed())).toEqual(total(sums))
})
