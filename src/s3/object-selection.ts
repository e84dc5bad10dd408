import type { ByteSlice, ObjectHead } from '../backend/backend.ts'
import { S3Error } from './errors.ts'
import { type RangeRequest, resolveRange } from './range.ts'

/** Which bytes of an object answer a request. */
export interface Selection extends ByteSlice {
  /** Undefined where the whole object answers as such: 200, not 206. */
  readonly isPartial: boolean
  /** Number of parts, where one was asked for and the object was made of parts. */
  readonly partsCount: number | undefined
}

export const NOTHING: Selection = { offset: 0, length: 0, isPartial: false, partsCount: undefined }

/** By range, by part number, or all of it. InvalidRange and InvalidPartNumber where the object has no such bytes. */
export function selectBytes(
  head: ObjectHead,
  range: RangeRequest | undefined,
  partNumber: number | undefined,
): Selection {
  if (partNumber !== undefined) return selectPart(head, partNumber)
  const slice = resolveRange(range, head.size)
  if (slice === undefined)
    return { offset: 0, length: head.size, isPartial: false, partsCount: undefined }
  return { offset: slice.offset, length: slice.length, isPartial: true, partsCount: undefined }
}

/** A range and a part number exclude each other. */
export function checkRangeAndPart(range: string | undefined, partNumber: number | undefined): void {
  if (range === undefined || partNumber === undefined) return
  throw new S3Error(
    'InvalidRequest',
    {},
    { message: 'Cannot specify both Range header and partNumber query parameter' },
  )
}

/** An object that was put whole is its own only part. Of an empty part there are no bytes to name: 200. */
function selectPart(head: ObjectHead, partNumber: number): Selection {
  const ends = head.partEnds ?? [head.size]
  const end = ends[partNumber - 1]
  if (end === undefined) {
    throw new S3Error('InvalidPartNumber', {
      ActualPartCount: String(ends.length),
      PartNumberRequested: String(partNumber),
    })
  }
  // Whoever rewrote the file without S3 left the list of its parts as it was.
  const offset = Math.min(ends[partNumber - 2] ?? 0, head.size)
  const length = Math.min(end, head.size) - offset
  return { offset, length, isPartial: length > 0, partsCount: head.partEnds?.length }
}
