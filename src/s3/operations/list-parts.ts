import { element, wrap, xmlDocument } from '../../http/xml.ts'
import type { PartListing, UploadRef } from '../../backend/backend.ts'
import { onObject } from '../access-rules.ts'
import { formatXmlDate } from '../http-date.ts'
import { NOBODY } from '../list-answer.ts'
import { parseCount, parsePageSize } from '../list-params.ts'
import { label, operation, query } from '../operation.ts'
import { tell } from '../trace-facts.ts'

const MOST_PARTS = 1000

export const ListParts = operation(
  {
    name: 'ListParts',
    http: { method: 'GET', target: 'object', query: 'uploadId' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      uploadId: query('uploadId'),
      partNumberMarker: query(
        'part-number-marker',
        (text) => parseCount('part-number-marker', text) ?? 0,
      ),
      maxParts: query('max-parts', (text) => parsePageSize('max-parts', text)),
    },
  },
  {
    access: onObject('s3:ListMultipartUploadParts', 'READ'),
    async handle({ bucket, key, uploadId = '', partNumberMarker, maxParts }, { backend, call }) {
      tell(call, 's3.upload_id', uploadId)
      const upload = { bucket, key, uploadId }
      // Upstream takes 0 for "as many as there may be".
      const page = { partNumberMarker, maxParts: maxParts === 0 ? MOST_PARTS : maxParts }
      const listing = await backend.listParts(upload, page, call)
      return { status: 200, body: renderParts(listing, upload, { partNumberMarker, maxParts }) }
    },
  },
)

interface PartsPage {
  readonly partNumberMarker: number
  readonly maxParts: number
}

/** What was not declared is the word `null`: so does upstream. */
export function renderParts(listing: PartListing, upload: UploadRef, page: PartsPage): string {
  let content =
    element('Bucket', upload.bucket) +
    element('Key', upload.key) +
    element('UploadId', upload.uploadId) +
    element('ChecksumAlgorithm', listing.checksum?.algorithm ?? 'null') +
    element('ChecksumType', listing.checksum?.type ?? 'null') +
    NOBODY +
    element('PartNumberMarker', page.partNumberMarker) +
    element('NextPartNumberMarker', listing.nextPartNumberMarker) +
    element('MaxParts', page.maxParts) +
    element('IsTruncated', listing.isTruncated)
  for (const { partNumber, etag, size, lastModifiedMs, checksum } of listing.parts) {
    content += wrap(
      'Part',
      element('LastModified', formatXmlDate(lastModifiedMs)) +
        element('PartNumber', partNumber) +
        element('ETag', etag) +
        element('Size', size) +
        (checksum === undefined ? '' : element(`Checksum${checksum.algorithm}`, checksum.value)),
    )
  }
  return xmlDocument('ListPartsResult', content)
}
