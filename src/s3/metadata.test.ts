import { describe, expect, test } from 'vitest'
import { requestOf } from '../../test/support/requests.ts'
import { errorOf } from '../../test/support/s3-errors.ts'
import { contentHeaders, fromHeader, storedEncoding, toHeader, userMetadata } from './metadata.ts'

describe('contract 3.1: user metadata', () => {
  test('names in lower case, without the prefix', () => {
    const headers = {
      'X-Amz-Meta-Color': 'Blue',
      'x-amz-meta-a-b': ' c ',
      'x-amz-date': 'x',
      'Content-Type': 'y',
    }
    expect({ ...userMetadata(requestOf({ headers })) }).toEqual({ color: 'Blue', 'a-b': ' c ' })
    expect(userMetadata(requestOf({}))).toEqual({})
  })

  test('a name like a property of objects is a name', () => {
    const headers = { 'x-amz-meta-__proto__': 'a', 'x-amz-meta-constructor': 'b' }
    expect(JSON.stringify(userMetadata(requestOf({ headers })))).toBe(
      '{"__proto__":"a","constructor":"b"}',
    )
  })

  test('UTF-8 bytes are text; others are ISO-8859-1', () => {
    const sent = Buffer.from('grün 日本').toString('latin1')
    expect(userMetadata(requestOf({ headers: { 'x-amz-meta-a': sent } }))['a']).toBe('grün 日本')
    expect(userMetadata(requestOf({ headers: { 'x-amz-meta-a': 'gr\xfcn' } }))['a']).toBe('grün')
    expect(toHeader('grün 日本')).toBe(sent)
    expect(fromHeader(toHeader('\ufffd'))).toBe('\ufffd')
  })

  test('names and values of 2048 bytes are enough', () => {
    const headers = (length: number) => ({ 'x-amz-meta-abc': 'x'.repeat(length) })
    expect(() => userMetadata(requestOf({ headers: headers(2045) }))).not.toThrow()
    expect(errorOf(() => userMetadata(requestOf({ headers: headers(2046) })))).toMatchObject({
      code: 'MetadataTooLarge',
      details: { Size: '2049', MaxSizeAllowed: '2048' },
    })
  })
})

test('A20: nothing becomes a header of its own', () => {
  expect(toHeader('a\r\nSet-Cookie: b\0\x7f\tc')).toBe('a  Set-Cookie: b  \tc')
})

test('contract 2.3: content headers, each only where it is not empty', () => {
  const headers = {
    'Content-Type': 'text/plain',
    'Content-Encoding': 'gzip,aws-chunked',
    'Content-Language': '',
    'Content-Disposition': 'attachment',
    'Cache-Control': 'no-cache',
    Expires: 'whenever',
    'x-amz-website-redirect-location': '/x',
  }
  expect(contentHeaders(requestOf({ headers }))).toEqual({
    contentType: 'text/plain',
    contentEncoding: 'gzip',
    contentLanguage: undefined,
    contentDisposition: 'attachment',
    cacheControl: 'no-cache',
    expires: 'whenever',
    websiteRedirectLocation: '/x',
  })
})

test.each(['ftp://x', 'x', 'httpx://a'])('contract 7.6: redirect location %j', (location) => {
  const read = () =>
    contentHeaders(requestOf({ headers: { 'x-amz-website-redirect-location': location } }))
  expect(errorOf(read).code).toBe('InvalidRedirectLocation')
})

test.each([
  [undefined, undefined],
  ['gzip', 'gzip'],
  ['aws-chunked', undefined],
  ['AWS-Chunked', undefined],
  ['gzip, aws-chunked', 'gzip'],
  ['aws-chunked,gzip, br', 'gzip,br'],
])('defect 16: Content-Encoding %s is stored as %s', (sent, stored) => {
  expect(storedEncoding(sent)).toBe(stored)
})
