import { onObject } from '../access-rules.ts'
import { parseHttpDate } from '../http-date.ts'
import { header, label, operation, query } from '../operation.ts'
import { tell } from '../trace-facts.ts'

export const AbortMultipartUpload = operation(
  {
    name: 'AbortMultipartUpload',
    http: { method: 'DELETE', target: 'object', query: 'uploadId' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      uploadId: query('uploadId'),
      initiatedMs: header('x-amz-if-match-initiated-time', (text) =>
        text === undefined ? undefined : parseHttpDate(text),
      ),
    },
  },
  {
    access: onObject('s3:AbortMultipartUpload', 'WRITE'),
    async handle({ bucket, key, uploadId = '', initiatedMs }, { backend, call }) {
      tell(call, 's3.upload_id', uploadId)
      const ifInitiatedAt = initiatedMs === undefined ? undefined : new Date(initiatedMs)
      await backend.abortUpload({ bucket, key, uploadId }, ifInitiatedAt, call)
      return { status: 204 }
    },
  },
)
