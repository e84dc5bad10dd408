import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../support/fixture.ts'
import { freePort, startGateway, type Gateway } from '../support/gateway.ts'
import { startJaeger, type Jaeger } from '../support/receivers/jaeger.ts'
import type { SeenSpan } from '../support/receivers/seen-span.ts'
import { startCollector } from '../support/receivers/server.ts'
import { findTool } from '../support/tools.ts'

/** Jaeger 2 and a collector with the components of deploy/collector: too large to be built for a test. */
const jaeger = findTool('jaeger')
const otelcol = findTool('otelcol')

describe.skipIf(jaeger === undefined || otelcol === undefined)('A collector before Jaeger', () => {
  const stops: AsyncDisposable[] = []
  let store: Jaeger
  let metrics = 0
  let gateway: Gateway

  beforeAll(async () => {
    const started = await startJaeger(jaeger ?? '')
    stops.push((store = started))
    metrics = await freePort()
    const collector = await startCollector(otelcol ?? '', 'collector/config.yaml', {
      env: {
        TRACES_ENDPOINT: `127.0.0.1:${started.port}`,
        METRICS_ENDPOINT: `127.0.0.1:${metrics}`,
      },
    })
    stops.push(collector)
    const receiver = `http://127.0.0.1:${collector.port}`
    gateway = await startGateway({
      flags: ['--otel-enabled', '--otel-endpoint', receiver, '--viewer', '127.0.0.1:0'],
      env: { OTEL_BSP_SCHEDULE_DELAY: '100' },
    })
    stops.push(gateway)
    mkdirSync(join(gateway.dir, 'bucket'))
  })
  afterAll(async () => {
    for (const stop of stops.toReversed()) await stop[Symbol.asyncDispose]()
  })

  /** Sends a request and gives back its trace id, by what the gateway says of it. */
  async function traced(s3: S3Client, send: () => Promise<unknown>): Promise<string> {
    let traceId = ''
    s3.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        const { headers } = result.response as { headers: Record<string, string> }
        traceId = headers['x-trace-id'] ?? ''
        return result
      },
      { step: 'deserialize', name: 'trace-id', override: true, priority: 'low' },
    )
    await send().catch(() => undefined)
    return traceId
  }

  test('it keeps what failed, and counts every span', async () => {
    const s3 = connect(gateway)
    const get = new GetObjectCommand({ Bucket: 'bucket', Key: 'missing' })
    const traceId = await traced(s3, () => s3.send(get))
    s3.destroy()
    let spans: readonly SeenSpan[] = []
    await expect
      .poll(async () => (spans = await store.trace(traceId)).length, { timeout: 30_000 })
      .toBeGreaterThan(3)
    const root = spans.find(({ name }) => name === 'S3.GetObject')
    expect(root?.attributes.get('error.type')?.value).toBe('NoSuchKey')
    await expect
      .poll(async () => (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text(), {
        timeout: 30_000,
      })
      .toMatch(/traces_span_metrics_calls_total\{[^}]*s3_operation="GetObject"[^}]*\} 1/)
  })

  test('what the viewer has to download is taken by Jaeger', async () => {
    const s3 = connect(gateway)
    const put = new PutObjectCommand({ Bucket: 'bucket', Key: 'downloaded', Body: 'body' })
    const traceId = await traced(s3, () => s3.send(put))
    s3.destroy()
    const [, viewer = '', token = ''] =
      /viewer {6}(http:[^#]+)#token=(\S+)/.exec(gateway.stdout) ?? []
    const download = await fetch(`${viewer}api/traces/${traceId}/otlp`, {
      headers: { Authorization: `Bearer ${token}` },
    })
    // Under an id of its own: the trace itself comes by the collector.
    const otherId = traceId.split('').toReversed().join('')
    const body = (await download.text()).replaceAll(traceId, otherId)
    const answer = await fetch(`http://127.0.0.1:${store.httpPort}/v1/traces`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
    })
    expect([answer.status, await answer.text()]).toEqual([200, '{"partialSuccess":{}}'])
    const spans = body.split('"spanId"').length - 1
    let seen: readonly SeenSpan[] = []
    await expect
      .poll(async () => (seen = await store.trace(otherId)).length, { timeout: 30_000 })
      .toBe(spans)
    const root = seen.find(({ name }) => name === 'S3.PutObject')
    expect(root?.kind).toBe('SERVER')
    expect(root?.resource.get('service.name')?.value).toBe('versitygw')
    expect(root?.attributes.get('s3.key')).toEqual({ type: 'string', value: 'downloaded' })
    expect(root?.attributes.get('http.status_code')).toEqual({ type: 'int', value: 200 })
    expect(root?.attributes.get('vgw.client_wait_ms')?.type).toBe('double')
  })
})
