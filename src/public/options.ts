import { readTracing } from '../config/tracing.ts'
import { bool, ConfigError, type Environment } from '../config/values.ts'
import type { TracingConfig } from '../trace/tracing-config.ts'
import type { TracingOptions } from './types.ts'

/** The gateway's own settings, so that both understand an endpoint or a rate in the same way. */
const FLAGS: readonly (readonly [option: string, flag: string])[] = [
  ['serviceName', 'otel-service-name'],
  ['exporter', 'otel-exporter'],
  ['endpoint', 'otel-endpoint'],
  ['endpoint', 'otel-zipkin-endpoint'],
  ['endpoint', 'otel-file'],
  ['protocol', 'otel-use-http'],
  ['samplingRatio', 'otel-sample-rate'],
  ['headers', 'otel-headers'],
]

export function configFromOptions(options: TracingOptions): TracingConfig {
  const { serviceName, exporter = 'console', samplingRatio, resourceAttributes = {} } = options
  if (typeof serviceName !== 'string' || serviceName === '')
    throw new TypeError('serviceName: a name is needed')
  const exporters: readonly string[] = typeof exporter === 'string' ? [exporter] : exporter
  const flags = new Map<string, readonly string[]>([
    ['otel-enabled', ['true']],
    ['otel-insecure', ['true']],
    ['otel-service-name', [serviceName]],
    ['otel-exporter', exporters],
    ['otel-use-http', [String(options.protocol === 'http')]],
  ])
  if (samplingRatio !== undefined) flags.set('otel-sample-rate', [String(samplingRatio)])
  if (options.endpoint !== undefined) flags.set(endpointFlag(exporters), [options.endpoint])
  const { headers = {} } = options
  if (Object.keys(headers).length > 0) flags.set('otel-headers', [pairsText(headers)])
  const config = read(flags, {})
  return {
    ...config,
    enabled: !config.exporters.includes('none'),
    serviceVersion: resourceAttributes['service.version'] ?? '',
    environment: resourceAttributes['deployment.environment.name'] ?? config.environment,
    resourceAttributes: { ...resourceAttributes },
  }
}

/** As the flag takes them, which looks at each and shows none. */
function pairsText(headers: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(headers)
  return pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join(',')
}

function endpointFlag(exporters: readonly string[]): string {
  if (exporters.includes('zipkin')) return 'otel-zipkin-endpoint'
  return exporters.includes('file') ? 'otel-file' : 'otel-endpoint'
}

/** Names the option where the gateway would name its flag. */
function read(flags: ReadonlyMap<string, readonly string[]>, env: Environment): TracingConfig {
  try {
    return readTracing(flags, env).config
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const [option, flag] = FLAGS.find(([, flag]) => error.message.startsWith(`--${flag}`)) ?? []
    if (option === undefined) throw error
    throw new TypeError(error.message.replace(`--${flag}`, option), { cause: error })
  }
}

export interface EnvironmentConfig {
  readonly config: TracingConfig
  readonly autoInstrument: boolean
  readonly metrics: boolean
}

export function configFromEnv(env: Environment): EnvironmentConfig {
  const { config } = readTracing(new Map(), env)
  const serviceVersion =
    env['SERVICE_VERSION'] ?? config.resourceAttributes['service.version'] ?? ''
  const enabled = config.enabled && !config.exporters.includes('none')
  return {
    config: { ...config, enabled, serviceVersion },
    autoInstrument: isOn(env, 'VGW_OTEL_AUTO_INSTRUMENT'),
    metrics: isOn(env, 'VGW_OTEL_SPAN_METRICS'),
  }
}

function isOn(env: Environment, name: string): boolean {
  const text = env[name] ?? ''
  try {
    return text !== '' && bool(text)
  } catch (error) {
    throw new TypeError(`${name}: ${String(error)}`, { cause: error })
  }
}
