import type { Config, Sources } from './config.ts'
import { parseEndpoint, shownUrl } from './trace/endpoint.ts'
import type { TracingConfig } from './trace/tracing-config.ts'
import { GATEWAY_VERSION } from './version.ts'

/** What a started gateway says of itself: where it is, what it serves, how safe writes are, where traces go. */
export function startUpLines(
  config: Config,
  { urls, adminUrls, viewerUrl, metricsUrls }: Places,
): readonly string[] {
  const { posix, sources } = config
  return [
    `versitygw-ts ${GATEWAY_VERSION}`,
    `  listening   ${urls.join('  ')}`,
    ...(config.workers === 1 ? [] : [`  workers     ${config.workers} (${sources.workers})`]),
    ...(adminUrls.length === 0 ? [] : [`  admin API   ${adminUrls.join('  ')}`]),
    `  directory   ${posix.directory}`,
    ...metadataLine(config),
    `  durability  ${posix.durability} (${sources.durability})`,
    `  tracing     ${tracingLine(config)}`,
    ...(metricsUrls.length === 0 ? [] : [`  metrics     ${metricsUrls.join('  ')}`]),
    ...(viewerUrl === undefined ? [] : [`  viewer      ${viewerLine(viewerUrl, sources)}`]),
    ...(config.sentry === undefined ? [] : [`  errors      ${sentryLine(config.sentry.dsn)}`]),
  ]
}

interface Places {
  readonly urls: readonly string[]
  readonly adminUrls: readonly string[]
  readonly viewerUrl: string | undefined
  readonly metricsUrls: readonly string[]
}

/** A token that was made for this start has to be told somewhere; one that was given is known to whom it belongs. */
function viewerLine(url: string, { viewerToken }: Sources): string {
  return viewerToken === 'default' ? url : url.replace(/#token=.*$/, '')
}

/** The key of a DSN is nobody's business. */
function sentryLine(dsn: string): string {
  const { host, pathname } = new URL(dsn)
  return `5xx and crashes to Sentry at ${host}${pathname}`
}

/** Told where it is not with the files. */
function metadataLine({ posix: { attributes }, sources }: Config): readonly string[] {
  if (attributes === 'xattr') return []
  if (attributes === 'none') return [`  metadata    none is kept (${sources.nometa})`]
  return [`  metadata    ${attributes.sidecar} (${sources.sidecar})`]
}

/** Something to paste: a socket on every address is reached by this host's name for itself. */
export function reachable(url: string): string {
  return url.replace(/\/\/(?:\[::\]|0\.0\.0\.0):/, '//localhost:')
}

/** Exporter, endpoint, protocol, sampler, and where each of them was set. */
function tracingLine({ tracing, sources }: Config): string {
  if (!tracing.enabled) {
    const cause =
      sources.otelSdkDisabled === 'default' ? sources.otelEnabled : sources.otelSdkDisabled
    return `off (${cause})`
  }
  const { exporters, protocol, encoding, insecure, endpoint, zipkinEndpoint, file, depth } = tracing
  const parts = [`${exporters.join(', ')} (${sources.otelExporter})`]
  if (exporters.includes('otlp')) {
    const { url } = parseEndpoint(endpoint, { protocol, insecure })
    parts.push(
      `to ${shownUrl(url)} (${sources.otelEndpoint})`,
      `by ${encoding === 'json' ? 'http/json' : protocol} (${sources.otelUseHttp})`,
    )
  }
  if (exporters.includes('zipkin'))
    parts.push(`zipkin to ${shownUrl(zipkinEndpoint)} (${sources.otelZipkinEndpoint})`)
  if (exporters.includes('file')) parts.push(`file ${file.path} (${sources.otelFile})`)
  const sampler = tracing.parentBased ? 'parent-based ratio' : 'ratio'
  parts.push(
    `${sampler} ${tracing.sampleRate} (${sources.sampler})`,
    `depth ${depth} (${sources.otelDepth})`,
    tailRule(tracing, sources),
  )
  return parts.join(', ')
}

/** What is kept whatever the sampler says. */
function tailRule(tracing: TracingConfig, sources: Sources): string {
  const { keepErrors, slowThresholdMs, slowBytesPerSecond } = tracing
  const errors =
    keepErrors === 'all' ? 'failed requests' : keepErrors === '5xx' ? '5xx' : 'no errors'
  const rate = slowBytesPerSecond === 0 ? '' : ` + bytes at ${slowBytesPerSecond / 1024 ** 2} MiB/s`
  const slow =
    slowThresholdMs === 0 ? 'no slow requests' : `requests slower than ${slowThresholdMs} ms${rate}`
  return `always kept: ${errors} (${sources.keepErrors}), ${slow} (${sources.slowThreshold}, ${sources.slowRate})`
}
