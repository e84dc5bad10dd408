import { describe, expect, test } from 'vitest'
import { nowNs } from '../../src/trace/clock.ts'
import { RecentTraces } from '../../src/trace/recent.ts'
import { Recorder } from '../../src/trace/recorder.ts'
import { settle } from '../../src/trace/settle.ts'
import { largestTrace, TraceStore, type StoreOptions } from '../../src/trace/trace-store.ts'
import type { RecentTrace } from '../../src/trace/trace-ring.ts'
import { CALLER, putObjectRecord } from '../support/otlp-records.ts'

interface Made {
  readonly status?: number
  readonly ms?: number
  readonly children?: number
  readonly reason?: string
}

let at = nowNs()

/** A finished request of the given kind; all of them one after the other. */
function made({ status = 200, ms = 0.01, children = 2, reason = 'head' }: Made = {}): Recorder {
  at += 1e6
  const recorder = new Recorder(true, undefined, at)
  recorder.root.name = 'S3.GetObject'
  recorder.root.set('http.response.status_code', status)
  recorder.root.set('vgw.sampling.reason', reason)
  for (let i = 0; i < children; i++)
    recorder.root.child('Backend.GetObject', { 'backend.number': i }, at).end(at + 10)
  recorder.root.end(at + ms * 1e6)
  settle(recorder)
  return recorder
}

/** Both ends: what takes traces, and what holds them when they have been handed over. */
class Kept extends RecentTraces {
  readonly #store: TraceStore

  constructor(options: StoreOptions) {
    const store = new TraceStore(options)
    super({
      maxTraceBytes: largestTrace(options.maxBytes),
      take: (batch) => store.take(batch),
      end: () => Promise.resolve(),
    })
    this.#store = store
  }

  get store(): TraceStore {
    this.handOver()
    return this.#store
  }
}

function all({ store }: Kept): RecentTrace[] {
  const traces: RecentTrace[] = []
  store.visit((trace) => {
    traces.push(trace)
    return true
  })
  return traces
}

const MIB = 1024 ** 2

describe('the last kept traces', () => {
  test('are read back as they were recorded', () => {
    const recent = new Kept({ maxBytes: MIB, maxTraces: 10 })
    const recorder = putObjectRecord(at, CALLER)
    settle(recorder)
    recent.add(recorder)
    const [trace] = all(recent)
    expect(trace).toMatchObject({
      traceId: CALLER.traceId,
      requestId: recorder.root.spanId,
      operation: 'S3.PutObject',
      status: 200,
      durationMs: 454,
      spans: recorder.spans.length,
      dropped: 0,
    })
    const spans = trace === undefined ? [] : recent.store.spansOf(trace)
    expect(spans.map(({ name, spanId }) => [name, spanId])).toEqual(
      recorder.spans.map(({ name, spanId }) => [name, spanId]),
    )
    const [root, auth, , , write, link] = spans
    expect(root).toMatchObject({
      parentSpanId: CALLER.spanId,
      traceState: CALLER.traceState,
      kind: 2,
      attributes: {
        's3.content_length': 6_442_450_944,
        'http.url': '/bucket/schlüssel/日本語/😀',
        'vgw.sampling.reason': 'head',
        'vgw.ttfb_ms': 12,
      },
    })
    expect(root?.doubles.has('vgw.ttfb_ms')).toBe(true)
    expect(root?.doubles.has('s3.content_length')).toBe(false)
    expect(auth?.attributes).toMatchObject({ 'auth.is_root': true, duration_ms: 0.085 })
    expect(Number((write?.endNs ?? 0n) - (write?.startNs ?? 0n))).toBe(450e6)
    expect(spans[3]?.attributes['posix.errno']).toBe(-17)
    expect(link?.error).toEqual({ message: 'linkat: ENOSPC' })
    expect(link?.events.map(({ name }) => name)).toEqual(['exception'])
  })

  test('come newest first, and the oldest make room', () => {
    const recent = new Kept({ maxBytes: MIB, maxTraces: 50 })
    const ids: string[] = []
    for (let i = 0; i < 500; i++) {
      const recorder = made({ children: i % 40 })
      ids.push(recorder.root.spanId)
      recent.add(recorder)
    }
    const traces = all(recent)
    expect(traces.length).toBeLessThanOrEqual(150)
    expect(traces[0]?.requestId).toBe(ids.at(-1))
    const sequences = traces.map(({ sequence }) => sequence)
    expect(sequences).toEqual(sequences.toSorted((a, b) => b - a))
    for (const trace of traces) {
      const spans = recent.store.spansOf(trace)
      expect(spans).toHaveLength(trace.spans)
      expect(spans[0]?.spanId).toBe(trace.requestId)
    }
  })

  test('take no more memory than they may, whatever their sizes', () => {
    const recent = new Kept({ maxBytes: MIB, maxTraces: 100_000 })
    for (let i = 0; i < 3000; i++)
      recent.add(made({ children: (i * 7919) % 300, status: i % 3 === 0 ? 500 : 200 }))
    expect(recent.store.size.bytes).toBeLessThanOrEqual(MIB)
    expect(recent.store.size.bytes).toBeGreaterThan(MIB / 3)
    for (const trace of all(recent)) expect(recent.store.spansOf(trace)).toHaveLength(trace.spans)
  })

  test('failures and slow requests outlive a flood of plain ones', () => {
    const recent = new Kept({ maxBytes: MIB, maxTraces: 100_000 })
    const failed = made({ status: 503 })
    const slow = made({ ms: 2500, reason: 'slow' })
    recent.add(failed)
    recent.add(slow)
    for (let i = 0; i < 10_000; i++) recent.add(made())
    const ids = all(recent).map(({ requestId }) => requestId)
    expect(ids).toContain(failed.root.spanId)
    expect(ids).toContain(slow.root.spanId)
    expect(recent.store.size.bytes).toBeLessThanOrEqual(MIB)
  })

  test('the slowest of an operation outlive it too, without a threshold', () => {
    const recent = new Kept({ maxBytes: MIB, maxTraces: 100_000 })
    const slowest = made({ ms: 40 })
    for (let i = 0; i < 100; i++) recent.add(made())
    recent.add(slowest)
    for (let i = 0; i < 10_000; i++) recent.add(made())
    expect(all(recent).map(({ requestId }) => requestId)).toContain(slowest.root.spanId)
  })

  test('10,000 spans are whole; what is larger than its share is cut, and says so', () => {
    const recent = new Kept({ maxBytes: 32 * MIB, maxTraces: 1000 })
    recent.add(made({ children: 10_000 }))
    const [whole] = all(recent)
    expect(whole).toMatchObject({ spans: 10_001, dropped: 0 })
    expect(whole === undefined ? [] : recent.store.spansOf(whole)).toHaveLength(10_001)
    const small = new Kept({ maxBytes: MIB, maxTraces: 1000 })
    small.add(made({ children: 10_000 }))
    const [cut] = all(small)
    expect(cut?.spans).toBe(10_001)
    expect(cut?.dropped).toBeGreaterThan(1000)
    expect(cut === undefined ? [] : small.store.spansOf(cut)).toHaveLength(
      10_001 - (cut?.dropped ?? 0),
    )
  })

  test('of more than 250 a second a part is taken, of slow ones all, and failures have a part of their own', () => {
    const recent = new Kept({ maxBytes: 8 * MIB, maxTraces: 100_000 })
    const slow: string[] = []
    for (let i = 0; i < 60_000; i++) {
      // Ten thousand a second.
      at -= 0.9e6
      const recorder =
        i % 10_000 === 5000 ? made({ ms: 1500, reason: 'slow' }) : made({ children: 0 })
      if (recorder.root.endNs - recorder.root.startNs > 1e9) slow.push(recorder.root.spanId)
      recent.add(recorder)
    }
    const { traces } = recent.store.size
    expect(traces + recent.thinned).toBe(60_000)
    expect(traces).toBeGreaterThan(5000)
    expect(traces).toBeLessThan(8000)
    const ids = new Set(all(recent).map(({ requestId }) => requestId))
    expect(slow.filter((id) => !ids.has(id))).toEqual([])
    const failed = made({ status: 404, children: 0 })
    recent.add(failed)
    expect(all(recent)[0]?.requestId).toBe(failed.root.spanId)
  })

  test('a span that ends after its trace is found with it', () => {
    const recent = new Kept({ maxBytes: MIB, maxTraces: 1000 })
    const recorder = made()
    recorder.decision = 'kept'
    recent.add(recorder)
    recorder.late = (span) => recent.addLate(span)
    recorder.root.child('Posix.IO.RemoveFile').end()
    expect(all(recent)).toHaveLength(1)
    const [trace] = all(recent)
    expect(
      trace === undefined ? [] : recent.store.spansOf(trace).map(({ name }) => name),
    ).toContain('Posix.IO.RemoveFile')
  })
})
