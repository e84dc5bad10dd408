import type { Tags } from '../backend/backend.ts'
import { S3Error } from './errors.ts'
import { decodeQueryText } from './query-text.ts'

const MAX_OBJECT_TAGS = 10
const MAX_TAG_KEY = 128
const MAX_TAG_VALUE = 256
/** What AWS lets tags be made of: letters, digits and separators of any script, and `_ . : / = + - @`. */
const TAG_TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

/** `x-amz-tagging`: tags written as a URL query. Undefined where the header is absent. */
export function parseTaggingHeader(header: string | undefined): Tags | undefined {
  if (header === undefined) return undefined
  const tags = Object.create(null) as Record<string, string>
  let count = 0
  for (const pair of header.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const key = decodeQueryText(equals < 0 ? pair : pair.slice(0, equals))
    const value = decodeQueryText(equals < 0 ? '' : pair.slice(equals + 1))
    if (!key || value === undefined || key in tags) throw badHeader()
    checkTag(key, value)
    tags[key] = value
    count++
  }
  if (count > MAX_OBJECT_TAGS)
    throw new S3Error('BadRequest', {}, { message: 'Object tags cannot be greater than 10' })
  return tags
}

/** InvalidTag unless key and value are within S3's limits and alphabet. */
export function checkTag(key: string, value: string): void {
  if (key === '' || lengthOf(key) > MAX_TAG_KEY || !TAG_TEXT.test(key)) {
    throw new S3Error(
      'InvalidTag',
      { TagKey: key },
      { message: 'The TagKey you have provided is invalid' },
    )
  }
  if (lengthOf(value) > MAX_TAG_VALUE || !TAG_TEXT.test(value)) {
    const details = { TagKey: key, TagValue: value }
    throw new S3Error('InvalidTag', details, {
      message: 'The TagValue you have provided is invalid',
    })
  }
}

/** Characters, not UTF-16 units. */
function lengthOf(text: string): number {
  let length = 0
  for (const _ of text) length++
  return length
}

function badHeader(): S3Error {
  return new S3Error(
    'InvalidArgument',
    { ArgumentName: 'x-amz-tagging' },
    {
      message:
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
    },
  )
}
