import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TlsTexts } from '../../src/trace/exporters.ts'
import type { TracingConfig } from '../../src/trace/tracing-config.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import { startOtlpReceiver, type Fault, type OtlpReceiver } from '../support/otlp-receiver.ts'
import { loggedTracing, traceRequest, type LoggedTracing } from '../support/otlp-tracing.ts'

const BATCH = {
  unit: 'spans' as const,
  maxQueueSize: 300,
  maxExportBatchSize: 30,
  scheduleDelayMs: 10,
  exportTimeoutMs: 400,
}
const LOSES: readonly Fault[] = ['disconnect', 'hang', 'unavailable', 'bad-request']

describe.each(['grpc', 'http'] as const)('over %s', (protocol) => {
  let receiver: OtlpReceiver
  let tracing: LoggedTracing

  beforeEach(async () => {
    receiver = await startOtlpReceiver({ protocol })
  })
  afterEach(async () => {
    await receiver.close()
    await tracing.close()
  })

  const start = (config: Partial<TracingConfig> = {}, tls: TlsTexts = {}): void => {
    tracing = loggedTracing(
      {
        protocol,
        endpoint: receiver.url,
        batch: BATCH,
        // What a hanging receiver holds up is given up sooner than after ten seconds.
        requestTimeoutMs: 1000,
        ...config,
      },
      { tls },
    )
  }

  test.each(LOSES)('a receiver that does this: %s costs a line and a counter', async (fault) => {
    receiver.fault = fault
    start()
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 20; i++) traceRequest(tracing)
      await tracing.flush()
    }
    const { exported, failed, dropped, queued } = tracing.stats()
    expect({ exported, lost: failed + dropped, queued }).toEqual({
      exported: 0,
      lost: 300,
      queued: 0,
    })
    expect(tracing.lines.filter((line) => line.startsWith('warn'))).toHaveLength(1)
  })

  test('nobody listens: a line and a counter', async () => {
    start()
    await receiver.close()
    traceRequest(tracing)
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 0, failed: 3 })
    expect(tracing.lines.filter((line) => line.startsWith('warn'))).toHaveLength(1)
    expect(tracing.lines.join('\n')).not.toContain('--otel-insecure')
  })

  test('it comes back: traces leave again, and a line says so', async () => {
    start({ batch: { ...BATCH, exportTimeoutMs: 3000 } })
    const { port } = receiver
    await receiver.close()
    traceRequest(tracing)
    await tracing.flush()
    receiver = await startOtlpReceiver({ protocol, port })
    await vi.waitFor(
      async () => {
        const { traceId } = traceRequest(tracing)
        await receiver.waitForTrace(traceId, undefined, 500)
      },
      { timeout: 60_000, interval: 200 },
    )
    await tracing.flush()
    expect(tracing.lines.join('\n')).toContain('traces are leaving again')
  })

  /** Long enough for any machine; what is refused ends sooner. */
  const PATIENT = {
    requestTimeoutMs: 60_000,
    batch: { ...BATCH, maxQueueSize: 10_000, exportTimeoutMs: 60_000 },
  }

  test('it is away for two seconds: all spans arrive', async () => {
    start(PATIENT)
    const { port } = receiver
    const before = receiver
    const sent = new Set<string>()
    const load = async (ms: number): Promise<void> => {
      for (const end = performance.now() + ms; performance.now() < end; await delay(50))
        for (const { spanId } of traceRequest(tracing).spans) sent.add(spanId)
    }
    await load(500)
    await receiver.close()
    await load(2000)
    receiver = await startOtlpReceiver({ protocol, port })
    await load(500)
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: sent.size, failed: 0, dropped: 0 })
    // One whose answer was lost comes twice.
    const arrived = [...before.spans(), ...receiver.spans()].map((span) => span.spanId)
    expect(new Set(arrived)).toEqual(sent)
  })

  test.each(['unavailable', 'throttled'] as const)('%s for a moment', async (fault) => {
    start(PATIENT)
    receiver.fault = fault
    receiver.retryAfterS = 2
    const { traceId } = traceRequest(tracing)
    await receiver.waitFor(() => receiver.askedMs.length > 0, 'an export')
    receiver.fault = 'none'
    await receiver.waitForTrace(traceId)
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 3, failed: 0 })
    const [firstMs = 0, secondMs = 0] = receiver.askedMs
    // A second give or take a fifth, or what the receiver asked for; timers may be early by a millisecond.
    expect(secondMs - firstMs).toBeGreaterThan(fault === 'throttled' ? 1990 : 790)
  })

  test('what it refuses is not sent again', async () => {
    start(PATIENT)
    receiver.fault = 'bad-request'
    traceRequest(tracing)
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 0, failed: 3 })
    expect(receiver.askedMs).toHaveLength(1)
  })

  test('a slow receiver loses nothing that the queue can hold, though more than 30 exports wait', async () => {
    receiver.fault = 'slow'
    receiver.slowMs = 100
    start({ batch: { ...BATCH, maxQueueSize: 10_000, exportTimeoutMs: 30_000 } })
    for (let i = 0; i < 800; i++) traceRequest(tracing)
    await tracing.flush()
    expect(receiver.spans()).toHaveLength(2400)
    expect(tracing.stats()).toMatchObject({ exported: 2400, dropped: 0, failed: 0 })
  })

  test('the queue is bounded, and what does not fit is counted', async () => {
    receiver.fault = 'hang'
    start({ batch: { ...BATCH, exportTimeoutMs: 2000 } })
    for (let i = 0; i < 20_000; i++) traceRequest(tracing)
    const { queued, dropped } = tracing.stats()
    expect(queued + dropped).toBe(60_000)
    // 15 exports of 30 spans under way, 300 spans waiting, and the record that filled the queue.
    expect(queued).toBeLessThanOrEqual(15 * 30 + 300 + 3)
    expect(tracing.stats().byExporter).toMatchObject([{ exporter: 'otlp', fullness: 1 }])
  })

  test('one record larger than the queue gets through', async () => {
    start()
    const { traceId } = traceRequest(tracing, { children: 5000 })
    await receiver.waitForTrace(traceId, (spans) => spans.length === 5001)
    expect(tracing.stats().dropped).toBe(0)
  })

  test('a stop does not wait for a receiver that hangs', async () => {
    receiver.fault = 'hang'
    start({ requestTimeoutMs: 60_000, batch: { ...BATCH, exportTimeoutMs: 60_000 } })
    for (let i = 0; i < 50; i++) traceRequest(tracing)
    const started = performance.now()
    await tracing.close()
    expect(performance.now() - started).toBeLessThan(30_000)
    expect(tracing.lines.at(-1)).toMatch(/^warn 150 spans had not left/)
  })

  test('a stop does not wait for a receiver that is away', async () => {
    start(PATIENT)
    await receiver.close()
    for (let i = 0; i < 50; i++) traceRequest(tracing)
    const started = performance.now()
    await tracing.close()
    expect(performance.now() - started).toBeLessThan(30_000)
    expect(tracing.lines.at(-1)).toMatch(/^warn 150 spans had not left/)
  })

  test('a stop sends what waits', async () => {
    start({ batch: { ...BATCH, scheduleDelayMs: 60_000 } })
    for (let i = 0; i < 50; i++) traceRequest(tracing)
    await tracing.close()
    expect(receiver.spans()).toHaveLength(150)
    traceRequest(tracing)
    expect(tracing.stats().dropped).toBe(3)
  })

  test('TLS towards a receiver that speaks none: the log says what to add', async () => {
    start({ endpoint: `localhost:${receiver.port}`, insecure: false })
    traceRequest(tracing)
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 0, failed: 3 })
    expect(tracing.lines.join('\n')).toContain('add --otel-insecure')
  })

  test('a bare host:port is spoken to without TLS when insecure', async () => {
    start({ endpoint: `localhost:${receiver.port}`, insecure: true })
    const { traceId } = traceRequest(tracing)
    await receiver.waitForTrace(traceId)
  })

  const SECURE = { insecure: false, batch: { ...BATCH, exportTimeoutMs: 5000 } }

  test('TLS towards a receiver whose certificate --otel-ca trusts', async () => {
    const certificate = makeCertificate()
    const secure = await startOtlpReceiver({ protocol, tls: certificate })
    start({ ...SECURE, endpoint: `localhost:${secure.port}` }, { ca: certificate.cert })
    const { traceId } = traceRequest(tracing)
    await secure.waitForTrace(traceId)
    await secure.close()
  })

  test('mutual TLS: a receiver that asks for a certificate gets ours, and nobody else in', async () => {
    const [theirs, ours] = [makeCertificate(), makeCertificate()]
    const secure = await startOtlpReceiver({ protocol, tls: { ...theirs, ca: ours.cert } })
    const tls = { ca: theirs.cert }
    start({ ...SECURE, endpoint: secure.url }, tls)
    traceRequest(tracing)
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 0, failed: 3 })
    await tracing.close()
    start({ ...SECURE, endpoint: secure.url }, { ...tls, cert: ours.cert, key: ours.key })
    const { traceId } = traceRequest(tracing)
    await secure.waitForTrace(traceId)
    await secure.close()
  })

  test('a certificate that is not trusted is named as such', async () => {
    const secure = await startOtlpReceiver({ protocol, tls: makeCertificate() })
    start({ endpoint: secure.url, insecure: false, batch: { ...BATCH, exportTimeoutMs: 5000 } })
    traceRequest(tracing)
    await tracing.flush()
    expect(tracing.lines.join('\n')).toMatch(/certificate/)
    expect(tracing.lines.join('\n')).not.toContain('--otel-insecure')
    await secure.close()
  })

  test('compression and headers', async () => {
    start({ compression: 'gzip', headers: { 'x-api-key': 'of the tenant' } })
    const { traceId } = traceRequest(tracing)
    await receiver.waitForTrace(traceId)
    expect(receiver.exports[0]).toMatchObject({
      compressed: true,
      headers: { 'x-api-key': 'of the tenant' },
    })
  })
})
