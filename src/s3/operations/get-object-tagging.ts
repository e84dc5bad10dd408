import { onObject } from '../access-rules.ts'
import { label, operation, query } from '../operation.ts'
import { renderTagging } from '../tags.ts'
import { parseVersionId, versionHeader } from '../version-id.ts'

export const GetObjectTagging = operation(
  {
    name: 'GetObjectTagging',
    http: { method: 'GET', target: 'object', query: 'tagging' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      versionId: query('versionId', parseVersionId),
    },
  },
  {
    access: onObject('s3:GetObjectTagging', 'READ', 's3:GetObjectVersionTagging'),
    async handle({ bucket, key, versionId }, { backend, call }) {
      const stored = await backend.getObjectSubresource(
        { bucket, key, versionId },
        'X-Amz-Tagging',
        call,
      )
      return { status: 200, headers: versionHeader(versionId), body: renderTagging(stored) }
    },
  },
)
