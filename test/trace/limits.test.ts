import { afterAll, beforeAll, expect, test } from 'vitest'
import { nowNs } from '../../src/trace/clock.ts'
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.ts'
import { loggedTracing, traceparentOf } from '../support/otlp-tracing.ts'

let receiver: OtlpReceiver
beforeAll(async () => {
  receiver = await startOtlpReceiver({ protocol: 'http' })
})
afterAll(() => receiver.close())

test('OTEL_SPAN_*_LIMIT: the first so many stay, texts are cut, and what was lost is told', async () => {
  const tracing = loggedTracing({
    endpoint: receiver.url,
    protocol: 'http',
    trustParent: 'never',
    spanLimits: {
      attributeValueLength: 4,
      attributeCount: 2,
      eventCount: 3,
      linkCount: 1,
      eventAttributeCount: 1,
      linkAttributeCount: 0,
    },
  })
  const recorder = tracing.start({ traceparent: traceparentOf('d'.repeat(32)) }, nowNs())
  recorder.link({
    traceId: 'e'.repeat(32),
    spanId: 'e'.repeat(16),
    sampled: true,
    traceState: undefined,
  })
  const span = recorder.root.child('Posix.IO.AssembleParts', { first: 'abcdef', second: 2 })
  span.set('third', 3)
  for (let i = 0; i < 10; i++) span.addEvent('part_assembled', { current_part: i, bytes_copied: i })
  span.end()
  tracing.finish(recorder, { authenticated: true, status: 200, isHead: false })
  const spans = await receiver.waitForTrace(recorder.traceId)
  const limited = spans.find(({ name }) => name === 'Posix.IO.AssembleParts')
  expect(limited?.attributes.toObject()).toMatchObject({ first: 'abcd', second: 2 })
  expect(limited?.attributes.get('third')).toBeUndefined()
  expect(limited?.events.map(({ attributes }) => attributes.toObject())).toEqual([
    { current_part: 0 },
    { current_part: 1 },
    { current_part: 2 },
  ])
  expect(limited?.dropped).toEqual({ attributes: 1, events: 7, links: 0 })
  const root = spans.find(({ kind }) => kind === 'SERVER')
  expect(root?.links.map(({ traceId }) => traceId)).toEqual(['d'.repeat(32)])
  expect(root?.dropped.links).toBe(1)
  await tracing.close()
})
