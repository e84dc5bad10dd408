import { DEFAULT_BATCH, type TracingConfig } from '../trace/tracing-config.ts'
import { GATEWAY_VERSION } from '../version.ts'
import { readTable, resolve, type GivenFlags, type Values } from './setting.ts'
import { TRACING_SETTINGS, type EndpointText } from './tracing-settings.ts'
import type { Environment } from './values.ts'

type TracingValues = Values<typeof TRACING_SETTINGS>
type TracingSources = Readonly<Record<keyof typeof TRACING_SETTINGS, string>>

/** Variables that others may have set for other programs count, and can be wrong, only where tracing is on. */
export function readTracing(
  flags: GivenFlags,
  env: Environment,
): { config: TracingConfig; sources: TracingSources } {
  const { otelEnabled, otelSdkDisabled } = TRACING_SETTINGS
  const enabled =
    resolve(otelEnabled, flags, env).value && !resolve(otelSdkDisabled, flags, env).value
  const ours = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('VGW_')))
  const { values, sources } = readTable(TRACING_SETTINGS, flags, enabled ? env : ours)
  return { config: tracingConfig(enabled, values), sources }
}

function tracingConfig(enabled: boolean, values: TracingValues): TracingConfig {
  const protocol = values.otelUseHttp ? 'http' : 'grpc'
  const { rate, parentBased } = values.sampler
  return {
    enabled,
    exporters: values.otelExporter,
    endpoint: endpointText(values.otelEndpoint, protocol),
    protocol,
    insecure: values.otelInsecure,
    headers: values.otelHeaders,
    serviceName: values.otelServiceName,
    environment: values.otelEnvironment,
    serviceVersion: values.serviceVersion ?? GATEWAY_VERSION,
    resourceAttributes: values.resourceAttributes,
    sampleRate: rate,
    parentBased,
    keepErrors: values.keepErrors,
    slowThresholdMs: values.slowThreshold,
    slowBytesPerSecond: values.slowRate,
    depth: values.otelDepth,
    trustParent: values.otelTrustParent,
    semconv: values.otelSemconv,
    batch: {
      unit:
        values.maxQueueSize === undefined && values.maxExportBatchSize === undefined
          ? 'traces'
          : 'spans',
      maxQueueSize: values.maxQueueSize ?? DEFAULT_BATCH.maxQueueSize,
      maxExportBatchSize: values.maxExportBatchSize ?? DEFAULT_BATCH.maxExportBatchSize,
      scheduleDelayMs: values.scheduleDelayMs,
      exportTimeoutMs: values.exportTimeoutMs,
    },
  }
}

/**
 * OpenTelemetry's own variables hold URLs that mean what they say: no other port than the scheme's is filled in, and
 * `/v1/traces` is added to the base URL of all signals, whatever its path. Of ours `parseEndpoint` makes more.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
 */
function endpointText(endpoint: EndpointText, protocol: 'grpc' | 'http'): string {
  const { text, kind } = endpoint
  if (kind === 'ours' || protocol === 'grpc' || !text.includes('://')) return text
  const url = new URL(text)
  const port = url.port === '' ? (url.protocol === 'https:' ? ':443' : ':80') : ''
  const path = kind === 'otel-base' ? `${url.pathname.replace(/\/$/, '')}/v1/traces` : url.pathname
  return `${url.protocol}//${url.host}${port}${path}${url.search}`
}
