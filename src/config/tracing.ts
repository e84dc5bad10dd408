import { resolve as resolvePath } from 'node:path'
import { DEFAULT_BATCH, type BatchConfig, type TracingConfig } from '../trace/tracing-config.ts'
import { GATEWAY_VERSION } from '../version.ts'
import { endpointSetting, type EndpointText } from './exporter-settings.ts'
import { readTable, resolve, type GivenFlags, type Values } from './setting.ts'
import { TRACING_SETTINGS } from './tracing-settings.ts'
import { ConfigError, type Environment } from './values.ts'

type TracingValues = Values<typeof TRACING_SETTINGS>
type TracingSources = Readonly<Record<keyof typeof TRACING_SETTINGS, string>>

/** Variables that others may have set for other programs count, and can be wrong, only where tracing is on. */
export function readTracing(
  flags: GivenFlags,
  env: Environment,
): { config: TracingConfig; sources: TracingSources } {
  const { otelEnabled, otelSdkDisabled } = TRACING_SETTINGS
  const wanted = resolve(otelEnabled, flags, env).value
  const enabled = wanted && !resolve(otelSdkDisabled, flags, env).value
  // What turned it off stands in the start-up line.
  const isOurs = (name: string) =>
    name.startsWith('VGW_') || (wanted && name === 'OTEL_SDK_DISABLED')
  const ours = Object.fromEntries(Object.entries(env).filter(([name]) => isOurs(name)))
  const counted = enabled ? env : ours
  const { isJaeger } = resolve(TRACING_SETTINGS.otelExporter, flags, counted).value
  const table = { ...TRACING_SETTINGS, otelEndpoint: endpointSetting(isJaeger) }
  const { values, sources } = readTable(table, flags, counted)
  if ((values.otelCert === undefined) !== (values.otelKey === undefined))
    throw new ConfigError(
      `${values.otelKey === undefined ? sources.otelCert : sources.otelKey}: --otel-cert and --otel-key need each other`,
    )
  const isHttp = isOfHttp(values, sources)
  return {
    config: tracingConfig(enabled, {
      ...values,
      otelUseHttp: isHttp,
      // A flag that asks for HTTP means protobuf, whatever a variable below it says.
      otlpEncoding: sources.otelUseHttp === sources.otlpEncoding ? values.otlpEncoding : 'protobuf',
    }),
    sources:
      isHttp === values.otelUseHttp
        ? sources
        : { ...sources, otelUseHttp: `path of ${sources.otelEndpoint}` },
  }
}

/** gRPC has no paths: where nobody has chosen a protocol, an address with OTLP/HTTP's path means that one. */
function isOfHttp({ otelUseHttp, otelEndpoint }: TracingValues, sources: TracingSources): boolean {
  if (sources.otelUseHttp !== 'default') return otelUseHttp
  return /\/v1\/traces\/?$/.test(otelEndpoint.text)
}

function tracingConfig(enabled: boolean, values: TracingValues): TracingConfig {
  const protocol = values.otelUseHttp ? 'http' : 'grpc'
  const { rate, parentBased } = values.sampler
  return {
    enabled,
    exporters: values.otelExporter.names,
    endpoint: endpointText(values.otelEndpoint, protocol),
    protocol,
    encoding: values.otlpEncoding,
    insecure: values.otelInsecure,
    headers: values.otelHeaders,
    tlsFiles: {
      ca: absolute(values.otelCa),
      cert: absolute(values.otelCert),
      key: absolute(values.otelKey),
    },
    compression: values.otelCompression,
    requestTimeoutMs: values.otelTimeoutMs,
    zipkinEndpoint: values.otelZipkinEndpoint,
    file: { path: resolvePath(values.otelFile), maxBytes: values.otelFileMaxSize },
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
    propagators: values.propagators,
    spanLimits: {
      attributeValueLength: values.attributeValueLength,
      attributeCount: values.attributeCount,
      eventCount: values.eventCount,
      linkCount: values.linkCount,
      eventAttributeCount: values.eventAttributeCount,
      linkAttributeCount: values.linkAttributeCount,
    },
    batch: batchConfig(values),
  }
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolvePath(path)
}

/** Who sets a size means spans, as OpenTelemetry does. */
function batchConfig(values: TracingValues): BatchConfig {
  const { maxQueueSize, maxExportBatchSize, scheduleDelayMs, exportTimeoutMs } = values
  const isOurs = maxQueueSize === undefined && maxExportBatchSize === undefined
  const queue = maxQueueSize ?? DEFAULT_BATCH.maxQueueSize
  return {
    unit: isOurs ? 'traces' : 'spans',
    maxQueueSize: queue,
    maxExportBatchSize: Math.min(maxExportBatchSize ?? DEFAULT_BATCH.maxExportBatchSize, queue),
    scheduleDelayMs,
    exportTimeoutMs,
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
