import { describe, expect, test } from 'vitest'
import { errorOf } from '../../test/support/s3-errors.ts'
import { checkCopyRange, contentRange, parseCopyRange, parseRange, resolveRange } from './range.ts'

describe('contract 3.7: Range', () => {
  test.each<[string | undefined, number, [number, number] | undefined]>([
    [undefined, 10, undefined],
    ['bytes=0-9', 10, [0, 10]],
    ['bytes=0-0', 10, [0, 1]],
    ['bytes=2-4', 10, [2, 3]],
    ['bytes=2-', 10, [2, 8]],
    ['bytes=9-9', 10, [9, 1]],
    ['bytes=5-100', 10, [5, 5]],
    ['bytes=0-99999999999999999999', 10, [0, 10]],
    ['bytes=-3', 10, [7, 3]],
    ['bytes=-100', 10, [0, 10]],
    ['bytes=-5', 0, undefined],
    ['bytes=5-2', 10, undefined],
    ['bytes=-', 10, undefined],
    ['bytes=', 10, undefined],
    ['bytes=a-b', 10, undefined],
    ['bytes=1-2,4-5', 10, undefined],
    ['bytes=+1-2', 10, undefined],
    ['bytes = 1-2', 10, undefined],
    ['bytes=1-2 ', 10, undefined],
    ['items=1-2', 10, undefined],
    ['', 10, undefined],
  ])('%s of %i bytes', (text, size, expected) => {
    const slice = resolveRange(parseRange(text), size)
    expect(slice === undefined ? undefined : [slice.offset, slice.length]).toEqual(expected)
  })

  test.each([
    ['bytes=10-', 10],
    ['bytes=10-20', 10],
    ['bytes=-0', 10],
    ['bytes=99999999999999999999-', 10],
  ])('%s of %i bytes is 416', (text, size) => {
    expect(errorOf(() => resolveRange(parseRange(text), size))).toMatchObject({
      code: 'InvalidRange',
      status: 416,
      details: { RangeRequested: text, ActualObjectSize: String(size) },
    })
  })

  test('an empty object has no size to tell', () => {
    const error = errorOf(() => resolveRange(parseRange('bytes=0-'), 0))
    expect(error).toMatchObject({ code: 'InvalidRange', details: { RangeRequested: 'bytes=0-' } })
    expect(error.details).not.toHaveProperty('ActualObjectSize')
  })

  test('Content-Range has inclusive ends', () => {
    expect(contentRange({ offset: 2, length: 3 }, 10)).toBe('bytes 2-4/10')
  })
})

describe('contract 3.5: x-amz-copy-source-range', () => {
  test('names both ends, which lie within the source', () => {
    expect(parseCopyRange(undefined)).toBeUndefined()
    expect(parseCopyRange('bytes=0-4')).toEqual({ start: 0, end: 4 })
    expect(() => checkCopyRange({ start: 0, end: 4 }, 5)).not.toThrow()
    expect(() => checkCopyRange(undefined, 0)).not.toThrow()
  })

  test.each([
    'bytes=5-',
    'bytes=-5',
    '0-4',
    'bytes=4-0',
    'bytes=0-4,6-7',
    'bytes=a-b',
    '',
    'bytes=0-99999999999999999999',
  ])('not %j', (text) => {
    expect(errorOf(() => parseCopyRange(text))).toMatchObject({
      code: 'InvalidArgument',
      details: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: text },
      message:
        'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
    })
  })

  test('beyond the end nothing is clamped', () => {
    expect(errorOf(() => checkCopyRange({ start: 0, end: 5 }, 5))).toMatchObject({
      code: 'InvalidArgument',
      details: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: '5' },
      message: 'Range specified is not valid for source object of size: 5',
    })
  })
})
