import { element, optional, wrap, xmlDocument } from '../../http/xml.ts'
import type { UploadListPage, UploadListing } from '../../backend/backend.ts'
import { onBucket } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { formatXmlDate } from '../http-date.ts'
import { type KeyEncoder, NOBODY, keyEncoder, renderCommonPrefixes } from '../list-answer.ts'
import { orEmpty, parseEncodingType, parsePageSize } from '../list-params.ts'
import { label, operation, query } from '../operation.ts'

const MOST_UPLOADS = 1000

export const ListMultipartUploads = operation(
  {
    name: 'ListMultipartUploads',
    http: { method: 'GET', target: 'bucket', query: 'uploads' },
    input: {
      bucket: label('bucket'),
      prefix: query('prefix', orEmpty),
      delimiter: query('delimiter', orEmpty),
      keyMarker: query('key-marker', orEmpty),
      uploadIdMarker: query('upload-id-marker', parseUploadIdMarker),
      maxUploads: query('max-uploads', (text) => parsePageSize('max-uploads', text)),
      encodingType: query('encoding-type', parseEncodingType),
    },
  },
  {
    access: onBucket('s3:ListBucketMultipartUploads', 'READ'),
    async handle(input, { backend, call }) {
      const { bucket, prefix, delimiter, keyMarker, uploadIdMarker, maxUploads, encodingType } =
        input
      const page = { prefix, delimiter, keyMarker, uploadIdMarker, maxUploads }
      // Upstream takes 0 for "as many as there may be".
      const wanted = maxUploads === 0 ? MOST_UPLOADS : maxUploads
      const listing = await backend.listUploads(bucket, { ...page, maxUploads: wanted }, call)
      return { status: 200, body: renderUploads(listing, bucket, page, encodingType) }
    },
  },
)

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

function parseUploadIdMarker(text: string | undefined): string {
  if (text === undefined || text === '' || UUID.test(text)) return text ?? ''
  throw new S3Error(
    'InvalidArgument',
    { ArgumentName: 'upload-id-marker', ArgumentValue: text },
    { message: 'Invalid uploadId marker' },
  )
}

export function renderUploads(
  listing: UploadListing,
  bucket: string,
  page: UploadListPage,
  encodingType: 'url' | undefined,
): string {
  const encode = keyEncoder(encodingType)
  return xmlDocument(
    'ListMultipartUploadsResult',
    element('Bucket', bucket) +
      element('KeyMarker', encode(page.keyMarker)) +
      element('UploadIdMarker', page.uploadIdMarker) +
      element('NextKeyMarker', encode(listing.nextKeyMarker)) +
      element('NextUploadIdMarker', listing.nextUploadIdMarker) +
      element('Delimiter', encode(page.delimiter)) +
      element('Prefix', encode(page.prefix)) +
      optional('EncodingType', encodingType) +
      element('MaxUploads', page.maxUploads) +
      element('IsTruncated', listing.isTruncated) +
      renderEach(listing, encode) +
      renderCommonPrefixes(listing.commonPrefixes, encode),
  )
}

function renderEach({ uploads }: UploadListing, encode: KeyEncoder): string {
  let list = ''
  for (const { key, uploadId, initiatedMs, checksum } of uploads) {
    list += wrap(
      'Upload',
      element('Initiated', formatXmlDate(initiatedMs)) +
        element('Key', encode(key)) +
        element('UploadId', uploadId) +
        NOBODY +
        element('ChecksumAlgorithm', checksum?.algorithm ?? '') +
        element('ChecksumType', checksum?.type ?? ''),
    )
  }
  return list
}
