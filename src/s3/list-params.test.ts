import { expect, test } from 'vitest'
import { errorOf } from '../../test/support/s3-errors.ts'
import {
  parseCount,
  parseEncodingType,
  parseMaxBuckets,
  parsePageSize,
  parsePartNumber,
  urlEncodeKey,
} from './list-params.ts'

test.each([
  [undefined, 1000],
  ['', 1000],
  ['0', 0],
  ['1', 1],
  ['1000', 1000],
  ['1001', 1000],
  ['2147483647', 1000],
  ['+5', 5],
])('contract 3.8: max-keys %s is %i', (text, expected) => {
  expect(parsePageSize('max-keys', text)).toBe(expected)
})

test.each([
  ['-1', 'Argument -1 must be an integer between 0 and 2147483647'],
  ['abc', 'Provided abc not an integer or within integer range'],
  ['1.5', 'Provided 1.5 not an integer or within integer range'],
  ['1e3', 'Provided 1e3 not an integer or within integer range'],
  [' 1', 'Provided  1 not an integer or within integer range'],
  ['2147483648', 'Provided 2147483648 not an integer or within integer range'],
  ['99999999999999999999', 'Provided 99999999999999999999 not an integer or within integer range'],
])('contract 3.8: max-keys %s', (text, message) => {
  expect(errorOf(() => parsePageSize('max-keys', text))).toMatchObject({
    code: 'InvalidArgument',
    details: { ArgumentName: 'max-keys', ArgumentValue: text },
    message,
  })
})

test('contract 6.5: other counts', () => {
  expect(parseCount('part-number-marker', undefined)).toBeUndefined()
  expect(parseCount('part-number-marker', '12')).toBe(12)
  expect(parseMaxBuckets(undefined)).toBe(10_000)
  expect(parseMaxBuckets('10000')).toBe(10_000)
  for (const text of ['0', '10001', '-1']) {
    expect(errorOf(() => parseMaxBuckets(text)).message).toBe(
      'Argument max-buckets must be an integer between 1 and 10000.',
    )
  }
  expect(errorOf(() => parseMaxBuckets('x')).message).toBe(
    'Provided x not an integer or within integer range',
  )
  expect(parsePartNumber('10000', 10_000)).toBe(10_000)
  for (const text of ['0', '10001', '-1', 'x', '']) {
    expect(errorOf(() => parsePartNumber(text, 10_000))).toMatchObject({
      details: { ArgumentName: 'partNumber', ArgumentValue: text },
      message: 'Part number must be an integer between 1 and 10000, inclusive.',
    })
  }
})

test('defect 30: encoding-type', () => {
  expect(parseEncodingType(undefined)).toBeUndefined()
  expect(parseEncodingType('url')).toBe('url')
  expect(errorOf(() => parseEncodingType('xml')).code).toBe('InvalidArgument')
  expect(urlEncodeKey("foo+1/b ä\x01'(*)!~-._")).toBe('foo%2B1/b%20%C3%A4%01%27%28%2A%29%21~-._')
})
