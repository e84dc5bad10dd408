import type { Tags } from '../backend/backend.ts'
import { goMap, parseMap } from '../go-json.ts'
import { child, childText, childrenOf, type XmlElement } from '../http/xml-reader.ts'
import { element, wrap, xmlDocument } from '../http/xml.ts'
import { compareUtf8 } from '../utf8-order.ts'
import { S3Error } from './errors.ts'
import { decodeQueryText } from './query-text.ts'

const MAX_TAGS = { bucket: 50, object: 10 } as const
const TOO_MANY = {
  bucket: 'Bucket tag count cannot be greater than 50',
  object: 'Object tags cannot be greater than 10',
} as const
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
  checkCount(count, 'object')
  return tags
}

/** A `Tagging` document. MalformedXML where there is none. */
export function parseTagging(root: XmlElement | undefined, of: keyof typeof MAX_TAGS): Tags {
  if (root === undefined) throw new S3Error('MalformedXML')
  return parseTagElements(childrenOf(child(root, 'TagSet'), 'Tag'), of)
}

/** `Tag` elements: not too many, within S3's limits, and none twice. */
export function parseTagElements(elements: readonly XmlElement[], of: keyof typeof MAX_TAGS): Tags {
  checkCount(elements.length, of)
  const tags = Object.create(null) as Record<string, string>
  for (const tag of elements) {
    const key = childText(tag, 'Key') ?? ''
    const value = childText(tag, 'Value') ?? ''
    checkTag(key, value)
    if (key in tags) {
      const message = 'Cannot provide multiple Tags with the same key'
      throw new S3Error('InvalidTag', {}, { message })
    }
    tags[key] = value
  }
  return tags
}

/** As buckets and objects store them (contract 2.2, 2.3). */
export function storeTags(tags: Tags): string {
  return goMap(tags)
}

/** The answer that tells stored tags, in the order of their keys. */
export function renderTagging(stored: Buffer | undefined): string {
  const tags = parseMap(stored)
  const keys = Object.keys(tags).sort(compareUtf8)
  const set = keys.map((key) =>
    wrap('Tag', element('Key', key) + element('Value', tags[key] ?? '')),
  )
  return xmlDocument('Tagging', wrap('TagSet', set.join('')))
}

/** InvalidTag unless key and value are within S3's limits and alphabet. */
function checkTag(key: string, value: string): void {
  if (key === '' || lengthOf(key) > MAX_TAG_KEY || !TAG_TEXT.test(key)) {
    throw new S3Error('InvalidTag', key === '' ? {} : { TagKey: key })
  }
  if (lengthOf(value) > MAX_TAG_VALUE || !TAG_TEXT.test(value)) {
    const details = { TagKey: key, TagValue: value }
    throw new S3Error('InvalidTag', details, {
      message: 'The TagValue you have provided is invalid',
    })
  }
}

function checkCount(count: number, of: keyof typeof MAX_TAGS): void {
  if (count > MAX_TAGS[of]) throw new S3Error('BadRequest', {}, { message: TOO_MANY[of] })
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
