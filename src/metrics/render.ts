import type { Exemplar, Family, HistogramValue, Labels, Series } from './family.ts'

export type Format = 'openmetrics' | 'text'

/**
 * Families as text: OpenMetrics 1.0.0 (https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md),
 * which has exemplars, or Prometheus' older format (https://prometheus.io/docs/instrumenting/exposition_formats/).
 */
export function render(families: readonly Family[], format: Format): string {
  const lines: string[] = []
  for (const family of families) {
    if (family.series.length === 0) continue
    const name = familyName(family, format)
    lines.push(`# HELP ${name} ${escapeHelp(family.help)}`, `# TYPE ${name} ${family.type}`)
    const unit = format === 'openmetrics' ? unitOf(name) : undefined
    if (unit !== undefined) lines.push(`# UNIT ${name} ${unit}`)
    for (const series of family.series) renderSeries(lines, family, series, format)
  }
  if (format === 'openmetrics') lines.push('# EOF')
  return `${lines.join('\n')}\n`
}

/** OpenMetrics names a counter's family without the suffix that its sample has. */
function familyName({ name, type }: Family, format: Format): string {
  return format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name
}

function unitOf(name: string): string | undefined {
  return /_(seconds|bytes)$/.exec(name)?.[1]
}

function renderSeries(
  lines: string[],
  { name }: Family,
  { labels, value }: Series,
  format: Format,
): void {
  if (typeof value === 'number') lines.push(`${name}${labelText(labels)} ${numberText(value)}`)
  else renderHistogram(lines, name, { labels, value }, format)
}

function renderHistogram(
  lines: string[],
  name: string,
  { labels, value }: { readonly labels: Labels; readonly value: HistogramValue },
  format: Format,
): void {
  let count = 0
  for (const [i, inBucket] of value.counts.entries()) {
    count += inBucket
    const bound = value.bounds[i]
    const le = bound === undefined ? '+Inf' : floatText(bound)
    const exemplar = format === 'openmetrics' ? exemplarText(value.exemplars?.[i]) : ''
    lines.push(`${name}_bucket${labelText({ ...labels, le })} ${count}${exemplar}`)
  }
  lines.push(
    `${name}_sum${labelText(labels)} ${numberText(value.sum)}`,
    `${name}_count${labelText(labels)} ${count}`,
  )
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return ''
  const { traceId, spanId, value, unixMs } = exemplar
  const ids = labelText({ trace_id: traceId, span_id: spanId })
  return ` # ${ids} ${numberText(value)} ${(unixMs / 1000).toFixed(3)}`
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

/** OpenMetrics wants a bound to look like a float; the same text in both formats is the same series. */
function floatText(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
