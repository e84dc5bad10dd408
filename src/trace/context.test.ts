import { describe, expect, test } from 'vitest'
import { formatTraceparent, parseTraceContext } from './context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

describe('traceparent (W3C Trace Context, 3.2)', () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    [`00-${TRACE}-${SPAN}-fe`, false],
    [`  00-${TRACE}-${SPAN}-01 `, true],
    [`cc-${TRACE}-${SPAN}-01`, true],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-holds`, true],
  ])('%j is continued', (traceparent, sampled) => {
    expect(parseTraceContext({ traceparent })).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      sampled,
      traceState: undefined,
    })
  })

  test.each([
    undefined,
    '',
    'garbage',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01-`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-0g`,
    `0-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN.toUpperCase()}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}0-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00_${TRACE}_${SPAN}_01`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
  ])('%j starts a new trace', (traceparent) => {
    expect(parseTraceContext({ traceparent, tracestate: 'a=1' })).toBeUndefined()
  })

  test('is written as version 00', () => {
    expect(formatTraceparent(TRACE, SPAN, true)).toBe(`00-${TRACE}-${SPAN}-01`)
    expect(formatTraceparent(TRACE, SPAN, false)).toBe(`00-${TRACE}-${SPAN}-00`)
  })
})

describe('tracestate (W3C Trace Context, 3.3)', () => {
  const state = (tracestate: string) =>
    parseTraceContext({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate })?.traceState
  const longest = `a=${'x'.repeat(254)},b=${'x'.repeat(253)}`

  test.each([
    ['rojo=00f067aa0ba902b7,congo=t61rcWkgMzE', 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'],
    [' rojo=1 ,\tcongo=2\t', 'rojo=1,congo=2'],
    ['rojo=1,,congo=2', 'rojo=1,congo=2'],
    ['tenant@vendor=1', 'tenant@vendor=1'],
    ['1a-_*/=~!', '1a-_*/=~!'],
    [longest, longest],
  ])('%j is handed on', (text, expected) => {
    expect(state(text)).toBe(expected)
  })

  test.each([
    ['empty', ''],
    ['no value', 'rojo'],
    ['empty value', 'rojo='],
    ['upper-case key', 'Rojo=1'],
    ['a key twice', 'rojo=1,rojo=2'],
    ['equals sign in the value', 'rojo=1=2'],
    ['not printable', 'rojo=\u0001'],
    ['vendor too long', `a@${'v'.repeat(15)}=1`],
    ['33 members', Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(',')],
    ['more than 512 bytes', `${longest}x`],
  ])('%s: dropped, the trace goes on', (_, text) => {
    expect(state(text)).toBeUndefined()
    expect(
      parseTraceContext({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: text })?.traceId,
    ).toBe(TRACE)
  })
})
