import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { expect, test } from 'vitest'
import { nowNs } from '../../src/trace/clock.ts'
import { putObjectRecord } from '../support/otlp-records.ts'
import { loggedTracing, traceRequest } from '../support/otlp-tracing.ts'

function output(isTTY: boolean) {
  const written: string[] = []
  return { written, isTTY, writableNeedDrain: false, write: (text: string) => written.push(text) }
}

const OUTCOME = { authenticated: true, status: 200, isHead: false }

test('on a terminal a trace is a tree with times', async () => {
  const terminal = output(true)
  const tracing = loggedTracing({ exporters: ['console'] }, { output: terminal })
  const recorder = putObjectRecord(nowNs())
  recorder.root.set('http.url', '/bucket/\u001b[31mred')
  recorder.root.addEvent('health.changed', {})
  recorder.root.addEvent('health.changed', {})
  tracing.finish(recorder, OUTCOME)
  await tracing.close()
  expect(terminal.written).toHaveLength(1)
  expect(terminal.written[0]?.trimEnd().split('\n')).toEqual([
    `S3.PutObject                454.000 ms            200 PUT /bucket/\ufffd[31mred 6442450944 bytes trace ${recorder.traceId} [2 × health.changed]`,
    '├─ Auth.V4Signature           0.085 ms  +0.010    method=header is_root=true role=admin',
    '└─ Backend.PutObject        452.900 ms  +0.100    type=posix',
    '   ├─ Posix.IO.OpenTmpFile    0.030 ms  +0.120    dir=/data/bucket/.sgwtmp size=0 errno=-17',
    '   ├─ Posix.IO.WriteData    450.000 ms  +0.150    queue_ms=0 bytes_written=104857600 throughput_mbps=222.222',
    '   └─ Posix.IO.LinkFile       1.000 ms  +451.000  ERROR linkat: ENOSPC link_method=linkat',
  ])
})

test('elsewhere it is a line of JSON', async () => {
  const pipe = output(false)
  const tracing = loggedTracing({ exporters: ['console'] }, { output: pipe })
  const recorder = putObjectRecord(nowNs())
  tracing.finish(recorder, OUTCOME)
  await tracing.close()
  const { trace_id, resource, spans } = JSON.parse(pipe.written.join(''))
  expect(trace_id).toBe(recorder.traceId)
  expect(resource['service.name']).toBe('versitygw')
  expect(spans).toHaveLength(6)
  expect(spans[0]).toMatchObject({
    name: 'S3.PutObject',
    kind: 'SERVER',
    duration_ms: 454,
    attributes: { 'http.method': 'PUT' },
  })
  expect(spans[1]).toMatchObject({ parent_span_id: recorder.root.spanId, kind: 'INTERNAL' })
  expect(spans[0].start).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/)
  expect(spans[5]).toMatchObject({ status: 'ERROR', events: [{ name: 'exception' }] })
})

test('a reader who has stopped reading costs no memory', async () => {
  const stuck = { ...output(false), writableNeedDrain: true }
  const tracing = loggedTracing({ exporters: ['console'] }, { output: stuck })
  for (let i = 0; i < 10; i++) traceRequest(tracing)
  await tracing.close()
  expect(stuck.written).toEqual([])
  expect(tracing.stats()).toMatchObject({ exported: 0, dropped: 30, queued: 0 })
})

test("an embedder's processor sees the spans of kept traces", async () => {
  const exporter = new InMemorySpanExporter()
  const tracing = loggedTracing(
    { exporters: ['none'] },
    { processors: [new SimpleSpanProcessor(exporter)] },
  )
  const { traceId } = traceRequest(tracing)
  await tracing.flush()
  const spans = exporter.getFinishedSpans()
  expect(spans.map(({ name }) => name)).toEqual([
    'S3.GetObject',
    'Backend.GetObject',
    'Backend.GetObject',
  ])
  expect(spans.every((span) => span.spanContext().traceId === traceId)).toBe(true)
  await tracing.close()
})
