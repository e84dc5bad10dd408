import { describe, expect, test } from 'vitest'
import { S3Error } from '../s3/errors.ts'
import { element, errorDocument, escapeXml, optional, xmlDocument } from './xml.ts'

describe('contract 6.1: writing', () => {
  test.each([
    ['plain', 'plain'],
    [`<a href="b">'&'</a>`, '&lt;a href=&#34;b&#34;&gt;&#39;&amp;&#39;&lt;/a&gt;'],
    ['a\tb\nc\rd', 'a&#x9;b&#xA;c&#xD;d'],
    ['a\0b\x01\x1f\x7f', 'a\ufffdb\ufffd\ufffd\x7f'],
    ['😀\ud83d\ude00', '😀😀'],
    ['\ud83d', '\ufffd'],
    ['\ude00a', '\ufffda'],
    ['\ufffe\uffff', '\ufffd\ufffd'],
    ['日本 ü', '日本 ü'],
    [']]>', ']]&gt;'],
  ])('%j', (text, escaped) => {
    expect(escapeXml(text)).toBe(escaped)
  })

  test('elements', () => {
    expect(element('Key', 'a&b')).toBe('<Key>a&amp;b</Key>')
    expect(element('Size', 0) + element('IsTruncated', false)).toBe(
      '<Size>0</Size><IsTruncated>false</IsTruncated>',
    )
    expect(optional('A', undefined) + optional('B', '') + optional('C', 0)).toBe('<C>0</C>')
    expect(xmlDocument('R', 'x')).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<R xmlns="http://s3.amazonaws.com/doc/2006-03-01/">x</R>',
    )
  })

  test('errors: code, message, details, where to look them up', () => {
    const error = new S3Error('NoSuchBucket', { BucketName: '<b>' })
    expect(errorDocument(error, { requestId: 'R', hostId: 'H' })).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist.</Message>' +
        '<BucketName>&lt;b&gt;</BucketName><RequestId>R</RequestId><HostId>H</HostId></Error>',
    )
  })
})
