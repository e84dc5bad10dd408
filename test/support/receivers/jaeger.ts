import { freePort } from '../gateway.ts'
import type { SeenSpan, SeenValue, TraceStore } from './seen-span.ts'
import { startCollector } from './server.ts'

/** Jaeger 2 as it is deployed, asked by what its page asks: `/api/traces/{id}`. */
export interface Jaeger extends TraceStore {
  /** Of OTLP over gRPC. */
  readonly port: number
  /** Of OTLP over HTTP. */
  readonly httpPort: number
}

export async function startJaeger(program: string): Promise<Jaeger> {
  const [query, queryGrpc] = [await freePort(), await freePort()]
  const server = await startCollector(program, 'jaeger/config.yaml', {
    env: {
      QUERY_HTTP_ENDPOINT: `127.0.0.1:${query}`,
      QUERY_GRPC_ENDPOINT: `127.0.0.1:${queryGrpc}`,
    },
  })
  return {
    port: server.port,
    httpPort: server.httpPort,
    exporter: 'jaeger',
    flags: ['--otel-endpoint', `http://127.0.0.1:${server.port}`],
    isExact: true,
    async trace(traceId) {
      const response = await fetch(`http://127.0.0.1:${query}/api/traces/${traceId}`)
      if (!response.ok) return []
      const { data } = (await response.json()) as { data: readonly JaegerTrace[] }
      return data.flatMap(({ spans, processes }) =>
        spans.map((span) => spanOf(span, processes[span.processID])),
      )
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

interface JaegerTrace {
  readonly spans: readonly JaegerSpan[]
  readonly processes: Readonly<Record<string, JaegerProcess>>
}

interface JaegerSpan {
  readonly traceID: string
  readonly spanID: string
  readonly processID: string
  readonly operationName: string
  readonly references: readonly { refType: string; traceID: string; spanID: string }[]
  /** Microseconds. */
  readonly duration: number
  readonly tags: readonly Tag[]
  readonly logs: readonly { readonly fields: readonly Tag[] }[]
}

interface JaegerProcess {
  readonly serviceName: string
  readonly tags: readonly Tag[]
}

interface Tag {
  readonly key: string
  readonly type: string
  readonly value: string | number | boolean
}

/** Tags that Jaeger makes of what is no attribute. */
const OF_THE_SPAN = /^(?:span\.kind|otel\.|error$|w3c\.|internal\.)/

function spanOf(span: JaegerSpan, process: JaegerProcess | undefined): SeenSpan {
  const { references } = span
  const parent = references.find(({ refType }) => refType === 'CHILD_OF')
  const tags = valuesOf(span.tags)
  const kind = tags.get('span.kind')?.value
  const resource = valuesOf(process?.tags ?? [])
  resource.set('service.name', { type: 'string', value: process?.serviceName ?? '' })
  return {
    traceId: span.traceID,
    spanId: span.spanID,
    parentSpanId: parent?.spanID ?? '',
    name: span.operationName,
    kind: String(kind ?? 'internal').toUpperCase() as SeenSpan['kind'],
    durationMs: span.duration / 1000,
    attributes: new Map([...tags].filter(([key]) => !OF_THE_SPAN.test(key))),
    resource,
    isError: tags.get('otel.status_code')?.value === 'ERROR',
    events: span.logs.map(({ fields }) => {
      const attributes = valuesOf(fields)
      const name = String(attributes.get('event')?.value ?? '')
      attributes.delete('event')
      return { name, attributes }
    }),
    links: references.filter(({ refType }) => refType === 'FOLLOWS_FROM').map((to) => to.traceID),
  }
}

const TYPES: Readonly<Record<string, SeenValue['type']>> = {
  string: 'string',
  int64: 'int',
  float64: 'double',
  bool: 'bool',
}

function valuesOf(tags: readonly Tag[]): Map<string, SeenValue> {
  return new Map(tags.map(({ key, type, value }) => [key, { type: TYPES[type], value }]))
}
