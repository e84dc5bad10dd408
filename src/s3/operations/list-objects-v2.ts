import { element, optional, xmlDocument } from '../../http/xml.ts'
import type { ObjectListing } from '../../backend/backend.ts'
import { onBucket } from '../access-rules.ts'
import { bucketOwner } from '../bucket-owner.ts'
import { readToken, writeToken } from '../continuation-token.ts'
import { keyEncoder, renderKeys } from '../list-answer.ts'
import { orEmpty, parseEncodingType, parsePageSize } from '../list-params.ts'
import { label, operation, query } from '../operation.ts'

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
        body: renderListingV2(listing, { ...input, after, owner }),
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
}

/**
 * Two habits of upstream that its clients know: `ContinuationToken` tells where the page begins even where only
 * start-after did, and `KeyCount` leaves common prefixes out.
 */
export function renderListingV2(listing: ObjectListing, page: ListObjectsV2Page): string {
  const encode = keyEncoder(page.encodingType)
  return xmlDocument(
    'ListBucketResult',
    element('Name', page.bucket) +
      optional('Prefix', encode(page.prefix)) +
      optional('StartAfter', encode(page.startAfter)) +
      optional('ContinuationToken', writeToken(page.after)) +
      optional(
        'NextContinuationToken',
        listing.next === undefined ? '' : writeToken(listing.next),
      ) +
      element('KeyCount', listing.objects.length) +
      renderKeys(listing, page),
  )
}

/** The later of two keys, in the order of S3: bytewise as UTF-8. */
function later(a: string, b: string): string {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0 ? a : b
}
