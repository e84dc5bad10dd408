import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loggedTracing, traceRequest } from '../support/otlp-tracing.ts'
import { startZipkin, type Zipkin } from '../support/receivers/zipkin.ts'
import { findZipkin } from '../support/tools.ts'

const BATCH = {
  unit: 'traces' as const,
  maxQueueSize: 20,
  maxExportBatchSize: 5,
  scheduleDelayMs: 10,
  exportTimeoutMs: 300,
}

const zipkin = findZipkin()

describe.skipIf(zipkin === undefined)('a real Zipkin', () => {
  let store: Zipkin
  beforeAll(async () => {
    if (zipkin !== undefined) store = await startZipkin(zipkin)
  })
  afterAll(() => store[Symbol.asyncDispose]())

  test('a trace of ten thousand spans gets through', async () => {
    const tracing = loggedTracing({
      exporters: ['zipkin'],
      zipkinEndpoint: `${store.url}/api/v2/spans`,
      batch: { ...BATCH, exportTimeoutMs: 20_000 },
    })
    const { traceId } = traceRequest(tracing, { children: 10_000 })
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 10_001, failed: 0 })
    await expect.poll(async () => (await store.trace(traceId)).length).toBe(10_001)
    await tracing.close()
  })
})

describe('a Zipkin in trouble costs a line and a counter', () => {
  let server: Server
  let answer: number | 'hang' | 'long'
  let port: number
  beforeAll(async () => {
    server = createServer((request, response) => {
      request.resume()
      if (answer === 'long') response.end(Buffer.alloc(32 * 1024 * 1024))
      else if (answer !== 'hang') request.on('end', () => response.writeHead(Number(answer)).end())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ;({ port } = server.address() as AddressInfo)
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  const start = (batch = BATCH) =>
    loggedTracing({
      exporters: ['zipkin'],
      zipkinEndpoint: `http://127.0.0.1:${port}/api/v2/spans`,
      batch,
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
    expect(performance.now() - started).toBeLessThan(30_000)
  })

  test('it hangs, and comes back without a word about what it had: traces leave again', async () => {
    answer = 'hang'
    const tracing = start()
    for (let i = 0; i < 6; i++) {
      traceRequest(tracing)
      await tracing.flush()
    }
    answer = 202
    await expect
      .poll(async () => {
        traceRequest(tracing)
        await tracing.flush()
        return tracing.stats().exported
      })
      .toBeGreaterThan(0)
    await tracing.close()
  })

  test('what it answers is not gathered without end', async () => {
    answer = 'long'
    const tracing = start({ ...BATCH, exportTimeoutMs: 20_000 })
    traceRequest(tracing)
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 0, failed: 3 })
    expect(tracing.lines.join('\n')).toContain('an answer of more than 65536 bytes')
    answer = 202
    traceRequest(tracing)
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 3, failed: 3 })
    await tracing.close()
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
