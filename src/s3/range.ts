import type { ByteRange, ByteSlice } from '../backend/backend.ts'
import { S3Error } from './errors.ts'

/** A Range header that asks for one range of bytes. `end` is inclusive. */
export type RangeRequest =
  | { readonly kind: 'from'; readonly start: number; readonly end: number; readonly text: string }
  | { readonly kind: 'suffix'; readonly length: number; readonly text: string }

const SINGLE_RANGE = /^bytes=(\d*)-(\d*)$/

/** Whatever is not one range of bytes, in form or in number, is ignored, as RFC 9110 §14.2 allows: undefined. */
export function parseRange(text: string | undefined): RangeRequest | undefined {
  const match = text === undefined ? null : SINGLE_RANGE.exec(text)
  if (text === undefined || match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '') return last === '' ? undefined : { kind: 'suffix', length: Number(last), text }
  const start = Number(first)
  const end = last === '' ? Number.POSITIVE_INFINITY : Number(last)
  return end < start ? undefined : { kind: 'from', start, end, text }
}

/**
 * The bytes of an object of `size` that a range means; undefined where the whole object answers (200, not 206).
 * InvalidRange where it begins beyond the end or asks for the last 0 bytes.
 */
export function resolveRange(range: RangeRequest | undefined, size: number): ByteSlice | undefined {
  if (range === undefined) return undefined
  if (range.kind === 'suffix') {
    if (range.length === 0) throw invalidRange(range, size)
    if (size === 0) return undefined
    const length = Math.min(range.length, size)
    return { offset: size - length, length }
  }
  if (range.start >= size) throw invalidRange(range, size)
  return { offset: range.start, length: Math.min(range.end, size - 1) - range.start + 1 }
}

/** `bytes 0-9/100` */
export function contentRange(slice: ByteSlice, size: number): string {
  return `bytes ${slice.offset}-${slice.offset + slice.length - 1}/${size}`
}

const COPY_RANGE = /^bytes=(\d+)-(\d+)$/
const COPY_RANGE_NAME = 'x-amz-copy-source-range'

/** `x-amz-copy-source-range`: unlike Range it names both ends, and nothing else will do. */
export function parseCopyRange(text: string | undefined): ByteRange | undefined {
  if (text === undefined) return undefined
  const match = COPY_RANGE.exec(text)
  const range = { start: Number(match?.[1] ?? Number.NaN), end: Number(match?.[2] ?? Number.NaN) }
  if (range.start <= range.end && Number.isSafeInteger(range.end)) return range
  throw new S3Error(
    'InvalidArgument',
    { ArgumentName: COPY_RANGE_NAME, ArgumentValue: text },
    {
      message:
        'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
    },
  )
}

/** A copied range must lie within the source: nothing is clamped. */
export function checkCopyRange(range: ByteRange | undefined, size: number): void {
  if (range === undefined || range.end < size) return
  throw new S3Error(
    'InvalidArgument',
    { ArgumentName: COPY_RANGE_NAME, ArgumentValue: String(size) },
    { message: `Range specified is not valid for source object of size: ${size}` },
  )
}

/** Of an empty object no size is told: so does upstream. */
function invalidRange({ text }: RangeRequest, size: number): S3Error {
  if (size === 0) return new S3Error('InvalidRange', { RangeRequested: text })
  return new S3Error('InvalidRange', { RangeRequested: text, ActualObjectSize: String(size) })
}
