import { describe, expect, test } from 'vitest'
import { contextHeaders, extractContext } from './propagation.ts'
import { Recorder, type SamplingSoFar } from './recorder.ts'
import type { Propagator } from './tracing-config.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const HALF = 'a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

describe('B3 (https://github.com/openzipkin/b3-propagation)', () => {
  const single: [header: string, traceId: string, sampled: boolean | undefined][] = [
    [`${TRACE}-${SPAN}-1`, TRACE, true],
    [`${TRACE}-${SPAN}-0`, TRACE, false],
    [`${TRACE}-${SPAN}-d`, TRACE, true],
    [`${TRACE}-${SPAN}`, TRACE, undefined],
    [`${HALF}-${SPAN}-1-05e3ac9a4f6e3b90`, HALF.padStart(32, '0'), true],
  ]
  test.each(single)('b3: %s', (b3, traceId, sampled) => {
    expect(extractContext({ b3 }, ['b3'])).toEqual({
      traceId,
      spanId: SPAN,
      sampled,
      traceState: undefined,
    })
  })

  test.each(['0', '', 'x', `${TRACE}-${SPAN}-2`, `${TRACE}-${'0'.repeat(16)}-1`, `${TRACE}-1`])(
    'b3: "%s" carries no trace',
    (b3) => {
      expect(extractContext({ b3 }, ['b3'])).toBeUndefined()
    },
  )

  const multi: [fields: Record<string, string>, sampled: boolean | undefined][] = [
    [{ 'x-b3-sampled': '1' }, true],
    [{ 'x-b3-sampled': 'true' }, true],
    [{ 'x-b3-sampled': '0' }, false],
    [{ 'x-b3-flags': '1', 'x-b3-sampled': '0' }, true],
    [{}, undefined],
  ]
  test.each(multi)('%j', (fields, sampled) => {
    const headers = { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, ...fields }
    expect(extractContext(headers, ['b3multi'])).toMatchObject({ traceId: TRACE, sampled })
    expect(extractContext({ ...headers, 'x-b3-spanid': 'x' }, ['b3multi'])).toBeUndefined()
  })
})

describe('uber-trace-id, of Jaeger’s clients', () => {
  const cases: [header: string, traceId: string | undefined, sampled?: boolean][] = [
    [`${TRACE}:${SPAN}:0:1`, TRACE, true],
    [`${TRACE}%3A${SPAN}%3a0%3A0`, TRACE, false],
    [`${TRACE}:f067aa0ba902b7:0:3`, TRACE, true],
    [`${HALF}:${SPAN}:${SPAN}:1`, HALF.padStart(32, '0'), true],
    ['0:0:0:1', undefined],
    [`${TRACE}:${SPAN}:1`, undefined],
    ['', undefined],
  ]
  test.each(cases)('%s', (header, traceId, sampled) => {
    const found = extractContext({ 'uber-trace-id': header }, ['jaeger'])
    expect(found).toEqual(
      traceId === undefined ? undefined : { traceId, spanId: SPAN, sampled, traceState: undefined },
    )
  })
})

describe('X-Amzn-Trace-Id', () => {
  const root = `1-${TRACE.slice(0, 8)}-${TRACE.slice(8)}`
  const cases: [header: string, isFound: boolean, sampled?: boolean | undefined][] = [
    [`Root=${root};Parent=${SPAN};Sampled=1`, true, true],
    [`Self=1-x; Root=${root}; Parent=${SPAN}; Sampled=0;Lineage=a`, true, false],
    [`Root=${root};Parent=${SPAN};Sampled=?`, true, undefined],
    [`Root=${root}`, false],
    [`Root=${TRACE};Parent=${SPAN}`, false],
    ['', false],
  ]
  test.each(cases)('%s', (header, isFound, sampled) => {
    const found = extractContext({ 'x-amzn-trace-id': header }, ['xray'])
    expect(found).toEqual(
      isFound ? { traceId: TRACE, spanId: SPAN, sampled, traceState: undefined } : undefined,
    )
  })
})

describe('who was asked for counts', () => {
  const headers = {
    traceparent: `00-${'a'.repeat(32)}-${SPAN}-01`,
    b3: `${'b'.repeat(32)}-${SPAN}-1`,
  }
  const cases: [propagators: Propagator[], letter: string | undefined][] = [
    [['tracecontext'], 'a'],
    [['b3'], 'b'],
    [['b3', 'tracecontext'], 'b'],
    [['tracecontext', 'b3'], 'a'],
    [['b3multi', 'tracecontext'], 'a'],
    [[], undefined],
  ]
  test.each(cases)('%j', (propagators, letter) => {
    expect(extractContext(headers, propagators)?.traceId[0]).toBe(letter)
  })

  test('a header that came twice carries nothing', () => {
    const { traceparent } = headers
    expect(extractContext({ traceparent: [traceparent, traceparent] }, ['tracecontext'])).toBe(
      undefined,
    )
  })
})

describe('what goes out', () => {
  const recorderOf = (propagators: Propagator[], sampled: boolean): Recorder => {
    const sampling: SamplingSoFar = { propagators, isSampledSoFar: () => sampled }
    const parent = { traceId: TRACE, spanId: SPAN, sampled: true, traceState: 'a=1' }
    return Object.assign(new Recorder(true, parent), { sampling })
  }

  test.each([true, false])('sampled %s', (sampled) => {
    const span = recorderOf(
      ['tracecontext', 'b3', 'b3multi', 'jaeger', 'xray'],
      sampled,
    ).root.child('IAM.GetUser')
    const flag = sampled ? '1' : '0'
    expect(contextHeaders(span)).toEqual({
      traceparent: `00-${TRACE}-${span.spanId}-0${flag}`,
      tracestate: 'a=1',
      b3: `${TRACE}-${span.spanId}-${flag}`,
      'x-b3-traceid': TRACE,
      'x-b3-spanid': span.spanId,
      'x-b3-sampled': flag,
      'uber-trace-id': `${TRACE}:${span.spanId}:0:${flag}`,
      'x-amzn-trace-id': `Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=${span.spanId};Sampled=${flag}`,
    })
  })

  test('nothing with none, and nothing of a record that nobody decides about', () => {
    expect(contextHeaders(recorderOf([], true).root)).toEqual({})
    expect(contextHeaders(new Recorder(true, undefined).root)).toEqual({})
  })
})
