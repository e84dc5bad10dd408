import { describe, expect, test } from 'vitest'
import { parseXml } from '../../http/xml-reader.ts'
import { parseBucketConfiguration } from './create-bucket.ts'

const parse = (content: string) =>
  parseBucketConfiguration(
    parseXml(
      Buffer.from(
        `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</CreateBucketConfiguration>`,
      ),
      'CreateBucketConfiguration',
    ),
  )
const tag = (key: string, value: string) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`

test.each([
  ['', { location: undefined, tags: undefined }],
  [
    '<LocationConstraint>eu-west-1</LocationConstraint>',
    { location: 'eu-west-1', tags: undefined },
  ],
  ['<LocationConstraint></LocationConstraint>', { location: '', tags: undefined }],
  [
    `<Tags>${tag('a', '1')}${tag('b', '')}</Tags>`,
    { location: undefined, tags: { a: '1', b: '' } },
  ],
])('%s', (content, expected) => {
  expect(parse(content)).toEqual(expected)
})

test('no body asks for nothing', () => {
  expect(parseBucketConfiguration(undefined)).toEqual({
    location: undefined,
    tags: undefined,
  })
})

describe('configurations that are refused', () => {
  test.each([
    [`<Tags>${tag('a', '1')}${tag('a', '2')}</Tags>`, 'InvalidTag'],
    [`<Tags>${tag('', '1')}</Tags>`, 'InvalidTag'],
    [
      `<Tags>${Array.from({ length: 51 }, (_, i) => tag(`k${i}`, '')).join('')}</Tags>`,
      'BadRequest',
    ],
  ])('%s', (content, code) => {
    expect(() => parse(content)).toThrow(expect.objectContaining({ code }))
  })
})
