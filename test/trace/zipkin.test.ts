import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { freePort } from '../support/gateway.ts'
import { loggedTracing, traceRequest } from '../support/otlp-tracing.ts'
import { findZipkin } from '../support/tools.ts'

const BATCH = {
  unit: 'traces' as const,
  maxQueueSize: 20,
  maxExportBatchSize: 5,
  scheduleDelayMs: 10,
  exportTimeoutMs: 300,
}

interface ZipkinSpan {
  readonly id: string
  readonly parentId?: string
  readonly name: string
  readonly kind?: string
  readonly tags: Readonly<Record<string, string>>
  readonly localEndpoint: { readonly serviceName: string }
}

const zipkin = findZipkin()

describe.skipIf(zipkin === undefined)('a real Zipkin', () => {
  let server: ChildProcess
  let url: string
  beforeAll(async () => {
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    server = spawn(
      zipkin?.java ?? '',
      [
        '-Xmx256m',
        '-XX:TieredStopAtLevel=1',
        '-XX:+UseSerialGC',
        // By itself it listens on all addresses.
        '-Darmeria.ports[0].ip=127.0.0.1',
        `-Darmeria.ports[0].port=${port}`,
        '-Darmeria.ports[0].protocols[0]=http',
        '-jar',
        zipkin?.jar ?? '',
      ],
      { env: { ...process.env, STORAGE_TYPE: 'mem' }, stdio: 'ignore' },
    )
    await vi.waitFor(async () => expect((await fetch(`${url}/health`)).ok).toBe(true), {
      timeout: 90_000,
      interval: 300,
    })
  }, 100_000)
  afterAll(async () => {
    server.kill('SIGKILL')
    if (server.exitCode === null) await once(server, 'exit')
  })

  test('has the tree, with attributes as tags', async () => {
    const tracing = loggedTracing({
      exporters: ['zipkin'],
      zipkinEndpoint: `${url}/api/v2/spans`,
      batch: { ...BATCH, exportTimeoutMs: 10_000 },
    })
    const { traceId, root } = traceRequest(tracing, { status: 404 })
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 3, failed: 0 })
    const spans = await vi.waitFor(
      async () => {
        const answer = await fetch(`${url}/api/v2/trace/${traceId}`)
        const found = (await answer.json()) as ZipkinSpan[]
        expect(found).toHaveLength(3)
        return found
      },
      { timeout: 20_000, interval: 100 },
    )
    const first = spans.find(({ parentId }) => parentId === undefined)
    expect(first).toMatchObject({
      id: root.spanId,
      // Zipkin writes all names in small letters.
      name: 's3.getobject',
      kind: 'SERVER',
      localEndpoint: { serviceName: 'versitygw' },
    })
    expect(first?.tags['vgw.sampling.reason']).toBe('head')
    expect(spans.filter(({ parentId }) => parentId === root.spanId)).toHaveLength(2)
    await tracing.close()
  })

  test('a trace of ten thousand spans gets through', async () => {
    const tracing = loggedTracing({
      exporters: ['zipkin'],
      zipkinEndpoint: `${url}/api/v2/spans`,
      batch: { ...BATCH, exportTimeoutMs: 20_000 },
    })
    traceRequest(tracing, { children: 10_000 })
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 10_001, failed: 0 })
    await tracing.close()
  })
})

describe('a Zipkin in trouble costs a line and a counter', () => {
  let server: Server
  let answer: number | 'hang'
  let port: number
  beforeAll(async () => {
    server = createServer((request, response) => {
      request.resume()
      if (answer !== 'hang') request.on('end', () => response.writeHead(Number(answer)).end())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ;({ port } = server.address() as AddressInfo)
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  const start = () =>
    loggedTracing({
      exporters: ['zipkin'],
      zipkinEndpoint: `http://127.0.0.1:${port}/api/v2/spans`,
      batch: BATCH,
    })

  test.each([503, 400, 'hang'] as const)('%s', async (fault) => {
    answer = fault
    const tracing = start()
    for (let i = 0; i < 100; i++) {
      traceRequest(tracing)
      if (i % 20 === 0) await delay(1)
    }
    await tracing.flush()
    const { exported, failed, dropped, queued } = tracing.stats()
    expect({ exported, all: failed + dropped + queued }).toEqual({ exported: 0, all: 300 })
    expect(queued).toBeLessThanOrEqual(60)
    expect(tracing.lines.filter((line) => line.startsWith('warn'))).toHaveLength(1)
    const started = performance.now()
    await tracing.close()
    expect(performance.now() - started).toBeLessThan(6000)
  })

  test('it comes back: traces leave again', async () => {
    answer = 503
    const tracing = start()
    traceRequest(tracing)
    await tracing.flush()
    answer = 202
    traceRequest(tracing)
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 3, failed: 3 })
    expect(tracing.lines.join('\n')).toContain('traces are leaving again')
    await tracing.close()
  })
})
