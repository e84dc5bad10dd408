import { expect, test } from 'vitest'
import { parseAttributes } from './get-object-attributes.ts'

test.each([
  ['ETag', ['ETag']],
  ['ETag,ObjectSize', ['ETag', 'ObjectSize']],
  [' Checksum , ObjectParts,', ['Checksum', 'ObjectParts']],
])('%j names %o', (text, names) => {
  expect([...parseAttributes(text)]).toEqual(names)
})

test.each([undefined, '', ' , '])('%j names nothing', (text) => {
  expect(() => parseAttributes(text)).toThrow(
    'The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty',
  )
})

test('an attribute there is not', () => {
  expect(() => parseAttributes('ETag,Foo')).toThrow(
    expect.objectContaining({
      code: 'InvalidArgument',
      message: 'Invalid attribute name specified.',
      details: { ArgumentName: 'x-amz-object-attributes', ArgumentValue: 'ETag,Foo' },
    }),
  )
})
