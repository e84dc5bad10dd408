import { element, optional, xmlDocument } from '../../http/xml.ts'
import type { ObjectListing } from '../../backend/backend.ts'
import { onBucket } from '../access-rules.ts'
import { bucketOwner } from '../bucket-owner.ts'
import { keyEncoder, renderKeys } from '../list-answer.ts'
import { orEmpty, parseEncodingType, parsePageSize } from '../list-params.ts'
import { label, operation, query, type S3Settings } from '../operation.ts'

export const ListObjects = operation(
  {
    name: 'ListObjects',
    http: { method: 'GET', target: 'bucket' },
    input: {
      bucket: label('bucket'),
      prefix: query('prefix', orEmpty),
      delimiter: query('delimiter', orEmpty),
      marker: query('marker', orEmpty),
      maxKeys: query('max-keys', (text) => parsePageSize('max-keys', text)),
      encodingType: query('encoding-type', parseEncodingType),
    },
  },
  {
    access: onBucket('s3:ListBucket', 'READ'),
    async handle(input, { backend, call, settings }) {
      const { bucket, prefix, delimiter, marker, maxKeys } = input
      const listing = await backend.listObjects(
        bucket,
        { prefix, delimiter, after: marker, maxKeys },
        call,
      )
      const owner = await bucketOwner(bucket, backend, call)
      return {
        status: 200,
        headers: ['x-amz-bucket-region', settings.region],
        body: renderListing(listing, { ...input, owner, dialect: settings.dialect }),
      }
    },
  },
)

export interface ListObjectsPage {
  readonly bucket: string
  readonly prefix: string
  readonly delimiter: string
  readonly marker: string
  readonly maxKeys: number
  readonly encodingType: 'url' | undefined
  readonly owner: string
  readonly dialect: S3Settings['dialect']
}

/** `NextMarker` comes with every truncated page, also without a delimiter. */
export function renderListing(listing: ObjectListing, page: ListObjectsPage): string {
  const encode = keyEncoder(page.encodingType)
  const told = page.dialect === 'aws' ? element : optional
  return xmlDocument(
    'ListBucketResult',
    element('Name', page.bucket) +
      told('Prefix', encode(page.prefix)) +
      told('Marker', encode(page.marker)) +
      optional('NextMarker', listing.next === undefined ? '' : encode(listing.next)) +
      renderKeys(listing, page),
  )
}
