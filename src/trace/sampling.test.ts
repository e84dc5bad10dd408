import { ROOT_CONTEXT } from '@opentelemetry/api'
import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-node'
import { describe, expect, test } from 'vitest'
import { newTraceId } from './ids.ts'
import { Recorder, type RemoteParent } from './recorder.ts'
import { decide, decideEarly, type SamplingRules } from './sampling.ts'

const RULES: SamplingRules = {
  sampleRate: 1,
  parentBased: true,
  trustParent: 'authenticated',
  keepErrors: 'none',
  slowThresholdMs: 0,
  slowBytesPerSecond: 0,
  depth: 'io',
}

function caller(sampled: boolean, traceId = newTraceId()): RemoteParent {
  return { traceId, spanId: '00f067aa0ba902b7', sampled, traceState: undefined }
}

describe('the ratio decides for a trace of our own', () => {
  test.each([0, 0.001, 0.1, 0.5, 0.999, 1])('at %d like TraceIdRatioBased', (sampleRate) => {
    const official = new TraceIdRatioBasedSampler(sampleRate)
    for (let i = 0; i < 2000; i++) {
      const recorder = new Recorder(true, undefined)
      const { decision } = official.shouldSample(ROOT_CONTEXT, recorder.traceId)
      const expected = decision === SamplingDecision.RECORD_AND_SAMPLED ? 'head' : undefined
      expect(
        decide(
          recorder,
          { authenticated: true, status: 200, isHead: false },
          { ...RULES, sampleRate },
        ),
      ).toBe(expected)
    }
  })

  test('the decision stands in the record, the reason on its root', () => {
    const kept = new Recorder(true, undefined)
    decide(kept, { authenticated: true, status: 200, isHead: false }, RULES)
    expect([kept.decision, kept.headSampled, kept.root.read('vgw.sampling.reason')]).toEqual([
      'kept',
      true,
      'head',
    ])
    const dropped = new Recorder(true, undefined)
    decide(
      dropped,
      { authenticated: true, status: 200, isHead: false },
      { ...RULES, sampleRate: 0 },
    )
    expect([
      dropped.decision,
      dropped.headSampled,
      dropped.root.read('vgw.sampling.reason'),
    ]).toEqual(['dropped', false, undefined])
  })
})

describe("the caller's sampled flag counts where he is trusted", () => {
  const cases: [
    trust: SamplingRules['trustParent'],
    authenticated: boolean,
    sampled: boolean,
    rate: number,
    kept: boolean,
  ][] = [
    ['always', false, true, 0, true],
    ['always', false, false, 1, false],
    ['authenticated', true, true, 0, true],
    ['authenticated', true, false, 1, false],
    ['authenticated', false, true, 0, false],
    ['authenticated', false, false, 1, true],
  ]
  test.each(cases)(
    '%s, authenticated %s, sampled %s, ratio %d: kept %s',
    (trustParent, authenticated, sampled, sampleRate, kept) => {
      const recorder = new Recorder(true, caller(sampled))
      expect(
        decide(
          recorder,
          { authenticated, status: 200, isHead: false },
          { ...RULES, sampleRate, trustParent },
        ) === 'head',
      ).toBe(kept)
    },
  )

  test('not without parentBased: then his trace id decides', () => {
    const low = new Recorder(true, caller(false, `${'0'.repeat(31)}1`))
    expect(
      decide(
        low,
        { authenticated: true, status: 200, isHead: false },
        { ...RULES, parentBased: false, sampleRate: 0.01 },
      ),
    ).toBe('head')
  })

  test('a trace id made to be sampled does not get an unknown caller in', () => {
    let kept = 0
    for (let i = 0; i < 1000; i++) {
      const recorder = new Recorder(true, caller(true, `${'0'.repeat(31)}1`))
      if (
        decide(
          recorder,
          { authenticated: false, status: 403, isHead: false },
          { ...RULES, sampleRate: 0.01 },
        ) !== undefined
      )
        kept++
    }
    expect(kept).toBeLessThan(50)
  })
})

describe('trace contract 1, --otel-keep-errors: a failed request is kept whatever the head said', () => {
  const cases: [
    keep: SamplingRules['keepErrors'],
    status: number,
    isHead: boolean,
    kept: boolean,
  ][] = [
    ['all', 200, false, false],
    ['all', 304, false, false],
    ['all', 400, false, true],
    ['all', 403, true, true],
    ['all', 404, false, true],
    ['all', 404, true, false],
    ['all', 412, false, false],
    ['all', 412, true, false],
    ['all', 416, false, true],
    ['all', 500, true, true],
    ['all', 503, false, true],
    // No answer: the client has gone.
    ['all', 0, false, false],
    ['5xx', 404, false, false],
    ['5xx', 499, false, false],
    ['5xx', 500, false, true],
    ['none', 500, false, false],
  ]
  test.each(cases)('%s, %d, HEAD %s: kept %s', (keepErrors, status, isHead, kept) => {
    const recorder = new Recorder(true, undefined)
    const rules = { ...RULES, sampleRate: 0, keepErrors }
    const reason = decide(recorder, { authenticated: true, status, isHead }, rules)
    expect(reason).toBe(kept ? 'error' : undefined)
    expect(recorder.root.read('vgw.sampling.reason')).toBe(reason)
    expect(recorder.decision).toBe(kept ? 'kept' : 'dropped')
  })

  test('an answer that broke off after its 200 has failed', () => {
    const recorder = new Recorder(true, undefined)
    recorder.root.fail({ type: 'EIO', message: 'the answer broke off' })
    const rules: SamplingRules = { ...RULES, sampleRate: 0, keepErrors: '5xx' }
    expect(decide(recorder, { authenticated: true, status: 200, isHead: false }, rules)).toBe(
      'error',
    )
  })

  test('what the head sampled says so, failed or not, and counts as its share', () => {
    const recorder = new Recorder(true, undefined)
    const rules: SamplingRules = { ...RULES, keepErrors: 'all' }
    expect(decide(recorder, { authenticated: true, status: 500, isHead: false }, rules)).toBe(
      'head',
    )
  })
})

describe('trace contract 1, --otel-slow-threshold: base plus bytes / --otel-slow-rate', () => {
  const cases: [
    thresholdMs: number,
    rate: number,
    tookMs: number,
    bytes: number | undefined,
    kept: boolean,
  ][] = [
    [1000, 0, 999, undefined, false],
    [1000, 0, 1001, undefined, true],
    [1000, 0, 1001, 1e9, true],
    [1000, 1e6, 1001, undefined, true],
    [1000, 1e6, 1001, 0, true],
    // 10 MB at 1 MB/s are ten seconds more.
    [1000, 1e6, 10_900, 10e6, false],
    [1000, 1e6, 11_100, 10e6, true],
    [0, 1e6, 1e6, undefined, false],
  ]
  test.each(cases)(
    '%d ms, %d bytes/s, took %d ms for %d bytes: kept %s',
    (slowThresholdMs, slowBytesPerSecond, tookMs, bytes, kept) => {
      const recorder = new Recorder(true, undefined, 1e9)
      if (bytes !== undefined) recorder.root.set('s3.content_length', bytes)
      recorder.root.end(1e9 + tookMs * 1e6)
      const rules = { ...RULES, sampleRate: 0, slowThresholdMs, slowBytesPerSecond }
      const reason = decide(recorder, { authenticated: true, status: 200, isHead: false }, rules)
      expect(reason).toBe(kept ? 'slow' : undefined)
    },
  )

  test('a request that failed slowly failed', () => {
    const recorder = new Recorder(true, undefined, 1e9)
    recorder.root.end(10e9)
    const rules: SamplingRules = { ...RULES, sampleRate: 0, keepErrors: 'all', slowThresholdMs: 10 }
    expect(decide(recorder, { authenticated: true, status: 404, isHead: false }, rules)).toBe(
      'error',
    )
  })
})

describe('each request is decided alone', () => {
  test('though many share one trace id', () => {
    const rules: SamplingRules = { ...RULES, keepErrors: 'all' }
    const reasons = [200, 500, 200].map((status) =>
      decide(
        new Recorder(true, caller(false, 'a'.repeat(32))),
        { authenticated: true, status, isHead: false },
        rules,
      ),
    )
    expect(reasons).toEqual([undefined, 'error', undefined])
  })
})

describe('without a tail rule the head decides before anything is recorded', () => {
  test('but for a caller who has yet to show who he is', () => {
    const rules = { ...RULES, sampleRate: 0 }
    expect(decideEarly(new Recorder(true, undefined), rules)).toBe(false)
    expect(decideEarly(new Recorder(true, undefined), RULES)).toBe(true)
    expect(decideEarly(new Recorder(true, caller(true)), rules)).toBe(undefined)
    expect(decideEarly(new Recorder(true, caller(true)), { ...rules, trustParent: 'always' })).toBe(
      true,
    )
  })
})
