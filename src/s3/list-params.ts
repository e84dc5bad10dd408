import { S3Error } from './errors.ts'
import { encodeQueryText } from './query-text.ts'

const MAX_PAGE = 1000
const MAX_BUCKETS = 10_000
const MAX_INT32 = 2_147_483_647
const INTEGER = /^[+-]?\d{1,18}$/

/** `max-keys`, `max-parts`, `max-uploads`: 1000 where absent and at most, 0 allowed. */
export function parsePageSize(
  name: 'max-keys' | 'max-parts' | 'max-uploads',
  text: string | undefined,
): number {
  return Math.min(parseCount(name, text) ?? MAX_PAGE, MAX_PAGE)
}

/** A whole number from 0 to 2³¹ - 1; undefined where the parameter is absent or empty. */
export function parseCount(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  const value = parseInt32(name, text)
  if (value >= 0) return value
  throw invalid(name, text, `Argument ${text} must be an integer between 0 and 2147483647`)
}

/** `max-buckets`: 1 to 10000, 10000 where absent. */
export function parseMaxBuckets(text: string | undefined): number {
  if (text === undefined || text === '') return MAX_BUCKETS
  const value = parseInt32('max-buckets', text)
  if (value >= 1 && value <= MAX_BUCKETS) return value
  throw invalid('max-buckets', text, 'Argument max-buckets must be an integer between 1 and 10000.')
}

/** `partNumber` of an upload or a read. */
export function parsePartNumber(text: string, max: number): number {
  const value = INTEGER.test(text) ? Number(text) : Number.NaN
  if (value >= 1 && value <= max) return value
  throw invalid(
    'partNumber',
    text,
    `Part number must be an integer between 1 and ${max}, inclusive.`,
  )
}

/** `url`, or undefined where keys are to be written as they are. */
export function parseEncodingType(text: string | undefined): 'url' | undefined {
  if (text === undefined || text === '') return undefined
  if (text === 'url') return 'url'
  throw invalid('encoding-type', text, 'Invalid Encoding Method specified in Request')
}

/** `prefix`, `delimiter`, markers: an absent parameter is an empty one. */
export function orEmpty(text: string | undefined): string {
  return text ?? ''
}

/** A key as `encoding-type=url` shows it: percent-encoded UTF-8, slashes as they are. */
export function urlEncodeKey(key: string): string {
  return encodeQueryText(key).replaceAll('%2F', '/')
}

function parseInt32(name: string, text: string): number {
  const value = INTEGER.test(text) ? Number(text) : Number.NaN
  if (Math.abs(value) <= MAX_INT32) return value
  throw invalid(name, text, `Provided ${text} not an integer or within integer range`)
}

function invalid(name: string, value: string, message: string): S3Error {
  return new S3Error('InvalidArgument', { ArgumentName: name, ArgumentValue: value }, { message })
}
