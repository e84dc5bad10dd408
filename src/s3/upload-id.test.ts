import { expect, test } from 'vitest'
import { parseUploadId, parseUploadIdMarker } from './upload-id.ts'

const id = 'cd3c0cea-b4f6-409f-9d72-70d0a2e7f5be'

test('an upload is called by a UUID', () => {
  expect(parseUploadId(id)).toBe(id)
})

test.each([undefined, '', '.', '..', '../x', `${id}/..`, `${id}\n`, 'nope'])(
  '%j names no upload',
  (text) => {
    expect(() => parseUploadId(text)).toThrow(
      expect.objectContaining({ code: 'NoSuchUpload', details: { UploadId: text ?? '' } }),
    )
  },
)

test('a marker may be absent, but must be an upload', () => {
  expect(parseUploadIdMarker(undefined)).toBe('')
  expect(parseUploadIdMarker(id)).toBe(id)
  expect(() => parseUploadIdMarker('x')).toThrow('Invalid uploadId marker')
})
