import { expect, test } from 'vitest'
import { parseXml } from '../../http/xml-reader.ts'
import { parseDelete } from './delete-objects.ts'

const parse = (xml: string) => parseDelete(parseXml(Buffer.from(xml), 'Delete'))
const unconditional = { ifMatch: undefined, ifLastModified: undefined, ifSize: undefined }

test('keys, versions and conditions, in their order', () => {
  const request = parse(
    '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object>' +
      '<Object><Key> b/\n</Key><VersionId>null</VersionId></Object>' +
      '<Object><Key>c</Key><ETag>"e"</ETag><LastModifiedTime>Sat, 21 Nov 2026 11:21:30 GMT</LastModifiedTime><Size>7</Size></Object></Delete>',
  )
  expect(request).toEqual({
    quiet: false,
    entries: [
      { key: 'a', versionId: undefined, precondition: unconditional },
      { key: ' b/\n', versionId: 'null', precondition: unconditional },
      {
        key: 'c',
        versionId: undefined,
        precondition: {
          ifMatch: '"e"',
          ifLastModified: new Date('2026-11-21T11:21:30Z'),
          ifSize: 7,
        },
      },
    ],
  })
})

test.each([
  ['<Delete><Quiet>true</Quiet></Delete>', true],
  ['<Delete><Quiet>false</Quiet></Delete>', false],
  ['<Delete></Delete>', false],
])('%s is quiet: %s', (xml, quiet) => {
  expect(parse(xml)).toEqual({ quiet, entries: [] })
})

test('an object without a key', () => {
  expect(() => parse('<Delete><Object/></Delete>')).toThrow(
    expect.objectContaining({ code: 'MalformedXML' }),
  )
})

test('a thousand keys, not one more (threats A21)', () => {
  const list = (count: number) =>
    `<Delete>${'<Object><Key>k</Key></Object>'.repeat(count)}</Delete>`
  expect(parse(list(1000)).entries).toHaveLength(1000)
  expect(() => parse(list(1001))).toThrow(expect.objectContaining({ code: 'MalformedXML' }))
})
