import { onObject } from '../access-rules.ts'
import { deletePrecondition } from '../conditions.ts'
import { headers, label, operation, query } from '../operation.ts'
import { parseNullVersionId } from '../version-id.ts'

export const DeleteObject = operation(
  {
    name: 'DeleteObject',
    http: { method: 'DELETE', target: 'object' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      versionId: query('versionId', parseNullVersionId),
      precondition: headers(deletePrecondition),
    },
  },
  {
    access: onObject('s3:DeleteObject', 'WRITE', 's3:DeleteObjectVersion'),
    async handle({ bucket, key, versionId, precondition }, { backend, call }) {
      await backend.deleteObject({ bucket, key }, precondition, call)
      return {
        status: 204,
        headers: versionId === undefined ? [] : ['x-amz-version-id', versionId],
      }
    },
  },
)
