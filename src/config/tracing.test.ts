import { describe, expect, test } from 'vitest'
import { ConfigError, loadConfig, type Config } from '../config.ts'

async function tracingOf(env: Record<string, string>, flags = ''): Promise<Config['tracing']> {
  const argv = [...flags.split(' ').filter((word) => word !== ''), 'posix', '/d']
  const command = await loadConfig(argv, { ROOT_ACCESS_KEY: 'AK', ROOT_SECRET_KEY: 'SK', ...env })
  if (command.kind !== 'serve') throw new Error(`not a configuration but ${command.kind}`)
  return command.config.tracing
}

async function errorOf(env: Record<string, string>, flags = ''): Promise<string> {
  const outcome: unknown = await tracingOf(env, flags).catch((error: unknown) => error)
  if (!(outcome instanceof ConfigError)) throw new Error('no ConfigError', { cause: outcome })
  return outcome.message
}

describe('tracing', () => {
  const ON = { VGW_OTEL_ENABLED: 'true' }

  test.each([
    ['--otel-enabled', {}, true],
    ['', { VGW_OTEL_ENABLED: 't' }, true],
    ['', { TRACING_ENABLED: 'true' }, true],
    ['--otel-enabled=false', ON, false],
    ['', { VGW_OTEL_ENABLED: 'false', TRACING_ENABLED: 'true' }, false],
    ['--otel-enabled', { OTEL_SDK_DISABLED: 'true' }, false],
    ['', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_TRACES_EXPORTER: 'otlp' }, false],
  ])('"%s" with %j: enabled is %s', async (flags, env, enabled) => {
    expect((await tracingOf(env, flags)).enabled).toBe(enabled)
  })

  test('what turned it off is told: OTEL_SDK_DISABLED, where --otel-enabled asked for it', async () => {
    const env = { ROOT_ACCESS_KEY: 'AK', ROOT_SECRET_KEY: 'SK', OTEL_SDK_DISABLED: 'true' }
    const command = await loadConfig(['--otel-enabled', 'posix', '/d'], env)
    if (command.kind !== 'serve') throw new Error(`not a configuration but ${command.kind}`)
    expect(command.config.sources.otelSdkDisabled).toBe('OTEL_SDK_DISABLED')
  })

  test.each([
    [{}, { endpoint: 'localhost', protocol: 'grpc', insecure: false }],
    [
      { OTLP_ENDPOINT: 'a:1', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://b:2' },
      { endpoint: 'http://b:2' },
    ],
    [
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://b:2',
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c:3',
      },
      { endpoint: 'http://c:3' },
    ],
    [
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c:3', VGW_OTEL_ENDPOINT: 'd:4' },
      { endpoint: 'd:4' },
    ],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }, { protocol: 'http', encoding: 'protobuf' }],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }, { protocol: 'http', encoding: 'json' }],
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' },
      { protocol: 'grpc', encoding: 'protobuf' },
    ],
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', VGW_OTEL_USE_HTTP: 'true' },
      { protocol: 'http', encoding: 'protobuf' },
    ],
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' },
      { protocol: 'grpc' },
    ],
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf', VGW_OTEL_USE_HTTP: 'false' },
      { protocol: 'grpc' },
    ],
    [
      // The base URL of all signals: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
      {
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        OTEL_EXPORTER_OTLP_ENDPOINT: 'https://api.example.com/otlp',
      },
      { endpoint: 'https://api.example.com:443/otlp/v1/traces' },
    ],
    [
      {
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://h:9/x',
      },
      { endpoint: 'http://h:9/x' },
    ],
    [{ OTEL_EXPORTER_OTLP_INSECURE: 'true' }, { insecure: true }],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'a=1, b=x%20y=' }, { headers: { a: '1', b: 'x y=' } }],
    [{ OTEL_TRACES_EXPORTER: 'console' }, { exporters: ['console'] }],
    [{ OTEL_TRACES_EXPORTER: 'none' }, { exporters: ['none'] }],
    [{ TRACING_EXPORTER: 'stdout,console' }, { exporters: ['console'] }],
    [{ TRACING_EXPORTER: 'jaeger' }, { exporters: ['otlp'], protocol: 'grpc' }],
    [{ VGW_OTEL_EXPORTER: 'otlp,Zipkin,file' }, { exporters: ['otlp', 'zipkin', 'file'] }],
    // Whoever asks for Jaeger means its variable, whoever does not means the other.
    [
      { TRACING_EXPORTER: 'jaeger', JAEGER_ENDPOINT: 'http://j:1', OTLP_ENDPOINT: 'http://o:2' },
      { endpoint: 'http://j:1' },
    ],
    [
      { JAEGER_ENDPOINT: 'http://j:1/api/traces', OTLP_ENDPOINT: 'http://o:2' },
      { endpoint: 'http://o:2' },
    ],
    [{ JAEGER_ENDPOINT: 'http://j:1' }, { endpoint: 'http://j:1' }],
    [
      { OTLP_ENDPOINT: 'http://o:4318/v1/traces' },
      { endpoint: 'http://o:4318/v1/traces', protocol: 'http' },
    ],
    [
      { OTLP_ENDPOINT: 'http://o:4318/v1/traces', VGW_OTEL_USE_HTTP: 'false' },
      { protocol: 'grpc' },
    ],
    [{ OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' }, { compression: 'gzip' }],
    [
      { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip', OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: 'none' },
      { compression: 'none' },
    ],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: '2500' }, { requestTimeoutMs: 2500 }],
    [
      {
        OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.pem',
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: '/c.pem',
        OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: '/k.pem',
      },
      { tlsFiles: { ca: '/ca.pem', cert: '/c.pem', key: '/k.pem' } },
    ],
    [
      { OTEL_EXPORTER_ZIPKIN_ENDPOINT: 'http://z:9411' },
      { zipkinEndpoint: 'http://z:9411/api/v2/spans' },
    ],
    [
      { VGW_OTEL_FILE: '/t.jsonl', VGW_OTEL_FILE_MAX_SIZE: '2MiB' },
      { file: { path: '/t.jsonl', maxBytes: 2_097_152 } },
    ],
    [
      { OTEL_PROPAGATORS: 'baggage,b3multi,tracecontext' },
      { propagators: ['b3multi', 'tracecontext'] },
    ],
    [{ OTEL_PROPAGATORS: 'none' }, { propagators: [] }],
    [
      {
        OTEL_ATTRIBUTE_COUNT_LIMIT: '20',
        OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '30',
        OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '64',
      },
      { spanLimits: { attributeCount: 30, eventAttributeCount: 20, attributeValueLength: 64 } },
    ],
    [
      { VGW_OTEL_KEEP_ERRORS: '5xx', VGW_OTEL_SLOW_THRESHOLD: '0', VGW_OTEL_SLOW_RATE: '1.5MB' },
      { keepErrors: '5xx', slowThresholdMs: 0, slowBytesPerSecond: 1_500_000 },
    ],
    [
      { OTEL_SERVICE_NAME: 's', OTEL_RESOURCE_ATTRIBUTES: 'service.name=r,team=x' },
      { serviceName: 's', resourceAttributes: { team: 'x' } },
    ],
    [
      { OTEL_RESOURCE_ATTRIBUTES: 'service.name=r,service.version=9,deployment.environment=e' },
      { serviceName: 'r', serviceVersion: '9', environment: 'e' },
    ],
    [{ SERVICE_VERSION: '7' }, { serviceVersion: '7' }],
    [{ APP_ENV: 'production' }, { environment: 'production', sampleRate: 0.1 }],
    [
      { APP_ENV: 'staging', TRACING_SAMPLE_RATE: '0.7' },
      { environment: 'staging', sampleRate: 0.7 },
    ],
    [{ APP_ENV: 'elsewhere' }, { environment: 'elsewhere', sampleRate: 1 }],
    [{ OTEL_TRACES_SAMPLER: 'always_off' }, { sampleRate: 0, parentBased: false }],
    [
      { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.2' },
      { sampleRate: 0.2, parentBased: true },
    ],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio' }, { sampleRate: 1, parentBased: false }],
    [
      { OTEL_TRACES_SAMPLER: 'always_off', VGW_OTEL_SAMPLE_RATE: '0.4' },
      { sampleRate: 0.4, parentBased: true },
    ],
    [{ OTEL_SEMCONV_STABILITY_OPT_IN: 'database,http' }, { semconv: 'stable' }],
    [{ OTEL_SEMCONV_STABILITY_OPT_IN: 'http/dup' }, { semconv: 'dup' }],
    [
      { OTEL_SEMCONV_STABILITY_OPT_IN: 'database', VGW_OTEL_SEMCONV: 'legacy' },
      { semconv: 'legacy' },
    ],
    [
      { OTEL_BSP_MAX_QUEUE_SIZE: '10', OTEL_BSP_SCHEDULE_DELAY: '20' },
      { batch: { unit: 'spans', maxQueueSize: 10, maxExportBatchSize: 10, scheduleDelayMs: 20 } },
    ],
  ])('%j', async (env, expected) => {
    expect(await tracingOf({ ...ON, ...env })).toMatchObject(expected)
  })

  test.each([
    [
      { OTEL_TRACES_SAMPLER: 'jaeger_remote' },
      /^OTEL_TRACES_SAMPLER: "jaeger_remote" is not one of always_on, /,
    ],
    [
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' },
      /^OTEL_TRACES_SAMPLER: with OTEL_TRACES_SAMPLER_ARG "2"/,
    ],
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/xml' },
      /^OTEL_EXPORTER_OTLP_PROTOCOL: "http\/xml" is not one of grpc, http\/protobuf, http\/json/,
    ],
    [{ OTEL_BSP_SCHEDULE_DELAY: 'soon' }, /^OTEL_BSP_SCHEDULE_DELAY: /],
    [{ TRACING_EXPORTER: 'jager' }, /^TRACING_EXPORTER: "jager" is not one of otlp, /],
    [
      { TRACING_EXPORTER: 'jaeger', JAEGER_ENDPOINT: 'http://j:14268/api/traces' },
      /^JAEGER_ENDPOINT: .* Jaeger takes OTLP: http:\/\/j:4317, or http:\/\/j:4318 with --otel-use-http$/,
    ],
    [
      { VGW_OTEL_ENDPOINT: 'https://j/api/traces/' },
      /^VGW_OTEL_ENDPOINT: .* https:\/\/j:4317, or https:\/\/j:4318 /,
    ],
    [
      { VGW_OTEL_ZIPKIN_ENDPOINT: 'zipkin:9411' },
      /^VGW_OTEL_ZIPKIN_ENDPOINT: "zipkin:9411" is not the http/,
    ],
    [
      { OTEL_EXPORTER_ZIPKIN_ENDPOINT: 'http://u:pw@z' },
      /^OTEL_EXPORTER_ZIPKIN_ENDPOINT: a Zipkin endpoint holds no user/,
    ],
    [
      { OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd' },
      /^OTEL_EXPORTER_OTLP_COMPRESSION: "zstd" is not one of none, gzip$/,
    ],
    [{ OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '0' }, /^OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "0" is not/],
    [{ OTEL_SPAN_EVENT_COUNT_LIMIT: 'few' }, /^OTEL_SPAN_EVENT_COUNT_LIMIT: "few" is not/],
    [
      { OTEL_PROPAGATORS: 'tracecontext,ottrace' },
      /^OTEL_PROPAGATORS: "ottrace" is not one of tracecontext, b3, /,
    ],
    [{ OTEL_PROPAGATORS: 'none,b3' }, /^OTEL_PROPAGATORS: none stands alone$/],
    [{ VGW_OTEL_KEEP_ERRORS: '4xx' }, /^VGW_OTEL_KEEP_ERRORS: "4xx" is not one of all, 5xx, none$/],
    [{ VGW_OTEL_SLOW_THRESHOLD: 'soon' }, /^VGW_OTEL_SLOW_THRESHOLD: "soon" is not a time/],
    [{ VGW_OTEL_SLOW_RATE: 'fast' }, /^VGW_OTEL_SLOW_RATE: "fast" is not a number of bytes/],
    [{ VGW_OTEL_HEADERS: 'api key=1' }, /^VGW_OTEL_HEADERS: a name is not that of a header$/],
    [
      { OTEL_EXPORTER_OTLP_HEADERS: 'k=a%0d%0ab' },
      /^OTEL_EXPORTER_OTLP_HEADERS: the value of k is not/,
    ],
    [{ VGW_OTEL_CERT: '/c.pem' }, /^VGW_OTEL_CERT: --otel-cert and --otel-key need each other$/],
    [
      { OTEL_EXPORTER_OTLP_CLIENT_KEY: '/k.pem' },
      /^OTEL_EXPORTER_OTLP_CLIENT_KEY: --otel-cert and --otel-key need each other$/,
    ],
  ])('%j is refused', async (env, expected) => {
    expect(await errorOf({ ...ON, ...env })).toMatch(expected)
  })

  test('variables of other programs cannot stop a gateway that does not trace', async () => {
    await expect(
      tracingOf({ OTEL_TRACES_EXPORTER: 'zipkin', OTEL_BSP_SCHEDULE_DELAY: 'soon' }),
    ).resolves.toBeDefined()
  })

  test('an error does not quote a header, which may be a key', async () => {
    expect(await errorOf({}, '--otel-headers api-key=%zz')).not.toContain('zz')
  })
})
