import { describe, expect, test } from 'vitest'
import type { ObjectHead } from '../backend/backend.ts'
import { checkRangeAndPart, selectBytes } from './object-selection.ts'
import { parseRange } from './range.ts'

const headOf = (size: number, partEnds?: readonly number[]): ObjectHead => ({
  size,
  lastModifiedMs: 0,
  etag: '"e"',
  headers: {},
  userMetadata: {},
  tagCount: 0,
  checksum: undefined,
  partEnds,
  versionId: undefined,
  legalHold: undefined,
  retention: undefined,
})

test.each([
  ['all of it', headOf(14), undefined, undefined, { offset: 0, length: 14, isPartial: false }],
  ['a range', headOf(14), 'bytes=2-4', undefined, { offset: 2, length: 3, isPartial: true }],
  [
    'a range over all of it',
    headOf(14),
    'bytes=0-',
    undefined,
    { offset: 0, length: 14, isPartial: true },
  ],
  [
    'a range that is none',
    headOf(14),
    'bytes=5-2',
    undefined,
    { offset: 0, length: 14, isPartial: false },
  ],
  [
    'the only part of a plain object',
    headOf(14),
    undefined,
    1,
    { offset: 0, length: 14, isPartial: true },
  ],
  ['the only part of nothing', headOf(0), undefined, 1, { offset: 0, length: 0, isPartial: false }],
  [
    'the first part',
    headOf(9, [4, 9]),
    undefined,
    1,
    { offset: 0, length: 4, isPartial: true, partsCount: 2 },
  ],
  [
    'the last part',
    headOf(9, [4, 9]),
    undefined,
    2,
    { offset: 4, length: 5, isPartial: true, partsCount: 2 },
  ],
  [
    'a part cut off by hand',
    headOf(6, [4, 9]),
    undefined,
    2,
    { offset: 4, length: 2, isPartial: true, partsCount: 2 },
  ],
  [
    'a part gone by hand',
    headOf(3, [4, 9]),
    undefined,
    2,
    { offset: 3, length: 0, isPartial: false, partsCount: 2 },
  ],
])('%s', (_, head, range, partNumber, expected) => {
  expect(selectBytes(head, parseRange(range), partNumber)).toEqual({
    partsCount: undefined,
    ...expected,
  })
})

describe('a part that there is not: 416 InvalidPartNumber', () => {
  test.each([
    [headOf(14), 2, '1'],
    [headOf(9, [4, 9]), 3, '2'],
  ])('%o part %i', (head, partNumber, count) => {
    expect(() => selectBytes(head, undefined, partNumber)).toThrow(
      expect.objectContaining({
        code: 'InvalidPartNumber',
        status: 416,
        details: { ActualPartCount: count, PartNumberRequested: String(partNumber) },
      }),
    )
  })
})

test('a range and a part number exclude each other', () => {
  expect(() => checkRangeAndPart('bytes=0-1', 1)).toThrow(
    'Cannot specify both Range header and partNumber query parameter',
  )
  expect(() => checkRangeAndPart(undefined, 1)).not.toThrow()
  expect(() => checkRangeAndPart('bytes=0-1', undefined)).not.toThrow()
})
