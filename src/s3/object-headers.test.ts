import { describe, expect, test } from 'vitest'
import { requestOf } from '../../test/support/requests.ts'
import type { ObjectHead } from '../backend/backend.ts'
import { objectHeaders, pushLockHeaders, responseOverrides } from './object-headers.ts'
import { selectBytes } from './object-selection.ts'
import { parseRange } from './range.ts'

const plain: ObjectHead = {
  size: 14,
  lastModifiedMs: Date.UTC(2026, 10, 21, 11, 21, 30, 999),
  etag: '"910c8bc73110b0cd1bc5d2bcae782511"',
  headers: { contentType: 'text/plain' },
  userMetadata: {},
  tagCount: 0,
  checksum: { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', value: 'uDXvovnM4wU=' },
  partEnds: undefined,
  versionId: undefined,
  legalHold: undefined,
  retention: undefined,
}

interface Asked {
  readonly range?: string
  readonly partNumber?: number
  readonly overrides?: ObjectHead['headers']
  readonly withChecksum?: boolean
}

/** Names and values as an object: no header may come twice. */
function answered(head: ObjectHead, asked: Asked = {}): Record<string, string> {
  const selection = selectBytes(head, parseRange(asked.range), asked.partNumber)
  const { overrides, withChecksum = false } = asked
  const list = objectHeaders(head, selection, { overrides, withChecksum })
  const entries: [string, string][] = []
  for (let i = 0; i < list.length; i += 2) entries.push([list[i] ?? '', list[i + 1] ?? ''])
  expect(new Set(entries.map(([name]) => name.toLowerCase())).size).toBe(entries.length)
  return Object.fromEntries(entries)
}

const always = {
  'Content-Type': 'text/plain',
  'Last-Modified': 'Sat, 21 Nov 2026 11:21:30 GMT',
  ETag: '"910c8bc73110b0cd1bc5d2bcae782511"',
  'accept-ranges': 'bytes',
  'x-amz-storage-class': 'STANDARD',
}

test('of a plain object', () => {
  expect(answered(plain)).toEqual(always)
})

test('of one with everything (capture GetObject-200-all-headers)', () => {
  const head: ObjectHead = {
    ...plain,
    headers: {
      contentType: 'application/json',
      contentEncoding: 'identity',
      contentLanguage: 'en',
      contentDisposition: 'inline',
      cacheControl: 'no-cache',
      expires: 'Wed, 02 Jan 2030 03:04:05 GMT',
      websiteRedirectLocation: '/hello.txt',
    },
    userMetadata: { a: '1', 'b-c': 'two  spaces' },
    tagCount: 2,
    versionId: '01JD7Z',
  }
  expect(answered(head, { withChecksum: true })).toEqual({
    ...always,
    'Content-Type': 'application/json',
    'Content-Encoding': 'identity',
    'Content-Language': 'en',
    'Content-Disposition': 'inline',
    'Cache-Control': 'no-cache',
    Expires: 'Wed, 02 Jan 2030 03:04:05 GMT',
    'x-amz-website-redirect-location': '/hello.txt',
    'x-amz-meta-a': '1',
    'x-amz-meta-b-c': 'two  spaces',
    'x-amz-tagging-count': '2',
    'x-amz-version-id': '01JD7Z',
    'x-amz-checksum-crc64nvme': 'uDXvovnM4wU=',
    'x-amz-checksum-type': 'FULL_OBJECT',
  })
})

test('of a file that S3 did not write', () => {
  const foreign = { ...plain, etag: '', headers: {}, checksum: undefined }
  const { ETag: _, ...rest } = always
  expect(answered(foreign, { withChecksum: true })).toEqual({
    ...rest,
    'Content-Type': 'text/plain; charset=utf-8',
  })
})

test('of an empty file that S3 did not write', () => {
  const foreign = { ...plain, size: 0, headers: {}, checksum: undefined }
  const { 'Content-Type': _, ...rest } = always
  expect(answered(foreign)).toEqual(rest)
})

describe('of a part of it', () => {
  test('a range, without the checksum of the whole', () => {
    expect(answered(plain, { range: 'bytes=-3', withChecksum: true })).toEqual({
      ...always,
      'Content-Range': 'bytes 11-13/14',
    })
  })
  test('a range over all of it, with the checksum (capture GetObject-206-whole)', () => {
    expect(answered(plain, { range: 'bytes=0-', withChecksum: true })).toMatchObject({
      'Content-Range': 'bytes 0-13/14',
      'x-amz-checksum-crc64nvme': 'uDXvovnM4wU=',
    })
  })
  test('a part of an upload', () => {
    expect(answered({ ...plain, partEnds: [5, 14] }, { partNumber: 2 })).toEqual({
      ...always,
      'Content-Range': 'bytes 5-13/14',
      'x-amz-mp-parts-count': '2',
    })
  })
})

describe('nothing stored or asked for becomes a header of its own', () => {
  test('line ends are spaces', () => {
    const head = {
      ...plain,
      headers: { contentType: 'a\r\nX-Evil: 1' },
      userMetadata: { a: 'x\r\nSet-Cookie: y\0z' },
    }
    expect(answered(head, { overrides: { cacheControl: 'a\nb' } })).toMatchObject({
      'Content-Type': 'a  X-Evil: 1',
      'Cache-Control': 'a b',
      'x-amz-meta-a': 'x  Set-Cookie: y z',
    })
  })
  test('text beyond ASCII goes as UTF-8, one character a byte', () => {
    expect(answered({ ...plain, userMetadata: { a: 'ü' } })['x-amz-meta-a']).toBe('\u00c3\u00bc')
  })
  test('metadata whose name no header can have is counted', () => {
    expect(answered({ ...plain, userMetadata: { 'a b': '1', 'ü:': '2', ok: '3' } })).toEqual({
      ...always,
      'x-amz-meta-ok': '3',
      'x-amz-missing-meta': '2',
    })
  })
})

test('aws-chunked of older data is not told (contract 9.2, 16)', () => {
  const chunked = {
    ...plain,
    headers: { contentType: 'text/plain', contentEncoding: 'aws-chunked' },
  }
  expect(answered(chunked)).toEqual(always)
  const zipped = {
    ...plain,
    headers: { contentType: 'text/plain', contentEncoding: 'gzip,aws-chunked' },
  }
  expect(answered(zipped)['Content-Encoding']).toBe('gzip')
})

test('response-* parameters stand in for what is stored', () => {
  const target =
    '/b/k?response-content-type=text%2Fx-a&response-content-disposition=attachment&response-cache-control=no-store' +
    '&response-content-language=fr&response-content-encoding=x-foo&response-expires=never'
  const overrides = responseOverrides(requestOf({ target }))
  expect(overrides).toBeDefined()
  if (overrides === undefined) return
  expect(answered(plain, { overrides })).toEqual({
    ...always,
    'Content-Type': 'text/x-a',
    'Content-Disposition': 'attachment',
    'Cache-Control': 'no-store',
    'Content-Language': 'fr',
    'Content-Encoding': 'x-foo',
    Expires: 'never',
  })
})

test.each(['/b/k', '/b/k?response-content-type=', '/b/k?x=response-'])(
  '%s overrides nothing',
  (target) => {
    expect(responseOverrides(requestOf({ target }))).toBeUndefined()
  },
)

test('HEAD tells of locks', () => {
  const list: string[] = []
  pushLockHeaders(list, {
    ...plain,
    legalHold: true,
    retention: { mode: 'GOVERNANCE', retainUntil: '2030-01-01T00:00:00Z' },
  })
  expect(list).toEqual([
    'x-amz-object-lock-mode',
    'GOVERNANCE',
    'x-amz-object-lock-retain-until-date',
    '2030-01-01T00:00:00Z',
    'x-amz-object-lock-legal-hold',
    'ON',
  ])
})
