import { describe, expect, test } from 'vitest'
import { readBucketLock, retentionGivenBy } from './bucket-lock.ts'
import { protectionOf } from './retention.ts'

const NOW = Date.UTC(2030, 5, 15, 12)
const bucketWith = (retention: unknown, createdAt: string | null = '2030-06-15T00:00:00Z') =>
  readBucketLock(
    Buffer.from(
      JSON.stringify({ Enabled: true, DefaultRetention: retention, CreatedAt: createdAt }),
    ),
  ) ?? { enabled: true, defaultRetention: undefined }
const PLAIN = bucketWith(null)
const DAY = { Days: 1, Mode: 'GOVERNANCE', Years: null }
const STRICT = { Days: null, Mode: 'COMPLIANCE', Years: 2 }
const own = (mode: string, until: string): string =>
  JSON.stringify({ Mode: mode, RetainUntilDate: until })
const named =
  '{"XMLName":{"Space":"","Local":"Retention"},"Mode":"COMPLIANCE","RetainUntilDate":"2031-01-01T00:00:00Z"}'

describe('contract 4.7: what protects an object', () => {
  test.each([
    ['nothing', undefined, undefined, PLAIN, 'none'],
    ['GOVERNANCE', own('GOVERNANCE', '2031-01-01T00:00:00Z'), undefined, PLAIN, 'governance'],
    ['COMPLIANCE', own('COMPLIANCE', '2031-01-01T00:00:00Z'), undefined, PLAIN, 'fixed'],
    ['the form of the call (2.3)', named, undefined, PLAIN, 'fixed'],
    ['until this very moment', own('COMPLIANCE', '2030-06-15T12:00:00Z'), undefined, PLAIN, 'none'],
    [
      'a millisecond longer',
      own('GOVERNANCE', '2030-06-15T12:00:00.001Z'),
      undefined,
      PLAIN,
      'governance',
    ],
    [
      'another zone',
      own('GOVERNANCE', '2030-06-15T14:00:01+02:00'),
      undefined,
      PLAIN,
      'governance',
    ],
    ['one that has ended', own('COMPLIANCE', '2020-01-01T00:00:00Z'), undefined, PLAIN, 'none'],
    ['a hold', undefined, 1, PLAIN, 'fixed'],
    ['a hold that is lifted', undefined, 0, PLAIN, 'none'],
    [
      '9.2, 7: a hold beside one that has ended',
      own('GOVERNANCE', '2020-01-01T00:00:00Z'),
      1,
      PLAIN,
      'fixed',
    ],
    ['a hold beside GOVERNANCE', own('GOVERNANCE', '2031-01-01T00:00:00Z'), 1, PLAIN, 'fixed'],
    ['its bucket’s, from when that got it', undefined, undefined, bucketWith(DAY), 'governance'],
    ['in years', undefined, undefined, bucketWith(STRICT), 'fixed'],
    [
      'its bucket’s, which has ended',
      undefined,
      undefined,
      bucketWith(DAY, '2030-06-14T11:00:00Z'),
      'none',
    ],
    [
      'its bucket’s, nobody knows since when',
      undefined,
      undefined,
      bucketWith(DAY, null),
      'governance',
    ],
    [
      'its own before its bucket’s',
      own('GOVERNANCE', '2020-01-01T00:00:00Z'),
      undefined,
      bucketWith(STRICT),
      'none',
    ],
    ['what cannot be read', 'soon', undefined, PLAIN, 'fixed'],
    ['nothing at all', '', undefined, PLAIN, 'fixed'],
    [
      'a date that is none',
      own('GOVERNANCE', '2030-02-30T00:00:00Z'),
      undefined,
      PLAIN,
      'governance',
    ],
    ['a mode that is none', own('LENIENT', '2031-01-01T00:00:00Z'), undefined, PLAIN, 'fixed'],
  ] as const)('%s', (_, retention, hold, bucket, protection) => {
    const stored = {
      retention: retention === undefined ? undefined : Buffer.from(retention),
      legalHold: hold === undefined ? undefined : Buffer.from([hold]),
    }
    expect(protectionOf(stored, bucket, NOW)).toBe(protection)
  })
})

test.each([
  [DAY, '2030-06-16T12:00:00Z'],
  [STRICT, '2032-06-15T12:00:00Z'],
  [{ Days: 36_500, Mode: 'COMPLIANCE', Years: null }, '2130-05-22T12:00:00Z'],
])('default retention %j is given until %s', (retention, retainUntil) => {
  expect(retentionGivenBy(bucketWith(retention), NOW)).toEqual({
    mode: retention.Mode,
    retainUntil,
  })
})

test('a bucket without default retention gives none', () => {
  expect(retentionGivenBy(PLAIN, NOW)).toBeUndefined()
})
