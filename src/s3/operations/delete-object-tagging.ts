import { onObject } from '../access-rules.ts'
import { label, operation, query } from '../operation.ts'
import { parseVersionId, versionHeader } from '../version-id.ts'

export const DeleteObjectTagging = operation(
  {
    name: 'DeleteObjectTagging',
    http: { method: 'DELETE', target: 'object', query: 'tagging' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      versionId: query('versionId', parseVersionId),
    },
  },
  {
    access: onObject('s3:DeleteObjectTagging', 'WRITE', 's3:DeleteObjectVersionTagging'),
    async handle({ bucket, key, versionId }, { backend, call }) {
      await backend.deleteObjectSubresource({ bucket, key, versionId }, 'X-Amz-Tagging', call)
      return { status: 204, headers: versionHeader(versionId) }
    },
  },
)
