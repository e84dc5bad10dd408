import { parseEndpoint } from '../trace/endpoint.ts'
import { DEFAULT_BATCH, type ExporterName, type Semconv } from '../trace/tracing-config.ts'
import { setting, toggle, type ForeignVariable } from './setting.ts'
import {
  ConfigError,
  bytes,
  choice,
  durationOrZero,
  integer,
  list,
  pairs,
  ratio,
  text,
  type Environment,
} from './values.ts'

/** How traces are chosen at their root. Without `parentBased` the caller's decision does not count. */
export interface Sampler {
  readonly rate: number
  readonly parentBased: boolean
}

/** Where OTLP goes. A base URL, from OTEL_EXPORTER_OTLP_ENDPOINT, is of all signals. */
export interface EndpointText {
  readonly text: string
  readonly kind: 'ours' | 'otel' | 'otel-base'
}

/** `--otel-*` and the variables that are read beside it, each list in the order of the trace contract, section 1. */
export const TRACING_SETTINGS = {
  otelEnabled: toggle({
    flag: 'otel-enabled',
    env: ['VGW_OTEL_ENABLED', 'TRACING_ENABLED'],
    help: 'tracing on',
  }),
  otelSdkDisabled: toggle({ env: 'OTEL_SDK_DISABLED', help: 'tracing off, whatever else is set' }),
  otelExporter: setting({
    flag: 'otel-exporter',
    env: ['VGW_OTEL_EXPORTER', 'OTEL_TRACES_EXPORTER', 'TRACING_EXPORTER'],
    form: 'many',
    parse: exporters,
    default: ['otlp'],
    help: 'where traces go: otlp, console (also stdout), none; a list (default otlp)',
  }),
  otelEndpoint: setting({
    flag: 'otel-endpoint',
    env: [
      'VGW_OTEL_ENDPOINT',
      { name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', read: (value) => endpoint(value, 'otel') },
      { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', read: (value) => endpoint(value, 'otel-base') },
      'OTLP_ENDPOINT',
    ],
    parse: (value) => endpoint(value, 'ours'),
    default: { text: 'localhost', kind: 'ours' },
    help: 'OTLP receiver: http://… without TLS, https://… with it, or host:port (default localhost:4317, 4318 for HTTP)',
  }),
  otelUseHttp: toggle({
    flag: 'otel-use-http',
    env: [
      'VGW_OTEL_USE_HTTP',
      protocol('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'),
      protocol('OTEL_EXPORTER_OTLP_PROTOCOL'),
    ],
    help: 'OTLP over HTTP/protobuf instead of gRPC',
  }),
  otelInsecure: toggle({
    flag: 'otel-insecure',
    env: ['VGW_OTEL_INSECURE', 'OTEL_EXPORTER_OTLP_TRACES_INSECURE', 'OTEL_EXPORTER_OTLP_INSECURE'],
    help: 'no TLS towards a receiver given as host:port',
  }),
  otelHeaders: setting({
    flag: 'otel-headers',
    env: ['VGW_OTEL_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'OTEL_EXPORTER_OTLP_HEADERS'],
    parse: pairs,
    default: {},
    secret: true,
    help: 'k=v,k=v sent with each export, such as API keys',
  }),
  otelServiceName: setting({
    flag: 'otel-service-name',
    env: ['VGW_OTEL_SERVICE_NAME', 'OTEL_SERVICE_NAME', resourceAttribute('service.name')],
    parse: text,
    default: 'versitygw',
    help: 'service.name of the traces',
  }),
  otelEnvironment: setting({
    flag: 'otel-environment',
    env: [
      'VGW_OTEL_ENVIRONMENT',
      resourceAttribute('deployment.environment.name'),
      resourceAttribute('deployment.environment'),
      'APP_ENV',
    ],
    parse: text,
    default: 'development',
    help: 'deployment.environment.name of the traces',
  }),
  serviceVersion: setting({
    env: [resourceAttribute('service.version'), 'SERVICE_VERSION'],
    parse: text,
    help: 'service.version of the traces',
  }),
  resourceAttributes: setting({
    env: 'OTEL_RESOURCE_ATTRIBUTES',
    parse: pairs,
    default: {},
    help: 'more attributes of the resource',
  }),
  sampler: setting({
    flag: 'otel-sample-rate',
    env: [
      'VGW_OTEL_SAMPLE_RATE',
      { name: 'OTEL_TRACES_SAMPLER', read: otelSampler },
      'TRACING_SAMPLE_RATE',
      { name: 'APP_ENV', read: environmentSampler },
    ],
    parse: parentBased,
    default: { rate: 1, parentBased: true },
    help: 'share of traces that is kept, 0 to 1, unless the caller has decided (default 1)',
  }),
  keepErrors: setting({
    flag: 'otel-keep-errors',
    env: 'VGW_OTEL_KEEP_ERRORS',
    parse: choice('all', '5xx', 'none'),
    default: 'all',
    help: 'failed requests whose traces are kept whatever the rate: all (400 and above), 5xx or none',
  }),
  slowThreshold: setting({
    flag: 'otel-slow-threshold',
    env: 'VGW_OTEL_SLOW_THRESHOLD',
    parse: durationOrZero,
    default: 1000,
    help: 'traces of requests slower than this are kept whatever the rate; 0: none (default 1s)',
  }),
  slowRate: setting({
    flag: 'otel-slow-rate',
    env: 'VGW_OTEL_SLOW_RATE',
    parse: bytes,
    default: 10 * 1024 ** 2,
    help: 'bytes a second for which a request gets time beyond the threshold; 0: none (default 10MiB)',
  }),
  otelDepth: setting({
    flag: 'otel-depth',
    env: 'VGW_OTEL_DEPTH',
    parse: choice('http', 'backend', 'io', 'syscall'),
    default: 'io',
    help: 'how far down traces go: http, backend, io or syscall',
  }),
  otelTrustParent: setting({
    flag: 'otel-trust-parent',
    env: 'VGW_OTEL_TRUST_PARENT',
    parse: choice('always', 'authenticated', 'never'),
    default: 'authenticated',
    help: 'whose traceparent decides sampling: always, authenticated or never',
  }),
  otelSemconv: setting({
    flag: 'otel-semconv',
    env: ['VGW_OTEL_SEMCONV', { name: 'OTEL_SEMCONV_STABILITY_OPT_IN', read: stabilityOptIn }],
    parse: choice('dup', 'stable', 'legacy'),
    default: 'dup',
    help: 'HTTP attribute names of the root span: stable, legacy or dup (both)',
  }),
  scheduleDelayMs: setting({
    env: 'OTEL_BSP_SCHEDULE_DELAY',
    parse: integer(1, 0x7fff_ffff),
    default: DEFAULT_BATCH.scheduleDelayMs,
    help: 'milliseconds after which a batch is sent that has not filled',
  }),
  exportTimeoutMs: setting({
    env: 'OTEL_BSP_EXPORT_TIMEOUT',
    parse: integer(1, 0x7fff_ffff),
    default: DEFAULT_BATCH.exportTimeoutMs,
    help: 'milliseconds an export may take',
  }),
  maxQueueSize: setting({
    env: 'OTEL_BSP_MAX_QUEUE_SIZE',
    parse: integer(1),
    help: `spans that may wait, more are dropped and counted; unset: ${DEFAULT_BATCH.maxQueueSize} traces`,
  }),
  maxExportBatchSize: setting({
    env: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
    parse: integer(1),
    help: `spans of one export; unset: ${DEFAULT_BATCH.maxExportBatchSize} traces`,
  }),
}

const EXPORTERS = new Map<string, ExporterName | 'later'>([
  ['otlp', 'otlp'],
  ['console', 'console'],
  ['stdout', 'console'],
  ['none', 'none'],
  ['zipkin', 'later'],
  ['jaeger', 'later'],
  ['file', 'later'],
])

function exporters(value: string): readonly ExporterName[] {
  const names = list(exporter)(value)
  if (names.length === 0) throw new ConfigError('names no exporter')
  if (names.length > 1 && names.includes('none')) throw new ConfigError('none stands alone')
  return [...new Set(names)]
}

function exporter(word: string): ExporterName {
  const name = EXPORTERS.get(word.toLowerCase())
  if (name === 'later') throw new ConfigError(`${word} is not available yet`)
  if (name === undefined)
    throw new ConfigError(`"${word}" is not one of ${[...EXPORTERS.keys()].join(', ')}`)
  return name
}

/** Checked here, so that the error names its source; protocol and `--otel-insecure` complete it later. */
function endpoint(value: string, kind: EndpointText['kind']): EndpointText {
  try {
    parseEndpoint(value, { protocol: 'grpc', insecure: true })
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : 'not an OTLP endpoint', {
      cause: error,
    })
  }
  return { text: value.trim(), kind }
}

function protocol(name: string): ForeignVariable<boolean> {
  const words = choice('grpc', 'http/protobuf', 'http/json')
  return {
    name,
    read: (value) => {
      const word = words(value)
      if (word === 'http/json')
        throw new ConfigError('http/json is not available, only grpc and http/protobuf')
      return word === 'http/protobuf'
    },
  }
}

function resourceAttribute(attribute: string): ForeignVariable<string> {
  return { name: 'OTEL_RESOURCE_ATTRIBUTES', read: (value) => pairs(value)[attribute] }
}

function parentBased(value: string): Sampler {
  return { rate: ratio(value), parentBased: true }
}

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration */
function otelSampler(value: string, env: Environment): Sampler {
  const word = choice(
    'always_on',
    'always_off',
    'traceidratio',
    'parentbased_always_on',
    'parentbased_always_off',
    'parentbased_traceidratio',
  )(value)
  const parentBased = word.startsWith('parentbased_')
  if (word.endsWith('always_on')) return { rate: 1, parentBased }
  if (word.endsWith('always_off')) return { rate: 0, parentBased }
  const argument = env['OTEL_TRACES_SAMPLER_ARG'] ?? ''
  return { rate: argument === '' ? 1 : samplerArgument(argument), parentBased }
}

function samplerArgument(argument: string): number {
  try {
    return ratio(argument)
  } catch (error) {
    throw new ConfigError(
      `with OTEL_TRACES_SAMPLER_ARG "${argument}", which is not a number from 0 to 1`,
      { cause: error },
    )
  }
}

const ENVIRONMENT_RATES = new Map([
  ['development', 1],
  ['staging', 0.5],
  ['production', 0.1],
])

function environmentSampler(value: string): Sampler | undefined {
  const rate = ENVIRONMENT_RATES.get(value.trim().toLowerCase())
  return rate === undefined ? undefined : { rate, parentBased: true }
}

/** A list of areas; `http` asks for the stable names of HTTP, `http/dup` for both. */
function stabilityOptIn(value: string): Semconv | undefined {
  const areas = list(bareWord)(value)
  if (areas.includes('http/dup')) return 'dup'
  return areas.includes('http') ? 'stable' : undefined
}

function bareWord(word: string): string {
  return word.toLowerCase()
}
