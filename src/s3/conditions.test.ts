import { describe, expect, test } from 'vitest'
import { requestOf } from '../../test/support/requests.ts'
import { errorOf } from '../../test/support/s3-errors.ts'
import {
  checkCopyConditions,
  checkReadConditions,
  copyConditions,
  deletePrecondition,
  matchesEtag,
  readConditions,
  writePrecondition,
} from './conditions.ts'

const HEAD = { etag: '"abc"', lastModifiedMs: Date.UTC(2026, 10, 21, 9, 17, 10, 654) }
const NOW = Date.UTC(2026, 10, 21, 12)
const SAME = 'Sat, 21 Nov 2026 09:17:10 GMT'
const BEFORE = 'Sat, 21 Nov 2026 09:17:09 GMT'
const AFTER = 'Sat, 21 Nov 2026 09:17:11 GMT'
const FUTURE = 'Sat, 21 Nov 2026 12:00:01 GMT'

type Headers = Record<string, string>

function outcome(headers: Headers): string {
  try {
    checkReadConditions(readConditions(requestOf({ headers }), NOW), HEAD)
    return '200'
  } catch (error) {
    const { status, details } = errorOf(() => {
      throw error
    })
    return `${status} ${details['Condition'] ?? ''}`.trim()
  }
}

describe('contract 3.9: reads', () => {
  test.each<[string, Headers, string]>([
    ['no condition', {}, '200'],
    ['If-Match true', { 'If-Match': '"abc"' }, '200'],
    ['If-Match without quotes', { 'If-Match': 'abc' }, '200'],
    ['If-Match *', { 'If-Match': '*' }, '200'],
    ['If-Match one of several', { 'If-Match': '"x", "abc"' }, '200'],
    ['If-Match false', { 'If-Match': '"x"' }, '412 If-Match'],
    ['If-Match weak', { 'If-Match': 'W/"abc"' }, '412 If-Match'],
    ['If-None-Match true', { 'If-None-Match': '"x"' }, '200'],
    ['If-None-Match false', { 'If-None-Match': '"abc"' }, '304'],
    ['If-None-Match false, weak', { 'If-None-Match': 'W/"abc"' }, '304'],
    ['If-None-Match *', { 'If-None-Match': '*' }, '304'],
    ['If-Modified-Since true', { 'If-Modified-Since': BEFORE }, '200'],
    ['If-Modified-Since false', { 'If-Modified-Since': AFTER }, '304'],
    ['If-Unmodified-Since true', { 'If-Unmodified-Since': AFTER }, '200'],
    ['If-Unmodified-Since false', { 'If-Unmodified-Since': BEFORE }, '412 If-Unmodified-Since'],
    ['If-Match true, If-None-Match false', { 'If-Match': 'abc', 'If-None-Match': 'abc' }, '304'],
    ['If-Match true, If-None-Match true', { 'If-Match': 'abc', 'If-None-Match': 'x' }, '200'],
    [
      'If-Match true, If-Modified-Since false',
      { 'If-Match': 'abc', 'If-Modified-Since': AFTER },
      '304',
    ],
    [
      'If-Match true, If-Unmodified-Since false (RFC 9110 §13.2.2)',
      { 'If-Match': 'abc', 'If-Unmodified-Since': BEFORE },
      '200',
    ],
    [
      'If-Match false, the others true',
      { 'If-Match': 'x', 'If-None-Match': 'x', 'If-Unmodified-Since': AFTER },
      '412 If-Match',
    ],
    [
      'If-None-Match true, If-Unmodified-Since false',
      { 'If-None-Match': 'x', 'If-Unmodified-Since': BEFORE },
      '412 If-Unmodified-Since',
    ],
    [
      'If-None-Match false, If-Unmodified-Since false',
      { 'If-None-Match': 'abc', 'If-Unmodified-Since': BEFORE },
      '412 If-Unmodified-Since',
    ],
    [
      'If-None-Match true, If-Modified-Since false (RFC 9110 §13.1.3)',
      { 'If-None-Match': 'x', 'If-Modified-Since': AFTER },
      '200',
    ],
    [
      'If-None-Match false, If-Modified-Since true',
      { 'If-None-Match': 'abc', 'If-Modified-Since': BEFORE },
      '304',
    ],
    [
      'If-Modified-Since false, If-Unmodified-Since false',
      { 'If-Modified-Since': AFTER, 'If-Unmodified-Since': BEFORE },
      '412 If-Unmodified-Since',
    ],
    [
      'defect 14: Last-Modified sent back as If-Modified-Since',
      { 'If-Modified-Since': SAME },
      '304',
    ],
    [
      'defect 14: Last-Modified sent back as If-Unmodified-Since',
      { 'If-Unmodified-Since': SAME },
      '200',
    ],
    ['a date ahead is ignored', { 'If-Modified-Since': FUTURE }, '200'],
    ['a date that is none is ignored', { 'If-Unmodified-Since': 'yesterday' }, '200'],
    ['RFC 3339', { 'If-Modified-Since': '2026-11-21T10:17:10+01:00' }, '304'],
  ])('%s', (_, headers, expected) => {
    expect(outcome(headers)).toBe(expected)
  })

  test('304 carries the validators', () => {
    const request = requestOf({ headers: { 'If-None-Match': 'abc' } })
    expect(errorOf(() => checkReadConditions(readConditions(request, NOW), HEAD)).headers).toEqual({
      ETag: '"abc"',
      'Last-Modified': SAME,
    })
  })
})

test.each<[Headers, string]>([
  [{ 'x-amz-copy-source-if-match': 'x' }, 'If-Match'],
  [{ 'x-amz-copy-source-if-none-match': 'abc' }, 'If-None-Match'],
  [{ 'x-amz-copy-source-if-modified-since': AFTER }, 'If-Modified-Since'],
  [{ 'x-amz-copy-source-if-unmodified-since': BEFORE }, 'If-Unmodified-Since'],
])('contract 3.5: conditions on a source are 412: %j', (headers, condition) => {
  const check = () => checkCopyConditions(copyConditions(requestOf({ headers }), NOW), HEAD)
  expect(errorOf(check)).toMatchObject({ status: 412, details: { Condition: condition } })
})

test.each<Headers>([
  { 'x-amz-copy-source-if-match': 'abc' },
  { 'x-amz-copy-source-if-none-match': 'x' },
  { 'If-None-Match': 'abc' },
])('contract 3.5: a source that may be copied: %j', (headers) => {
  const check = () => checkCopyConditions(copyConditions(requestOf({ headers }), NOW), HEAD)
  expect(check).not.toThrow()
})

describe('contract 3.9: writes', () => {
  test('If-Match or If-None-Match: *', () => {
    expect(writePrecondition(requestOf({}))).toEqual({})
    expect(writePrecondition(requestOf({ headers: { 'If-None-Match': '*' } }))).toEqual({
      ifNoneMatch: '*',
    })
    expect(writePrecondition(requestOf({ headers: { 'If-Match': '"abc"' } }))).toEqual({
      ifMatch: '"abc"',
    })
  })

  test.each<[Headers, string]>([
    [
      { 'If-None-Match': '"abc"' },
      "We don\\'t accept the provided value of If-None-Match header for this API",
    ],
    [
      { 'If-None-Match': '*', 'If-Match': '*' },
      'Multiple conditional request headers present in the request',
    ],
  ])('%j is 501', (headers, additionalMessage) => {
    expect(errorOf(() => writePrecondition(requestOf({ headers })))).toMatchObject({
      code: 'NotImplemented',
      status: 501,
      details: { additionalMessage },
    })
  })

  test('DELETE: ETag, time and size', () => {
    const headers = {
      'If-Match': 'abc',
      'x-amz-if-match-last-modified-time': SAME,
      'x-amz-if-match-size': '12',
    }
    expect(deletePrecondition(requestOf({ headers }))).toEqual({
      ifMatch: 'abc',
      ifLastModified: new Date(SAME),
      ifSize: 12,
    })
    expect(deletePrecondition(requestOf({}))).toEqual({
      ifMatch: undefined,
      ifLastModified: undefined,
      ifSize: undefined,
    })
  })
})

test.each([
  ['"a"', '"a"', true],
  ['a', '"a"', true],
  ['"a", "b"', '"b"', true],
  ['*', '', true],
  ['"a"', '', false],
  ['"a-1"', '"a"', false],
])('ETags: %s against %s is %s', (list, etag, expected) => {
  expect(matchesEtag(list, etag)).toBe(expected)
})
