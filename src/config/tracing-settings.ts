import type { Propagator, Semconv } from '../trace/tracing-config.ts'
import { EXPORTER_SETTINGS } from './exporter-settings.ts'
import { setting, toggle, type ForeignVariable } from './setting.ts'
import { SPAN_LIMIT_SETTINGS } from './span-limit-settings.ts'
import {
  ConfigError,
  bytes,
  choice,
  durationOrZero,
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

/** `--otel-*` and the variables that are read beside it, each list in the order of the trace contract, section 1. */
export const TRACING_SETTINGS = {
  otelEnabled: toggle({
    flag: 'otel-enabled',
    env: ['VGW_OTEL_ENABLED', 'TRACING_ENABLED'],
    help: 'tracing on',
  }),
  otelSdkDisabled: toggle({ env: 'OTEL_SDK_DISABLED', help: 'tracing off, whatever else is set' }),
  ...EXPORTER_SETTINGS,
  ...SPAN_LIMIT_SETTINGS,
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
  propagators: setting({
    env: 'OTEL_PROPAGATORS',
    parse: propagators,
    default: ['tracecontext'],
    help: 'headers that carry the context of a trace: tracecontext, b3, b3multi, jaeger, xray, baggage (without effect) or none',
  }),
  otelSemconv: setting({
    flag: 'otel-semconv',
    env: ['VGW_OTEL_SEMCONV', { name: 'OTEL_SEMCONV_STABILITY_OPT_IN', read: stabilityOptIn }],
    parse: choice('dup', 'stable', 'legacy'),
    default: 'dup',
    help: 'HTTP attribute names of the root span: stable, legacy or dup (both)',
  }),
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

const PROPAGATORS = new Map<string, Propagator | undefined>([
  ['tracecontext', 'tracecontext'],
  ['b3', 'b3'],
  ['b3multi', 'b3multi'],
  ['jaeger', 'jaeger'],
  ['xray', 'xray'],
  // Known, and never handed on (trace contract, section 2).
  ['baggage', undefined],
])

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration */
function propagators(value: string): readonly Propagator[] {
  const words = list(bareWord)(value)
  if (words.includes('none')) {
    if (words.length > 1) throw new ConfigError('none stands alone')
    return []
  }
  const unknown = words.find((word) => !PROPAGATORS.has(word))
  if (unknown !== undefined)
    throw new ConfigError(
      `"${unknown}" is not one of ${[...PROPAGATORS.keys(), 'none'].join(', ')}`,
    )
  return [...new Set(words.flatMap((word) => PROPAGATORS.get(word) ?? []))]
}

function bareWord(word: string): string {
  return word.toLowerCase()
}
