import { expect, test } from 'vitest'
import { parseNullVersionId, parseVersionId } from './version-id.ts'

const refused = (text: string): unknown =>
  expect.objectContaining({
    code: 'InvalidArgument',
    message: 'Invalid version id specified',
    details: { ArgumentName: 'versionId', ArgumentValue: text },
  })

test('contract 2.5: a version is named by null or by a ULID, in whatever case', () => {
  for (const text of ['null', '01M7YXE584PRCH71VMY6MA8VAM', '01m7yxe584prch71vmy6ma8vam'])
    expect(parseVersionId(text)).toBe(text)
  for (const text of [undefined, '']) expect(parseVersionId(text)).toBeUndefined()
})

test.each([
  'abc',
  'NULL',
  ' null',
  '01M7YXE584PRCH71VMY6MA8VA',
  '81M7YXE584PRCH71VMY6MA8VAM',
  '01M7YXE584PRCH71VMY6MA8VAU',
  '../../../../../../../../ab',
  '0/../../../../../../../../',
])('contract 3.6: %j is neither', (text) => {
  expect(() => parseVersionId(text)).toThrow(refused(text))
})

test('but null, where a version is deleted or copied: the object itself', () => {
  expect(parseNullVersionId('null')).toBe('null')
  expect(parseNullVersionId('')).toBeUndefined()
  expect(() => parseNullVersionId('abc')).toThrow('Invalid version id specified')
})
