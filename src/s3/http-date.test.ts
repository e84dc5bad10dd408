import { expect, test } from 'vitest'
import { formatAsctime, formatHttpDate, formatXmlDate, parseHttpDate } from './http-date.ts'

const TIME = Date.UTC(1994, 10, 6, 8, 49, 37)

test.each([
  ['RFC 9110 §5.6.7, IMF-fixdate', 'Sun, 06 Nov 1994 08:49:37 GMT', TIME],
  ['RFC 9110 §5.6.7, RFC 850', 'Sunday, 06-Nov-94 08:49:37 GMT', TIME],
  ['RFC 9110 §5.6.7, asctime', 'Sun Nov  6 08:49:37 1994', TIME],
  ['RFC 3339', '1994-11-06T08:49:37Z', TIME],
  ['RFC 3339 with an offset and a fraction', '1994-11-06T09:49:37.5+01:00', TIME + 500],
  ['29 February', 'Thu, 29 Feb 2024 00:00:00 GMT', Date.UTC(2024, 1, 29)],
])('%s', (_, text, ms) => {
  expect(parseHttpDate(text)).toBe(ms)
})

test.each([
  '',
  'now',
  '1994',
  '1994-11-06',
  '784111777',
  'Sun, 06 Nov 1994 08:49:37',
  'Sun, 06 Nov 1994 08:49:37 +0000',
  'Sun, 06 Foo 1994 08:49:37 GMT',
  'Sun, 31 Feb 1994 08:49:37 GMT',
  'Sun, 06 Nov 1994 25:49:37 GMT',
  '1994-13-06T08:49:37Z',
])('%j is no date', (text) => {
  expect(parseHttpDate(text)).toBeUndefined()
})

test('times are written in whole seconds', () => {
  const ms = Date.UTC(2026, 10, 1, 9, 7, 3, 999)
  expect(formatHttpDate(ms)).toBe('Sun, 01 Nov 2026 09:07:03 GMT')
  expect(formatHttpDate(ms + 1)).toBe('Sun, 01 Nov 2026 09:07:04 GMT')
  expect(formatXmlDate(ms)).toBe('2026-11-01T09:07:03Z')
  expect(formatAsctime(ms)).toBe('Sun Nov  1 09:07:03 2026')
})
