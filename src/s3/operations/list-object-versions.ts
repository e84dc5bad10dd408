import { element, wrap, xmlDocument } from '../../http/xml.ts'
import type { ListedVersion, VersionListing } from '../../backend/version-listing.ts'
import { onBucket } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { formatXmlDate } from '../http-date.ts'
import {
  checksumElements,
  keyEncoder,
  renderCommonPrefixes,
  type KeyEncoder,
} from '../list-answer.ts'
import { orEmpty, parseEncodingType, parsePageSize } from '../list-params.ts'
import { label, operation, query } from '../operation.ts'
import { isVersionId } from '../version-id.ts'

export const ListObjectVersions = operation(
  {
    name: 'ListObjectVersions',
    http: { method: 'GET', target: 'bucket', query: 'versions' },
    input: {
      bucket: label('bucket'),
      prefix: query('prefix', orEmpty),
      delimiter: query('delimiter', orEmpty),
      keyMarker: query('key-marker', orEmpty),
      versionIdMarker: query('version-id-marker', parseVersionIdMarker),
      maxKeys: query('max-keys', parseMaxKeys),
      encodingType: query('encoding-type', parseEncodingType),
    },
  },
  {
    access: onBucket('s3:ListBucketVersions', 'READ'),
    async handle(input, { backend, call }) {
      const { bucket, ...page } = input
      if (page.keyMarker === '' && page.versionIdMarker !== undefined) throw markerWithoutKey()
      const listing = await backend.listVersions(bucket, page, call)
      return { status: 200, body: renderVersions(listing, input) }
    },
  },
)

function parseMaxKeys(text: string | undefined): number {
  if (text !== undefined && /^-0*[1-9]\d{0,9}$/.test(text))
    throw invalid('maxKeys', text, 'max-keys cannot be negative')
  return parsePageSize('max-keys', text)
}

function parseVersionIdMarker(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  if (isVersionId(text)) return text
  throw invalid('version-id-marker', text, 'Invalid version id specified')
}

function markerWithoutKey(): S3Error {
  const message = 'A version-id marker cannot be specified without a key marker.'
  return invalid('version-id-marker', undefined, message)
}

function invalid(name: string, value: string | undefined, message: string): S3Error {
  const details = { ArgumentName: name, ...(value !== undefined && { ArgumentValue: value }) }
  return new S3Error('InvalidArgument', details, { message })
}

export interface ListObjectVersionsPage {
  readonly bucket: string
  readonly prefix: string
  readonly delimiter: string
  readonly keyMarker: string
  readonly versionIdMarker: string | undefined
  readonly maxKeys: number
  readonly encodingType: 'url' | undefined
}

/** In upstream's order: all delete markers stand before all versions, and what is not there is an empty element. */
export function renderVersions(
  { versions, commonPrefixes, isTruncated, next }: VersionListing,
  page: ListObjectVersionsPage,
): string {
  const encode = keyEncoder(page.encodingType)
  let markers = ''
  let others = ''
  for (const version of versions) {
    if (version.isDeleteMarker) markers += renderMarker(version, encode)
    else others += renderVersion(version, encode)
  }
  return xmlDocument(
    'ListVersionsResult',
    renderCommonPrefixes(commonPrefixes, encode) +
      markers +
      element('Delimiter', encode(page.delimiter)) +
      element('EncodingType', page.encodingType ?? '') +
      element('IsTruncated', isTruncated) +
      element('KeyMarker', encode(page.keyMarker)) +
      element('MaxKeys', page.maxKeys) +
      element('Name', page.bucket) +
      element('NextKeyMarker', encode(next?.key ?? '')) +
      element('NextVersionIdMarker', next?.versionId ?? '') +
      element('Prefix', encode(page.prefix)) +
      element('VersionIdMarker', page.versionIdMarker ?? '') +
      others,
  )
}

function renderVersion(version: ListedVersion, encode: KeyEncoder): string {
  return wrap(
    'Version',
    element('LastModified', formatXmlDate(version.lastModifiedMs)) +
      checksumElements(version) +
      element('ETag', version.etag) +
      element('IsLatest', version.isLatest) +
      element('Key', encode(version.key)) +
      element('Size', version.size) +
      element('StorageClass', 'STANDARD') +
      element('VersionId', version.versionId),
  )
}

function renderMarker(marker: ListedVersion, encode: KeyEncoder): string {
  return wrap(
    'DeleteMarker',
    element('IsLatest', marker.isLatest) +
      element('Key', encode(marker.key)) +
      element('LastModified', withNanoseconds(marker)) +
      element('VersionId', marker.versionId),
  )
}

/** Down to the nanosecond, unlike all other dates: so does upstream. */
function withNanoseconds({ lastModifiedMs, lastModifiedNsec }: ListedVersion): string {
  const second = new Date(lastModifiedMs).toISOString().slice(0, 19)
  const fraction = String(lastModifiedNsec).padStart(9, '0').replace(/0+$/, '')
  return fraction === '' ? `${second}Z` : `${second}.${fraction}Z`
}
