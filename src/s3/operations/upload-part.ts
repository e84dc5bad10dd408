import { onObject } from '../access-rules.ts'
import { checksumHeader, declaredChecksum } from '../checksum.ts'
import { parsePartNumber } from '../list-params.ts'
import { headers, label, operation, payload, query } from '../operation.ts'
import { tell } from '../trace-facts.ts'

export const UploadPart = operation(
  {
    name: 'UploadPart',
    http: { method: 'PUT', target: 'object', query: ['uploadId', 'partNumber'] },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      uploadId: query('uploadId'),
      partNumber: query('partNumber'),
      checksum: headers(declaredChecksum),
      body: payload(),
    },
  },
  {
    access: onObject('s3:PutObject', 'WRITE'),
    async handle(input, { backend, call, settings }) {
      const { bucket, key, uploadId = '', body } = input
      tell(call, 's3.upload_id', uploadId)
      const partNumber = parsePartNumber(input.partNumber ?? '', settings.maxPartNumber)
      tell(call, 's3.part_number', partNumber)
      const part = { bucket, key, uploadId, partNumber }
      const { etag, checksum } = await backend.uploadPart(
        part,
        body,
        input.checksum?.algorithm,
        call,
      )
      tell(call, 's3.content_length', body.length)
      tell(call, 's3.etag', etag)
      const list = ['ETag', etag]
      if (checksum !== undefined) list.push(checksumHeader(checksum.algorithm), checksum.value)
      return { status: 200, headers: list }
    },
  },
)
