import { describe, expect, test } from 'vitest'
import { requestOf } from '../../test/support/requests.ts'
import { checkCopySize, isSameObject, parseCopySource, refuseBody } from './copy-source.ts'

const unversioned = { versionId: undefined }

describe('x-amz-copy-source is an optional slash, bucket, slash, key, decoded once', () => {
  test.each([
    ['bkt/key', { bucket: 'bkt', key: 'key', ...unversioned }],
    ['/bkt/key', { bucket: 'bkt', key: 'key', ...unversioned }],
    ['bkt/a/b/c', { bucket: 'bkt', key: 'a/b/c', ...unversioned }],
    ['bkt//a//./b', { bucket: 'bkt', key: 'a/b', ...unversioned }],
    ['bkt/dir/', { bucket: 'bkt', key: 'dir/', ...unversioned }],
    ['bkt%2Fkey', { bucket: 'bkt', key: 'key', ...unversioned }],
    ['%2Fbkt%2Fa%2Fb', { bucket: 'bkt', key: 'a/b', ...unversioned }],
    ['bkt/a+b', { bucket: 'bkt', key: 'a b', ...unversioned }],
    ['bkt/a%2Bb', { bucket: 'bkt', key: 'a+b', ...unversioned }],
    ['bkt/a%252Fb', { bucket: 'bkt', key: 'a%2Fb', ...unversioned }],
    ['bkt/%C3%BC', { bucket: 'bkt', key: 'ü', ...unversioned }],
    ['bkt/what?', { bucket: 'bkt', key: 'what?', ...unversioned }],
    ['bkt/key?versionId=null', { bucket: 'bkt', key: 'key', versionId: 'null' }],
    ['bkt/key?versionId=', { bucket: 'bkt', key: 'key', ...unversioned }],
    ['bkt/key%3FversionId=1', { bucket: 'bkt', key: 'key?versionId=1', ...unversioned }],
  ])('%s', (text, expected) => {
    expect(parseCopySource(text, true)).toEqual(expected)
  })
})

describe('a copy source that is none', () => {
  const name = 'x-amz-copy-source'
  test.each([
    ['bkt', 'Invalid copy source object key', { ArgumentName: name }],
    ['bkt/', 'Invalid copy source object key', { ArgumentName: name }],
    [
      'bkt/../../x',
      'Invalid copy source object key',
      { ArgumentName: name, ArgumentValue: '../../x' },
    ],
    ['bkt/..', 'Invalid copy source object key', { ArgumentName: name, ArgumentValue: '..' }],
    [
      'bkt/%2E%2E/x',
      'Invalid copy source object key',
      { ArgumentName: name, ArgumentValue: '../x' },
    ],
    [
      'bkt/.sgwtmp/x',
      'Invalid copy source object key',
      { ArgumentName: name, ArgumentValue: '.sgwtmp/x' },
    ],
    ['bkt/a%00b', 'Invalid copy source object key', { ArgumentName: name, ArgumentValue: 'a\0b' }],
    ['bkt/%zz', 'Invalid copy source encoding', { ArgumentName: name, ArgumentValue: 'bkt/%zz' }],
    ['bkt/%ff', 'Invalid copy source encoding', { ArgumentName: name, ArgumentValue: 'bkt/%ff' }],
    [
      'Bad_Name/key',
      'Invalid copy source bucket name',
      { ArgumentName: name, ArgumentValue: 'Bad_Name' },
    ],
    ['../key', 'Invalid copy source bucket name', { ArgumentName: name, ArgumentValue: '..' }],
    ['', 'Invalid copy source bucket name', { ArgumentName: name }],
  ])('%s', (text, message, details) => {
    expect(() => parseCopySource(text, true)).toThrow(
      expect.objectContaining({ code: 'InvalidArgument', message, details }),
    )
  })

  test('a version nobody made', () => {
    expect(() => parseCopySource('bkt/key?versionId=abc', true)).toThrow(
      'Invalid version id specified',
    )
  })
})

test('relaxed bucket names are names of a source too', () => {
  expect(parseCopySource('Bad_Name/key', false).bucket).toBe('Bad_Name')
})

test.each([
  [{ bucket: 'a', key: 'k' }, { bucket: 'a', key: 'k' }, true],
  [{ bucket: 'a', key: 'k' }, { bucket: 'a', key: 'k/' }, false],
  [{ bucket: 'a', key: 'k' }, { bucket: 'b', key: 'k' }, false],
])('%o and %o are one object: %s', (a, b, same) => {
  expect(isSameObject(a, b)).toBe(same)
})

describe('a copy has no body', () => {
  test.each([{}, { 'Content-Length': '0' }])('%o passes', (headers) => {
    expect(() => refuseBody(requestOf({ method: 'PUT', headers }))).not.toThrow()
  })
  test.each([
    { 'Content-Length': '4' },
    { 'Transfer-Encoding': 'chunked' },
    { 'Content-Length': '90', 'x-amz-decoded-content-length': '4' },
  ])('%o is refused', (headers) => {
    expect(() => refuseBody(requestOf({ method: 'PUT', headers }))).toThrow(
      'The request included a body. Requests of this type must not include a non-empty body.',
    )
  })
})

test('a source beyond the threshold is too large to copy', () => {
  expect(() => checkCopySize(10, 10)).not.toThrow()
  expect(() => checkCopySize(11, 10)).toThrow(
    'The specified copy source is larger than the maximum allowable size for a copy source: 10',
  )
})
