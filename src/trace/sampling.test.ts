import { ROOT_CONTEXT } from '@opentelemetry/api'
import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-node'
import { describe, expect, test } from 'vitest'
import { newTraceId } from './ids.ts'
import { Recorder, type RemoteParent } from './recorder.ts'
import { decide, type SamplingRules } from './sampling.ts'

const RULES: SamplingRules = { sampleRate: 1, parentBased: true, trustParent: 'authenticated' }

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
      expect(decide(recorder, { authenticated: true, status: 200 }, { ...RULES, sampleRate })).toBe(
        expected,
      )
    }
  })

  test('the decision stands in the record, the reason on its root', () => {
    const kept = new Recorder(true, undefined)
    decide(kept, { authenticated: true, status: 200 }, RULES)
    expect([kept.decision, kept.headSampled, kept.root.read('vgw.sampling.reason')]).toEqual([
      'kept',
      true,
      'head',
    ])
    const dropped = new Recorder(true, undefined)
    decide(dropped, { authenticated: true, status: 200 }, { ...RULES, sampleRate: 0 })
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
          { authenticated, status: 200 },
          { sampleRate, parentBased: true, trustParent },
        ) === 'head',
      ).toBe(kept)
    },
  )

  test('not without parentBased: then his trace id decides', () => {
    const low = new Recorder(true, caller(false, `${'0'.repeat(31)}1`))
    expect(
      decide(
        low,
        { authenticated: true, status: 200 },
        { ...RULES, parentBased: false, sampleRate: 0.01 },
      ),
    ).toBe('head')
  })

  test('a trace id made to be sampled does not get an unknown caller in', () => {
    let kept = 0
    for (let i = 0; i < 1000; i++) {
      const recorder = new Recorder(true, caller(true, `${'0'.repeat(31)}1`))
      if (
        decide(recorder, { authenticated: false, status: 403 }, { ...RULES, sampleRate: 0.01 }) !==
        undefined
      )
        kept++
    }
    expect(kept).toBeLessThan(50)
  })
})
