import { element, optional, xmlDocument } from '../../http/xml.ts'
import type { ObjectListing } from '../../backend/backend.ts'
import { onBucket } from '../access-rules.ts'
import { bucketOwner } from '../bucket-owner.ts'
import { readToken, writeToken } from '../continuation-token.ts'
import { keyEncoder, renderKeys } from '../list-answer.ts'
import { orEmpty, parseEncodingType, parsePageSize } from '../list-params.ts'
import { label, operation, query, type S3Settings } from '../operation.ts'

export const ListObjectsV2 = operation(
  {
    name: 'ListObjectsV2',
    http: { method: 'GET', target: 'bucket', query: { 'list-type': '2' } },
    backendOperation: 'ListObjects',
    input: {
      bucket: label('bucket'),
      prefix: query('prefix', orEmpty),
      delimiter: query('delimiter', orEmpty),
      startAfter: query('start-after', orEmpty),
      continuationToken: query('continuation-token', (text) => readToken(text ?? '')),
      fetchOwner: query('fetch-owner', (text) => text?.toLowerCase() === 'true'),
      maxKeys: query('max-keys', (text) => parsePageSize('max-keys', text)),
      encodingType: query('encoding-type', parseEncodingType),
    },
  },
  {
    access: onBucket('s3:ListBucket', 'READ'),
    async handle(input, { backend, call, settings }) {
      const { bucket, prefix, delimiter, maxKeys } = input
      const after = later(input.startAfter, input.continuationToken)
      const listing = await backend.listObjects(bucket, { prefix, delimiter, after, maxKeys }, call)
      const owner = input.fetchOwner ? await bucketOwner(bucket, backend, call) : undefined
      return {
        status: 200,
        headers: ['x-amz-bucket-region', settings.region],
        body: renderListingV2(listing, { ...input, after, owner, dialect: settings.dialect }),
      }
    },
  },
)

export interface ListObjectsV2Page {
  readonly bucket: string
  readonly prefix: string
  readonly delimiter: string
  readonly startAfter: string
  /** Where the page begins, by token or start-after. */
  readonly after: string
  readonly maxKeys: number
  readonly encodingType: 'url' | undefined
  readonly owner: string | undefined
  readonly dialect: S3Settings['dialect']
}

/**
 * Two habits of upstream that its clients know: `ContinuationToken` tells where the page begins even where only
 * start-after did, and `KeyCount` leaves common prefixes out. S3 counts them, and tells the prefix even where it is empty.
 */
export function renderListingV2(listing: ObjectListing, page: ListObjectsV2Page): string {
  const encode = keyEncoder(page.encodingType)
  const isAws = page.dialect === 'aws'
  const { objects, commonPrefixes } = listing
  return xmlDocument(
    'ListBucketResult',
    element('Name', page.bucket) +
      (isAws ? element : optional)('Prefix', encode(page.prefix)) +
      optional('StartAfter', encode(page.startAfter)) +
      optional('ContinuationToken', writeToken(page.after)) +
      optional(
        'NextContinuationToken',
        listing.next === undefined ? '' : writeToken(listing.next),
      ) +
      element('KeyCount', objects.length + (isAws ? commonPrefixes.length : 0)) +
      renderKeys(listing, page),
  )
}

/** The later of two keys, in the order of S3: bytewise as UTF-8. */
function later(a: string, b: string): string {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0 ? a : b
}
