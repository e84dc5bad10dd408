import { parseEndpoint } from '../trace/endpoint.ts'
import { DEFAULT_BATCH, type ExporterName } from '../trace/tracing-config.ts'
import { setting, toggle, type EnvSource, type ForeignVariable, type Setting } from './setting.ts'
import { ConfigError, bytes, choice, integer, list, pairs, text } from './values.ts'

/** Where OTLP goes. A base URL, from OTEL_EXPORTER_OTLP_ENDPOINT, is of all signals. */
export interface EndpointText {
  readonly text: string
  readonly kind: 'ours' | 'otel' | 'otel-base'
}

/** Who is asked for. Jaeger takes OTLP, by all its versions since 1.35. */
export interface Exporters {
  readonly names: readonly ExporterName[]
  readonly isJaeger: boolean
}

/** Where traces go, and how they get there. */
export const EXPORTER_SETTINGS = {
  otelExporter: setting({
    flag: 'otel-exporter',
    env: ['VGW_OTEL_EXPORTER', 'OTEL_TRACES_EXPORTER', 'TRACING_EXPORTER'],
    form: 'many',
    parse: exporters,
    default: { names: ['otlp'], isJaeger: false },
    help: 'where traces go: otlp, jaeger (by OTLP), zipkin, console (also stdout), file, none; a list (default otlp)',
  }),
  otelEndpoint: endpointSetting(false),
  otelUseHttp: toggle({
    flag: 'otel-use-http',
    env: [
      'VGW_OTEL_USE_HTTP',
      protocol('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', isHttp),
      protocol('OTEL_EXPORTER_OTLP_PROTOCOL', isHttp),
    ],
    help: 'OTLP over HTTP/protobuf instead of gRPC',
  }),
  /** Counts where the same variable has chosen HTTP. */
  otlpEncoding: setting({
    env: [
      protocol('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', encodingOf),
      protocol('OTEL_EXPORTER_OTLP_PROTOCOL', encodingOf),
    ],
    parse: choice('protobuf', 'json'),
    default: 'protobuf',
    help: 'encoding of OTLP over HTTP: protobuf, or json (http/json)',
  }),
  otelInsecure: toggle({
    flag: 'otel-insecure',
    env: ['VGW_OTEL_INSECURE', 'OTEL_EXPORTER_OTLP_TRACES_INSECURE', 'OTEL_EXPORTER_OTLP_INSECURE'],
    help: 'no TLS towards a receiver given as host:port',
  }),
  otelHeaders: setting({
    flag: 'otel-headers',
    env: ['VGW_OTEL_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'OTEL_EXPORTER_OTLP_HEADERS'],
    parse: headerPairs,
    default: {},
    secret: true,
    help: 'k=v,k=v sent with each export, such as API keys',
  }),
  otelCa: setting({
    flag: 'otel-ca',
    env: ['VGW_OTEL_CA', 'OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE', 'OTEL_EXPORTER_OTLP_CERTIFICATE'],
    parse: text,
    help: 'PEM file of certificates that the OTLP receiver is trusted by',
  }),
  otelCert: setting({
    flag: 'otel-cert',
    env: [
      'VGW_OTEL_CERT',
      'OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE',
      'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE',
    ],
    parse: text,
    help: 'PEM file of the certificate shown to the OTLP receiver (mutual TLS)',
  }),
  otelKey: setting({
    flag: 'otel-key',
    env: ['VGW_OTEL_KEY', 'OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY', 'OTEL_EXPORTER_OTLP_CLIENT_KEY'],
    parse: text,
    help: 'PEM file of its private key',
  }),
  otelCompression: setting({
    env: ['OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', 'OTEL_EXPORTER_OTLP_COMPRESSION'],
    parse: choice('none', 'gzip'),
    default: 'none',
    help: 'of what is sent by OTLP: none or gzip',
  }),
  otelTimeoutMs: setting({
    env: ['OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', 'OTEL_EXPORTER_OTLP_TIMEOUT'],
    parse: integer(1, 0x7fff_ffff),
    default: 10_000,
    help: 'milliseconds after which an OTLP request is given up, and not tried again',
  }),
  otelZipkinEndpoint: setting({
    flag: 'otel-zipkin-endpoint',
    env: ['VGW_OTEL_ZIPKIN_ENDPOINT', 'OTEL_EXPORTER_ZIPKIN_ENDPOINT'],
    parse: zipkinUrl,
    default: 'http://localhost:9411/api/v2/spans',
    help: 'where zipkin sends (default http://localhost:9411/api/v2/spans)',
  }),
  otelFile: setting({
    flag: 'otel-file',
    env: 'VGW_OTEL_FILE',
    parse: text,
    default: 'traces.jsonl',
    help: 'where file writes OTLP JSON lines (default traces.jsonl)',
  }),
  otelFileMaxSize: setting({
    flag: 'otel-file-max-size',
    env: 'VGW_OTEL_FILE_MAX_SIZE',
    parse: bytes,
    default: 100 * 1024 ** 2,
    help: 'bytes after which that file is put aside as {file}.1, in place of the one before it (default 100MiB)',
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

const EXPORTERS = new Map<string, ExporterName>([
  ['otlp', 'otlp'],
  ['console', 'console'],
  ['stdout', 'console'],
  ['none', 'none'],
  ['zipkin', 'zipkin'],
  ['jaeger', 'otlp'],
  ['file', 'file'],
])

function exporters(value: string): Exporters {
  const words = list((word) => word.toLowerCase())(value)
  if (words.length === 0) throw new ConfigError('names no exporter')
  if (words.length > 1 && words.includes('none')) throw new ConfigError('none stands alone')
  return { names: [...new Set(words.map(exporter))], isJaeger: words.includes('jaeger') }
}

function exporter(word: string): ExporterName {
  const name = EXPORTERS.get(word)
  if (name === undefined)
    throw new ConfigError(`"${word}" is not one of ${[...EXPORTERS.keys()].join(', ')}`)
  return name
}

/** JAEGER_ENDPOINT is meant more than OTLP_ENDPOINT where Jaeger is asked for by name. */
export function endpointSetting(isJaeger: boolean): Setting<EndpointText> {
  const older: EnvSource<EndpointText>[] = ['OTLP_ENDPOINT', 'JAEGER_ENDPOINT']
  return setting({
    flag: 'otel-endpoint',
    env: [
      'VGW_OTEL_ENDPOINT',
      { name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', read: (value) => endpoint(value, 'otel') },
      { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', read: (value) => endpoint(value, 'otel-base') },
      ...(isJaeger ? older.toReversed() : older),
    ],
    parse: (value) => endpoint(value, 'ours'),
    default: { text: 'localhost', kind: 'ours' },
    help: 'OTLP receiver: http://… without TLS, https://… with it, or host:port (default localhost:4317, 4318 for HTTP)',
  })
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
  refuseOldJaeger(value)
  return { text: value.trim(), kind }
}

/** Jaeger's own collector API, which Jaeger itself has given up for OTLP. */
function refuseOldJaeger(value: string): void {
  const [, scheme = 'http', host = 'localhost'] =
    /^(?:(https?):\/\/)?([^/?#]*?)(?::\d+)?\/api\/traces\/?(?:[?#].*)?$/i.exec(value.trim()) ?? []
  if (!/\/api\/traces\/?(?:[?#].*)?$/.test(value.trim())) return
  throw new ConfigError(
    `"${value}" is the address of Jaeger's old protocol; Jaeger takes OTLP: ${scheme}://${host}:4317, ` +
      `or ${scheme}://${host}:4318 with --otel-use-http`,
  )
}

/** What could not be sent is said at the start, and not with each export. */
function headerPairs(value: string): Readonly<Record<string, string>> {
  const headers = pairs(value)
  for (const [name, text] of Object.entries(headers)) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new ConfigError('a name is not that of a header')
    if (!/^[\t\x20-\x7e]*$/.test(text))
      throw new ConfigError(`the value of ${name} is not one of a header`)
  }
  return headers
}

function zipkinUrl(value: string): string {
  const url = URL.canParse(value.trim()) ? new URL(value.trim()) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new ConfigError(`"${value}" is not the http:// or https:// address of a Zipkin server`)
  // It would end in logs; keys belong in --otel-headers.
  if (url.username !== '' || url.password !== '')
    throw new ConfigError('a Zipkin endpoint holds no user name or password')
  if (url.pathname === '/') url.pathname = '/api/v2/spans'
  return url.href
}

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specify-protocol */
function protocol<T>(name: string, read: (word: Protocol) => T): ForeignVariable<T> {
  const words = choice('grpc', 'http/protobuf', 'http/json')
  return { name, read: (value) => read(words(value)) }
}

type Protocol = 'grpc' | 'http/protobuf' | 'http/json'

function isHttp(word: Protocol): boolean {
  return word !== 'grpc'
}

function encodingOf(word: Protocol): 'protobuf' | 'json' {
  return word === 'http/json' ? 'json' : 'protobuf'
}
