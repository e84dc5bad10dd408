import { freePort } from '../gateway.ts'
import type { ReceivedAttributes, ReceivedSpan } from '../otlp-protobuf.ts'
import { startOtlpReceiver } from '../otlp-receiver.ts'
import type { SeenSpan, SeenValue, TraceStore } from './seen-span.ts'
import { startServer } from './server.ts'

/**
 * Rotel, a small collector that a package registry has (`pip install rotel`). It keeps nothing: what it took it hands on to a
 * receiver of ours, which is asked.
 */
export async function startRotel(
  program: string,
  protocol: 'grpc' | 'http/json',
): Promise<TraceStore> {
  const behind = await startOtlpReceiver({ protocol: 'grpc' })
  const [grpc, http] = [await freePort(), await freePort()]
  const args = {
    '--otlp-grpc-endpoint': `127.0.0.1:${grpc}`,
    '--otlp-http-endpoint': `127.0.0.1:${http}`,
    '--exporter': 'otlp',
    '--otlp-exporter-endpoint': `http://127.0.0.1:${behind.port}`,
    '--batch-timeout': '100ms',
  }
  const server = await startServer(program, ['start', ...Object.entries(args).flat()], grpc)
  return {
    exporter: 'otlp',
    flags: ['--otel-endpoint', `http://127.0.0.1:${protocol === 'grpc' ? grpc : http}`],
    env: { OTEL_EXPORTER_OTLP_PROTOCOL: protocol },
    isExact: true,
    async trace(traceId) {
      return behind.trace(traceId).map((span) => spanOf(span))
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await behind.close()
    },
  }
}

function spanOf(span: ReceivedSpan): SeenSpan {
  const { traceId, spanId, parentSpanId, name, kind } = span
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    kind: kind === 'UNSPECIFIED' ? 'INTERNAL' : kind,
    durationMs: Number(span.endNs - span.startNs) / 1e6,
    attributes: valuesOf(span.attributes),
    resource: valuesOf(span.resource),
    isError: span.status.code === 'ERROR',
    events: span.events.map((event) => ({
      name: event.name,
      attributes: valuesOf(event.attributes),
    })),
    links: span.links.map((link) => link.traceId),
  }
}

function valuesOf(attributes: ReceivedAttributes): Map<string, SeenValue> {
  return new Map(
    attributes.keys().map((key) => {
      const type = attributes.typeOf(key) as SeenValue['type']
      return [key, { type, value: attributes.get(key) as SeenValue['value'] }]
    }),
  )
}
