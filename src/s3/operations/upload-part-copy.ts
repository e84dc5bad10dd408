import { XML_DECLARATION, element, wrap } from '../../http/xml.ts'
import type { CopiedPart } from '../../backend/backend.ts'
import { onObject, signedOnly } from '../access-rules.ts'
import { checkCopyConditions, copyConditions } from '../conditions.ts'
import {
  checkCopySize,
  parseCopySource,
  refuseBody,
  shownSource,
  sourceRef,
} from '../copy-source.ts'
import { formatXmlDate } from '../http-date.ts'
import { parsePartNumber } from '../list-params.ts'
import { header, headers, label, operation, query } from '../operation.ts'
import { checkCopyRange, parseCopyRange } from '../range.ts'
import { tell } from '../trace-facts.ts'

export const UploadPartCopy = operation(
  {
    name: 'UploadPartCopy',
    http: {
      method: 'PUT',
      target: 'object',
      query: ['uploadId', 'partNumber'],
      header: 'x-amz-copy-source',
    },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      uploadId: query('uploadId'),
      partNumber: query('partNumber'),
      source: header('x-amz-copy-source'),
      body: headers(refuseBody),
      range: header('x-amz-copy-source-range', parseCopyRange),
      conditions: headers(copyConditions),
    },
  },
  {
    access: signedOnly({ ...onObject('s3:PutObject', 'WRITE'), readsSource: true }),
    async handle(input, { backend, call, settings }) {
      const { bucket, key, uploadId = '', range } = input
      tell(call, 's3.upload_id', uploadId)
      const source = parseCopySource(input.source ?? '', settings.strictBucketNames)
      tell(call, 's3.copy_source', shownSource(source))
      const partNumber = parsePartNumber(input.partNumber ?? '', settings.maxPartNumber)
      tell(call, 's3.part_number', partNumber)
      let size = 0
      const copied = await backend.uploadPartCopy(
        {
          ...sourceRef(source, settings),
          check(head) {
            checkCopyConditions(input.conditions, head)
            checkCopyRange(range, head.size)
            size = range === undefined ? head.size : range.end - range.start + 1
            checkCopySize(size, settings.copyObjectThreshold)
          },
        },
        { bucket, key, uploadId, partNumber },
        range,
        call,
      )
      tell(call, 's3.content_length', size)
      tell(call, 's3.etag', copied.etag)
      const { sourceVersionId } = copied
      const list =
        sourceVersionId === undefined ? [] : ['x-amz-copy-source-version-id', sourceVersionId]
      return { status: 200, headers: list, body: renderCopiedPart(copied) }
    },
  },
)

export function renderCopiedPart({ lastModifiedMs, etag, checksum }: CopiedPart): string {
  const sum = checksum === undefined ? '' : element(`Checksum${checksum.algorithm}`, checksum.value)
  const content =
    element('LastModified', formatXmlDate(lastModifiedMs)) + element('ETag', etag) + sum
  return XML_DECLARATION + wrap('CopyPartResult', content)
}
