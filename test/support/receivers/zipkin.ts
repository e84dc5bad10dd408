import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../gateway.ts'
import type { findZipkin } from '../tools.ts'
import type { SeenSpan, SeenValue, TraceStore } from './seen-span.ts'
import { startServer } from './server.ts'

/** Zipkin with its traces in memory, asked by `/api/v2/trace/{id}`. */
export interface Zipkin extends TraceStore {
  readonly url: string
}

export async function startZipkin({
  java,
  jar,
}: NonNullable<ReturnType<typeof findZipkin>>): Promise<Zipkin> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const args = [
    '-Xmx256m',
    '-XX:TieredStopAtLevel=1',
    '-XX:+UseSerialGC',
    // By itself it listens on all addresses.
    '-Darmeria.ports[0].ip=127.0.0.1',
    `-Darmeria.ports[0].port=${port}`,
    '-Darmeria.ports[0].protocols[0]=http',
    '-jar',
    jar,
  ]
  const server = await startServer(java, args, port, {
    env: { STORAGE_TYPE: 'mem' },
    startMs: 90_000,
  })
  while (!(await isHealthy(url))) await sleep(100)
  return {
    url,
    exporter: 'zipkin',
    flags: ['--otel-zipkin-endpoint', `${url}/api/v2/spans`],
    isExact: false,
    async trace(traceId) {
      const response = await fetch(`${url}/api/v2/trace/${traceId}`)
      if (!response.ok) return []
      return ((await response.json()) as ZipkinSpan[]).map((span) => spanOf(span))
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function isHealthy(url: string): Promise<boolean> {
  const response = await fetch(`${url}/health`).catch(() => undefined)
  return response?.ok === true
}

interface ZipkinSpan {
  readonly traceId: string
  readonly id: string
  readonly parentId?: string
  readonly name: string
  readonly kind?: SeenSpan['kind']
  /** Microseconds. */
  readonly duration?: number
  readonly localEndpoint: { readonly serviceName: string }
  readonly tags?: Readonly<Record<string, string>>
  readonly annotations?: readonly { readonly value: string }[]
}

/** Tags that the exporter makes of what is no attribute of the span. */
const OF_THE_SPAN = /^(?:otel\.|error$)/
const OF_THE_RESOURCE = /^(?:service|host|process|telemetry|deployment)\./

function spanOf(span: ZipkinSpan): SeenSpan {
  const tags = Object.entries(span.tags ?? {})
  const resource = valuesOf(tags.filter(([key]) => OF_THE_RESOURCE.test(key)))
  resource.set('service.name', { type: undefined, value: span.localEndpoint.serviceName })
  return {
    traceId: span.traceId,
    spanId: span.id,
    parentSpanId: span.parentId ?? '',
    name: span.name,
    kind: span.kind ?? 'INTERNAL',
    durationMs: (span.duration ?? 0) / 1000,
    attributes: valuesOf(
      tags.filter(([key]) => !OF_THE_RESOURCE.test(key) && !OF_THE_SPAN.test(key)),
    ),
    resource,
    isError: span.tags?.['otel.status_code'] === 'ERROR',
    events: (span.annotations ?? []).map(({ value }) => ({ name: value, attributes: new Map() })),
    links: [],
  }
}

function valuesOf(tags: readonly (readonly [string, string])[]): Map<string, SeenValue> {
  return new Map(tags.map(([key, value]) => [key, { type: undefined, value }]))
}
