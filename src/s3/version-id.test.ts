import { expect, test } from 'vitest'
import { parseNullVersionId, parseVersionId } from './version-id.ts'

test('contract 3.6: without versions an id names nothing', () => {
  expect(parseVersionId(undefined)).toBeUndefined()
  expect(parseVersionId('')).toBeUndefined()
  for (const text of ['null', 'abc']) {
    expect(() => parseVersionId(text)).toThrow(
      expect.objectContaining({
        code: 'InvalidArgument',
        message: 'Invalid version id specified',
        details: { ArgumentName: 'versionId', ArgumentValue: text },
      }),
    )
  }
})

test('but null, where a version is deleted or copied: the object itself', () => {
  expect(parseNullVersionId('null')).toBe('null')
  expect(parseNullVersionId('')).toBeUndefined()
  expect(() => parseNullVersionId('abc')).toThrow('Invalid version id specified')
})
