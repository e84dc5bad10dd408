import type { Exemplar, Family, HistogramValue, Series } from './family.ts'

/** Families of the same name become one; series of the same labels are added up, and of exemplars the youngest stays. */
export function sumFamilies(all: readonly (readonly Family[])[]): readonly Family[] {
  const byName = new Map<string, { family: Family; series: Map<string, Series> }>()
  for (const families of all)
    for (const family of families) {
      const sum = byName.get(family.name) ?? { family, series: new Map<string, Series>() }
      byName.set(family.name, sum)
      for (const one of family.series) {
        const id = JSON.stringify(one.labels)
        const known = sum.series.get(id)
        sum.series.set(id, known === undefined ? one : added(known, one))
      }
    }
  return [...byName.values()].map(({ family, series }) => ({
    ...family,
    series: [...series.values()],
  }))
}

/** What of a process that is gone still counts: gauges are of the moment, and what is a worker's own went with it. */
export function lasting(families: readonly Family[]): readonly Family[] {
  return families.filter(({ type, perWorker }) => type !== 'gauge' && perWorker !== true)
}

/** Each worker's own families tell whose they are. */
export function labelled(families: readonly Family[], worker: string): readonly Family[] {
  return families.map((family) =>
    family.perWorker === true
      ? {
          ...family,
          series: family.series.map(({ labels, value }) => ({
            labels: { worker, ...labels },
            value,
          })),
        }
      : family,
  )
}

function added(a: Series, b: Series): Series {
  if (typeof a.value === 'number' || typeof b.value === 'number')
    return { labels: a.labels, value: Number(a.value) + Number(b.value) }
  return { labels: a.labels, value: addedHistograms(a.value, b.value) }
}

function addedHistograms(a: HistogramValue, b: HistogramValue): HistogramValue {
  return {
    bounds: a.bounds,
    counts: a.counts.map((count, i) => count + (b.counts[i] ?? 0)),
    sum: addExactly(a.sum, b.sum),
    exemplars: a.counts.map((_, i) => younger(a.exemplars?.[i], b.exemplars?.[i])),
  }
}

function younger(a: Exemplar | undefined, b: Exemplar | undefined): Exemplar | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return b.unixMs > a.unixMs ? b : a
}

/**
 * Of whole millionths, so that the order does not matter: a sum that is less by its last bit after a worker was replaced is
 * taken for a counter that began anew.
 */
function addExactly(a: number, b: number): number {
  return (Math.round(a * 1e6) + Math.round(b * 1e6)) / 1e6
}
