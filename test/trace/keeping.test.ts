import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nowNs } from '../../src/trace/clock.ts'
import type { Depth } from '../../src/trace/tracing-config.ts'
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.ts'
import {
  loggedTracing,
  traceRequest,
  traceparentOf,
  type LoggedTracing,
} from '../support/otlp-tracing.ts'

const OK = { authenticated: true, status: 200, isHead: false }

describe('what is kept whatever the head decided', () => {
  let receiver: OtlpReceiver
  const started: LoggedTracing[] = []
  beforeAll(async () => {
    receiver = await startOtlpReceiver({ protocol: 'grpc' })
  })
  afterAll(async () => {
    for (const tracing of started) await tracing.close()
    await receiver.close()
  })

  const start = (config: Parameters<typeof loggedTracing>[0]): LoggedTracing => {
    const tracing = loggedTracing({ endpoint: receiver.url, ...config })
    started.push(tracing)
    return tracing
  }
  const reasonOf = async (traceId: string) => {
    const spans = await receiver.waitForTrace(traceId)
    return spans.flatMap((span) => span.attributes.get('vgw.sampling.reason') ?? [])[0]
  }

  test('failed and slow requests arrive whole, the rest by the ratio, all of it counted', async () => {
    const tracing = start({ sampleRate: 0 })
    const failed = traceRequest(tracing, { status: 500, children: 4 })
    const slow = traceRequest(tracing, { tookMs: 1500, children: 4 })
    const usual = traceRequest(tracing, { children: 4 })
    await tracing.flush()
    expect(await reasonOf(failed.traceId)).toBe('error')
    expect(await reasonOf(slow.traceId)).toBe('slow')
    expect(receiver.trace(failed.traceId)).toHaveLength(5)
    expect(receiver.trace(slow.traceId)).toHaveLength(5)
    expect(receiver.trace(usual.traceId)).toHaveLength(0)
    expect(tracing.stats()).toMatchObject({
      kept: 2,
      keptFor: { head: 0, error: 1, slow: 1 },
      sampledOut: 1,
      exported: 10,
    })
  })

  test('a span of such a trace says that it is sampled, whatever the caller had said', async () => {
    const tracing = start({})
    const traceId = 'c'.repeat(31) + '1'
    traceRequest(tracing, { status: 500, traceparent: traceparentOf(traceId, false) })
    await tracing.flush()
    expect(receiver.trace(traceId).map((span) => span.flags & 1)).toEqual([1, 1, 1])
  })

  const depths: [depth: Depth, head: number, remarkable: number][] = [
    ['http', 1, 3],
    ['backend', 2, 3],
    ['io', 3, 3],
    ['syscall', 5, 5],
  ]
  test.each(depths)(
    'at depth %s: %d spans, %d where it failed or was slow',
    async (depth, head, all) => {
      const tracing = start({ depth })
      const lengths: number[] = []
      for (const [status, tookMs] of [
        [200, 0],
        [500, 0],
        [200, 1500],
      ] as const) {
        const recorder = tracing.start({}, nowNs() - tookMs * 1e6)
        const file = recorder.root.child('Backend.GetObject').child('Posix.IO.OpenFile')
        file.syscalls = Float64Array.of(nowNs())
        file.end()
        tracing.finish(recorder, { ...OK, status })
        await tracing.flush()
        lengths.push(receiver.trace(recorder.traceId).length)
      }
      expect(lengths).toEqual([head, all, all])
    },
  )

  test('what ends late follows the decision: out with a trace that was kept, nowhere with one that was not', async () => {
    const tracing = start({ sampleRate: 0, depth: 'http' })
    const ids: string[] = []
    for (const status of [500, 200]) {
      const recorder = tracing.start({}, nowNs())
      ids.push(recorder.traceId)
      tracing.finish(recorder, { ...OK, status })
      recorder.root.child('Posix.IO.Sync').end()
    }
    await tracing.flush()
    expect(ids.map((id) => receiver.trace(id).map(({ name }) => name))).toEqual([
      ['S3.Unknown', 'Posix.IO.Sync'],
      [],
    ])
    expect(tracing.stats()).toMatchObject({ kept: 1, sampledOut: 1, late: 1 })
  })

  test('with no rule but the ratio a request that it leaves out records nothing', () => {
    const tracing = start({ sampleRate: 0, keepErrors: 'none', slowThresholdMs: 0 })
    const recorder = traceRequest(tracing, { status: 500 })
    expect(recorder.spans).toHaveLength(1)
    expect(tracing.stats()).toMatchObject({ kept: 0, sampledOut: 1 })
  })
})
