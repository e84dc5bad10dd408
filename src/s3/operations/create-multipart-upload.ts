import { element, xmlDocument } from '../../http/xml.ts'
import type { UploadRef } from '../../backend/backend.ts'
import { WRITES_OBJECT, signedOnly } from '../access-rules.ts'
import { parseUploadChecksum } from '../checksum.ts'
import { contentHeaders, userMetadata } from '../metadata.ts'
import { isLockable, missingLockConfiguration, objectLockHeaders } from '../object-lock.ts'
import { header, headers, label, operation } from '../operation.ts'
import { parseTaggingHeader } from '../tags.ts'
import { tell } from '../trace-facts.ts'

export const CreateMultipartUpload = operation(
  {
    name: 'CreateMultipartUpload',
    http: { method: 'POST', target: 'object', query: 'uploads' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      contentHeaders: headers(contentHeaders),
      userMetadata: headers(userMetadata),
      lock: headers(objectLockHeaders),
      tags: header('x-amz-tagging', parseTaggingHeader),
      checksum: headers(parseUploadChecksum),
    },
  },
  {
    access: signedOnly(
      { rights: WRITES_OBJECT },
      'Anonymous users cannot initiate multipart uploads. Please authenticate.',
    ),
    async handle(input, { backend, call }) {
      const { bucket, key, checksum } = input
      if (input.lock !== undefined && !(await isLockable(bucket, backend, call)))
        throw missingLockConfiguration('write')
      const { uploadId } = await backend.createUpload(
        { bucket, key },
        {
          headers: input.contentHeaders,
          userMetadata: input.userMetadata,
          tags: input.tags,
          lock: input.lock,
          checksum,
        },
        call,
      )
      tell(call, 's3.upload_id', uploadId)
      const list: string[] = []
      if (checksum !== undefined) {
        list.push(
          'x-amz-checksum-algorithm',
          checksum.algorithm,
          'x-amz-checksum-type',
          checksum.type,
        )
      }
      return { status: 200, headers: list, body: renderUpload({ bucket, key, uploadId }) }
    },
  },
)

export function renderUpload({ bucket, key, uploadId }: UploadRef): string {
  return xmlDocument(
    'InitiateMultipartUploadResult',
    element('Bucket', bucket) + element('Key', key) + element('UploadId', uploadId),
  )
}
