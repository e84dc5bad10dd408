import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { nowNs } from '../../src/trace/clock.ts'
import type { TracingConfig } from '../../src/trace/tracing-config.ts'
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.ts'
import { putObjectRecord } from '../support/otlp-records.ts'
import {
  loggedTracing,
  traceparentOf,
  traceRequest,
  type LoggedTracing,
} from '../support/otlp-tracing.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

describe.each(['grpc', 'http'] as const)('over %s', (protocol) => {
  let receiver: OtlpReceiver
  let tracing: LoggedTracing

  beforeAll(async () => {
    receiver = await startOtlpReceiver({ protocol })
  })
  afterEach(async () => {
    await tracing.close()
    receiver.clear()
  })
  afterAll(() => receiver.close())

  const start = (config: Partial<TracingConfig> = {}): void => {
    tracing = loggedTracing({ protocol, endpoint: receiver.url, ...config })
  }

  test('a request becomes a trace', async () => {
    start({ resourceAttributes: { 'service.name': 'ignored', team: 'storage' } })
    const { traceId } = traceRequest(tracing)
    const [root, first] = await receiver.waitForTrace(traceId)
    expect(receiver.tree(traceId)).toBe('S3.GetObject\n  Backend.GetObject\n  Backend.GetObject')
    expect(root).toMatchObject({
      kind: 'SERVER',
      parentSpanId: '',
      flags: 0x101,
      status: { code: 'UNSET', message: '' },
    })
    expect(root?.attributes.get('vgw.sampling.reason')).toBe('head')
    expect(root?.scope).toEqual({ name: 'versitygw-ts', version: '1.2.3' })
    expect(first).toMatchObject({ kind: 'INTERNAL', parentSpanId: root?.spanId, flags: 0x101 })
    expect(first?.attributes.typeOf('duration_ms')).toBe('double')
    expect(root?.resource.toObject()).toMatchObject({
      'service.name': 'versitygw',
      'service.namespace': 'versitygw',
      'service.version': '1.2.3',
      'service.instance.id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      'host.name': expect.stringMatching(/./),
      'process.pid': process.pid,
      'deployment.environment.name': 'test',
      'deployment.environment': 'test',
      team: 'storage',
    })
  })

  test('times are those of the wall clock, to the nanosecond', async () => {
    start()
    const before = Date.now()
    const recorder = tracing.start({}, nowNs())
    recorder.root.end(recorder.root.startNs + 1_000_001)
    tracing.finish(recorder, { authenticated: true, status: 200, isHead: false })
    const [root] = await receiver.waitForTrace(recorder.traceId)
    expect(Number((root?.endNs ?? 0n) - (root?.startNs ?? 0n))).toBe(1_000_001)
    const startMs = Number((root?.startNs ?? 0n) / 1_000_000n)
    expect(startMs).toBeGreaterThanOrEqual(before - 50)
    expect(startMs).toBeLessThanOrEqual(Date.now() + 50)
  })

  test("the caller's trace is continued", async () => {
    start({ sampleRate: 0 })
    traceRequest(tracing, { traceparent: traceparentOf(TRACE), tracestate: 'rojo=1' })
    const [root] = await receiver.waitForTrace(TRACE)
    expect(root).toMatchObject({
      parentSpanId: '00f067aa0ba902b7',
      flags: 0x301,
      traceState: 'rojo=1',
    })
  })

  test('with trust never, a new trace is linked to it', async () => {
    start({ trustParent: 'never' })
    const { traceId } = traceRequest(tracing, { traceparent: traceparentOf(TRACE) })
    expect(traceId).not.toBe(TRACE)
    const [root] = await receiver.waitForTrace(traceId)
    expect(root?.parentSpanId).toBe('')
    expect(root?.links).toMatchObject([
      { traceId: TRACE, spanId: '00f067aa0ba902b7', flags: 0x301 },
    ])
  })

  test('an unsigned request does not force its trace on us', async () => {
    start({ sampleRate: 0 })
    traceRequest(tracing, { authenticated: false, traceparent: traceparentOf(TRACE) })
    await tracing.flush()
    expect(receiver.exports).toHaveLength(0)
    expect(tracing.stats()).toMatchObject({ kept: 0, sampledOut: 1 })
  })

  test.each([
    ['http', ['S3.PutObject']],
    ['backend', ['S3.PutObject', 'Auth.V4Signature', 'Backend.PutObject']],
    [
      'io',
      [
        'S3.PutObject',
        'Auth.V4Signature',
        'Backend.PutObject',
        'Posix.IO.OpenTmpFile',
        'Posix.IO.WriteData',
        'Posix.IO.LinkFile',
      ],
    ],
  ] as const)('depth %s', async (depth, names) => {
    start({ depth })
    const { traceId } = finished(putObjectRecord(nowNs()))
    const spans = await receiver.waitForTrace(traceId)
    expect(spans.map(({ name }) => name)).toEqual(names)
  })

  test('depth syscall', async () => {
    start({ depth: 'syscall' })
    const { traceId } = finished(putObjectRecord(nowNs()))
    const spans = await receiver.waitForTrace(traceId)
    const pwrite = spans.find(({ name }) => name === 'Posix.Syscall.pwrite')
    expect(pwrite?.parentSpanId).toBe(
      spans.find(({ name }) => name === 'Posix.IO.WriteData')?.spanId,
    )
    expect(pwrite?.attributes.toLines()).toEqual([
      'posix.bytes: int 524288',
      'posix.duration_us: double 1.5',
      'posix.errno: int 0',
      'posix.fd: int 21',
      'posix.offset: int 1099511627776',
    ])
  })

  test('a failed file operation is ERROR with an exception, and says its throughput', async () => {
    start()
    const { traceId } = finished(putObjectRecord(nowNs()))
    const spans = await receiver.waitForTrace(traceId)
    const link = spans.find(({ name }) => name === 'Posix.IO.LinkFile')
    expect(link?.status).toEqual({ code: 'ERROR', message: 'linkat: ENOSPC' })
    expect(link?.attributes.get('error.type')).toBe('ENOSPC')
    expect(link?.events.map(({ name, attributes }) => [name, attributes.toObject()])).toEqual([
      [
        'exception',
        {
          'exception.type': 'ENOSPC',
          'exception.message': 'linkat: ENOSPC',
          'exception.stacktrace': expect.any(String),
        },
      ],
    ])
    const write = spans.find(({ name }) => name === 'Posix.IO.WriteData')
    expect(write?.attributes.get('posix.throughput_mbps')).toBeCloseTo(222.2, 1)
    expect(write?.attributes.get('posix.duration_ms')).toBeCloseTo(450, 3)
  })

  test('a thousand parts keep their thousand events, cumulative', async () => {
    start()
    const recorder = tracing.start({}, nowNs())
    const assemble = recorder.root.child('Posix.IO.AssembleParts', { 'posix.total_parts': 1000 })
    for (let part = 1; part <= 1000; part++) {
      assemble
        .child('Posix.IO.CopyPart', { 'posix.part_number': part })
        .child('Posix.IO.FastFileCopy')
        .child('Posix.IO.CopyFileRange')
      assemble.addEvent('part_assembled', { current_part: part, bytes_copied: part * 104_857_600 })
    }
    finished(recorder)
    const spans = await receiver.waitForTrace(recorder.traceId, (all) => all.length === 3002)
    const events = spans.find(({ name }) => name === 'Posix.IO.AssembleParts')?.events ?? []
    expect(events.map(({ attributes }) => attributes.toObject())).toEqual(
      Array.from({ length: 1000 }, (_, i) => ({
        current_part: i + 1,
        bytes_copied: (i + 1) * 104_857_600,
      })),
    )
    expect(
      Math.max(...receiver.exports.map((received) => received.spans.length)),
    ).toBeLessThanOrEqual(512)
    expect(tracing.stats().dropped).toBe(0)
  })

  test('late spans follow the decision', async () => {
    start({ sampleRate: 0 })
    const kept = traceRequest(tracing, { traceparent: traceparentOf(TRACE) })
    const dropped = traceRequest(tracing)
    kept.root.child('Backend.PutObject').end()
    dropped.root.child('Backend.PutObject').end()
    await receiver.waitForTrace(TRACE, (spans) => spans.length === 4)
    await tracing.flush()
    expect(receiver.trace(dropped.traceId)).toEqual([])
    expect(tracing.stats().late).toBe(1)
  })

  test('an export holds at most so many spans as configured', async () => {
    start({
      batch: {
        unit: 'spans',
        maxQueueSize: 2048,
        maxExportBatchSize: 10,
        scheduleDelayMs: 20,
        exportTimeoutMs: 20_000,
      },
    })
    for (let i = 0; i < 11; i++) traceRequest(tracing)
    await tracing.flush()
    const sizes = receiver.exports.map(({ spans }) => spans.length)
    expect(sizes.toSorted((a, b) => a - b)).toEqual([3, 10, 10, 10])
  })

  test('a batch that does not fill is sent after the delay', async () => {
    start({
      batch: {
        unit: 'spans',
        maxQueueSize: 2048,
        maxExportBatchSize: 512,
        scheduleDelayMs: 200,
        exportTimeoutMs: 20_000,
      },
    })
    traceRequest(tracing)
    const started = performance.now()
    await receiver.waitFor(() => receiver.exports.length > 0, 'an export')
    expect(performance.now() - started).toBeGreaterThan(150)
  })

  test('headers go with each export and never into the log', async () => {
    start({ headers: { 'x-api-key': 'canary-4711' } })
    traceRequest(tracing)
    await tracing.flush()
    expect(receiver.exports[0]?.headers['x-api-key']).toBe('canary-4711')
    expect(receiver.exports[0]?.headers['user-agent']).toMatch(/^versitygw-ts\/1\.2\.3 /)
    expect(tracing.lines.join('\n')).not.toContain('canary')
  })

  test('spans that the receiver rejects are counted', async () => {
    const picky = await startOtlpReceiver({ protocol, rejectedSpans: 2 })
    start({ endpoint: picky.url })
    traceRequest(tracing)
    await tracing.flush()
    expect(tracing.stats()).toMatchObject({ exported: 3, rejected: 2 })
    expect(tracing.lines.join('\n')).toContain('rejected')
    await picky.close()
  })

  const finished = <T extends ReturnType<LoggedTracing['start']>>(recorder: T): T => {
    tracing.finish(recorder, { authenticated: true, status: 200, isHead: false })
    return recorder
  }
})

test('tracing off: ids, and nothing else', async () => {
  const tracing = loggedTracing({ enabled: false, endpoint: 'localhost:1' })
  const own = traceRequest(tracing)
  const continued = traceRequest(tracing, { traceparent: traceparentOf(TRACE) })
  expect(own.traceId).toMatch(/^[0-9a-f]{32}$/)
  expect(continued.traceId).toBe(TRACE)
  expect([own.recording, own.spans.length, tracing.enabled]).toEqual([false, 1, false])
  await tracing.close()
  expect(tracing.lines).toEqual([])
})
