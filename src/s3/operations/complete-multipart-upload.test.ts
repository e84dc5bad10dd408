import { describe, expect, test } from 'vitest'
import { requestOf } from '../../../test/support/requests.ts'
import { parseXml } from '../../http/xml-reader.ts'
import { locationOf, parseCompletion, parseObjectSize } from './complete-multipart-upload.ts'

const part = (content: string) => `<Part>${content}</Part>`
const parse = (...parts: string[]) =>
  parseCompletion(
    parseXml(
      Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`),
      'CompleteMultipartUpload',
    ),
  )

test('parts with their ETags and checksums', () => {
  expect(
    parse(
      part('<PartNumber>1</PartNumber><ETag>"a"</ETag>'),
      part('<ETag>b</ETag><ChecksumCRC32>tgSiTw==</ChecksumCRC32>\n<PartNumber> 7 </PartNumber>'),
    ),
  ).toEqual([
    { partNumber: 1, etag: '"a"', checksums: {} },
    { partNumber: 7, etag: 'b', checksums: { CRC32: 'tgSiTw==' } },
  ])
})

const one = '<PartNumber>1</PartNumber><ETag>a</ETag>'

describe('lists that are refused', () => {
  test.each([
    ['no part', [], 'MalformedXML'],
    ['no number', [part('<ETag>a</ETag>')], 'MalformedXML'],
    ['a number that is none', [part('<PartNumber>x</PartNumber><ETag>a</ETag>')], 'MalformedXML'],
    ['no ETag', [part('<PartNumber>1</PartNumber>')], 'MalformedXML'],
    [
      'a checksum of another length',
      [part(`${one}<ChecksumCRC32>AAAA</ChecksumCRC32>`)],
      'InvalidArgument',
    ],
    [
      'two checksums',
      [
        part(
          `${one}<ChecksumCRC32>tgSiTw==</ChecksumCRC32><ChecksumSHA1>0YApFpkU60HAGMlXJHxdh1EnOXM=</ChecksumSHA1>`,
        ),
      ],
      'InvalidArgument',
    ],
  ])('%s', (_, parts, code) => {
    expect(() => parse(...parts)).toThrow(expect.objectContaining({ code }))
  })
  test('no body', () => {
    expect(() => parseCompletion(undefined)).toThrow(
      expect.objectContaining({ code: 'MalformedXML' }),
    )
  })
})

test.each([
  [undefined, undefined],
  ['', undefined],
  ['0', 0],
  ['5243880', 5_243_880],
])('x-amz-mp-object-size %s is %s', (text, size) => {
  expect(parseObjectSize(text)).toBe(size)
})

test.each([
  ['-1', "Value for x-amz-mp-object-size header is less than zero: '-1'"],
  ['x', "Value for x-amz-mp-object-size header is invalid: 'x'"],
])('x-amz-mp-object-size %s is refused', (text, message) => {
  expect(() => parseObjectSize(text)).toThrow(message)
})

test.each([
  ['mpu', 'http://gateway:7070/bkt/mpu'],
  ['sl/a sh', 'http://gateway:7070/bkt/sl%2Fa%20sh'],
  ["a!'()*+b@=&$:,;~", 'http://gateway:7070/bkt/a%21%27%28%29%2A+b@=&$:%2C%3B~'],
  ['ü', 'http://gateway:7070/bkt/%C3%BC'],
])('the location of %s is %s', (key, location) => {
  const request = requestOf({ method: 'POST', target: '/bkt/x', headers: { Host: 'gateway:7070' } })
  expect(locationOf(request, 'bkt', key)).toBe(location)
})

test('a location keeps the style of the request', () => {
  const request = requestOf({
    method: 'POST',
    target: '/mp',
    headers: { Host: 'bkt.s3.example:41479' },
    virtualDomain: 's3.example:41479',
  })
  expect(locationOf(request, 'bkt', 'mp')).toBe('http://bkt.s3.example:41479/mp')
})
