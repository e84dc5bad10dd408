import { element, optional, wrap } from '../http/xml.ts'
import type { ListedObject, ObjectListing } from '../backend/backend.ts'
import { formatXmlDate } from './http-date.ts'
import { urlEncodeKey } from './list-params.ts'

/** How keys and prefixes are written: as they are, or percent-encoded where `encoding-type=url` was asked for. */
export type KeyEncoder = (key: string) => string

export function keyEncoder(encodingType: 'url' | undefined): KeyEncoder {
  return encodingType === 'url' ? urlEncodeKey : (key) => key
}

/** Of an upload nobody is told who began it: so does upstream. */
export const NOBODY =
  wrap('Initiator', element('ID', '') + element('DisplayName', '')) +
  wrap('Owner', element('ID', '') + element('DisplayName', '')) +
  element('StorageClass', 'STANDARD')

/** What the answers of both versions end with, from MaxKeys on. Without an owner none is told. */
export function renderKeys(
  { objects, commonPrefixes, isTruncated }: ObjectListing,
  page: {
    readonly maxKeys: number
    readonly delimiter: string
    readonly encodingType: 'url' | undefined
    readonly owner: string | undefined
  },
): string {
  const encode = keyEncoder(page.encodingType)
  return (
    element('MaxKeys', page.maxKeys) +
    optional('Delimiter', encode(page.delimiter)) +
    element('IsTruncated', isTruncated) +
    renderContents(objects, encode, page.owner) +
    renderCommonPrefixes(commonPrefixes, encode) +
    element('EncodingType', page.encodingType ?? '')
  )
}

function renderContents(
  objects: readonly ListedObject[],
  encode: KeyEncoder,
  owner: string | undefined,
): string {
  const ownerElement = owner === undefined ? '' : wrap('Owner', element('ID', owner))
  let list = ''
  for (const object of objects) {
    list +=
      `<Contents><LastModified>${formatXmlDate(object.lastModifiedMs)}</LastModified>` +
      checksumElements(object) +
      element('ETag', object.etag) +
      element('Key', encode(object.key)) +
      `${ownerElement}<Size>${object.size}</Size><StorageClass>STANDARD</StorageClass></Contents>`
  }
  return list
}

export function renderCommonPrefixes(prefixes: readonly string[], encode: KeyEncoder): string {
  let list = ''
  for (const prefix of prefixes) list += wrap('CommonPrefixes', element('Prefix', encode(prefix)))
  return list
}

/** Of a file without a checksum both are empty; of a directory nothing is told: so does upstream. */
export function checksumElements(object: ListedObject): string {
  if (object.key.endsWith('/')) return element('ChecksumType', '')
  return (
    element('ChecksumAlgorithm', object.checksumAlgorithm) +
    element('ChecksumType', object.checksumType)
  )
}
