import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { loggedTracing, traceRequest, type LoggedTracing } from '../support/otlp-tracing.ts'

/** As https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding has it: ids in hex, 64-bit numbers as texts. */
interface JsonSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
}

interface Received {
  readonly path: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly spans: readonly JsonSpan[]
}

const BATCH = {
  unit: 'spans' as const,
  maxQueueSize: 300,
  maxExportBatchSize: 30,
  scheduleDelayMs: 10,
  exportTimeoutMs: 10_000,
}

let server: Server
let received: Received[]
/** What is answered; nothing at all where there is none. */
let answer: { readonly status: number; readonly body: string } | undefined
let tracing: LoggedTracing

beforeEach(async () => {
  received = []
  answer = { status: 200, body: '{}' }
  server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const bytes = Buffer.concat(pieces)
      const { headers, url: path } = request
      const text = String(headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes)
      const { resourceSpans } = JSON.parse(text)
      const spans = resourceSpans.flatMap((one: { scopeSpans: { spans: JsonSpan[] }[] }) =>
        one.scopeSpans.flatMap((s) => s.spans),
      )
      received.push({ path, headers, spans })
      if (answer === undefined) return
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  await tracing.close()
  server.closeAllConnections()
  server.close()
})

function start(config: Parameters<typeof loggedTracing>[0] = {}): void {
  const { port } = server.address() as AddressInfo
  tracing = loggedTracing({
    protocol: 'http',
    encoding: 'json',
    endpoint: `http://127.0.0.1:${port}`,
    batch: BATCH,
    requestTimeoutMs: 1000,
    ...config,
  })
}

test('http/json: whole traces, with headers and compression', async () => {
  start({ compression: 'gzip', headers: { 'x-api-key': 'k' } })
  const { traceId, root } = traceRequest(tracing)
  await tracing.flush()
  const [{ path, headers, spans } = { path: '', headers: {}, spans: [] }] = received
  expect(path).toBe('/v1/traces')
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'content-encoding': 'gzip',
    'x-api-key': 'k',
  })
  expect(spans.map((span) => [span.traceId, span.name, span.kind, span.parentSpanId])).toEqual([
    [traceId, 'S3.GetObject', 2, undefined],
    [traceId, 'Backend.GetObject', 1, root.spanId],
    [traceId, 'Backend.GetObject', 1, root.spanId],
  ])
  for (const { startTimeUnixNano, endTimeUnixNano } of spans)
    expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano))
  expect(tracing.stats()).toMatchObject({ exported: 3, queued: 0, failed: 0 })
  expect(tracing.stats().byExporter.map(({ exporter }) => exporter)).toEqual(['otlp'])
})

test('http/json: a trace of very many spans goes in several requests', async () => {
  start()
  traceRequest(tracing, { children: 7000 })
  await tracing.flush()
  expect(received.map(({ spans }) => spans.length)).toEqual([3000, 3000, 1001])
})

test('http/json: what is rejected, refused or not answered is counted, and told once', async () => {
  start()
  answer = { status: 200, body: '{"partialSuccess":{"rejectedSpans":"2"}}' }
  traceRequest(tracing)
  await tracing.flush()
  answer = { status: 400, body: '' }
  traceRequest(tracing)
  await tracing.flush()
  answer = undefined
  traceRequest(tracing)
  await tracing.flush()
  expect(tracing.stats()).toMatchObject({ exported: 3, rejected: 2, failed: 6, queued: 0 })
  expect(tracing.lines.filter((line) => line.startsWith('warn'))).toEqual([
    expect.stringContaining('rejected spans: 2 so far'),
    expect.stringContaining('Bad Request; 3 spans lost so far'),
  ])
  answer = { status: 200, body: '{}' }
  await vi.waitFor(
    async () => {
      traceRequest(tracing)
      await tracing.flush()
      expect(tracing.stats().exported).toBeGreaterThan(3)
    },
    { timeout: 60_000 },
  )
})
