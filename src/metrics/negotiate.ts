import type { Format } from './render.ts'

/** Which format a scraper would rather have, by its Accept header (RFC 9110, 12.5.1); text for whoever does not care. */
export function chooseFormat(accept: string | undefined): Format {
  let best: Format = 'text'
  let bestQuality = 0
  for (const range of (accept ?? '').slice(0, 4096).split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const format = formatOf(type, parameters)
    const quality = qualityOf(parameters)
    // Of two that are as welcome the one with exemplars.
    const isBetter = quality === bestQuality ? format === 'openmetrics' : quality > bestQuality
    if (format !== undefined && quality > 0 && isBetter) [best, bestQuality] = [format, quality]
  }
  return best
}

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  text: 'text/plain; version=0.0.4; charset=utf-8',
}

function formatOf(type: string, parameters: readonly string[]): Format | undefined {
  if (type === 'application/openmetrics-text') {
    const version = parameters.find((one) => one.startsWith('version='))?.slice(8)
    return version === undefined || version === '1.0.0' || version === '0.0.1'
      ? 'openmetrics'
      : undefined
  }
  return type === 'text/plain' || type === 'text/*' || type === '*/*' ? 'text' : undefined
}

function qualityOf(parameters: readonly string[]): number {
  const text = parameters.find((one) => one.startsWith('q='))?.slice(2)
  const quality = text === undefined ? 1 : Number(text)
  return quality >= 0 && quality <= 1 ? quality : 0
}
