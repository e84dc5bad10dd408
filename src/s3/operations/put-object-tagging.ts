import { onObject } from '../access-rules.ts'
import { document, label, operation, query } from '../operation.ts'
import { parseTagging, storeTags } from '../tags.ts'
import { parseVersionId, versionHeader } from '../version-id.ts'

export const PutObjectTagging = operation(
  {
    name: 'PutObjectTagging',
    http: { method: 'PUT', target: 'object', query: 'tagging' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      tags: document('Tagging', (root) => parseTagging(root, 'object'), { required: true }),
      versionId: query('versionId', parseVersionId),
    },
  },
  {
    access: {
      ...onObject('s3:PutObjectTagging', 'WRITE', 's3:PutObjectVersionTagging'),
      tagsInBody: true,
    },
    async handle({ bucket, key, versionId, tags }, { backend, call }) {
      const value = storeTags(tags)
      await backend.putObjectSubresource({ bucket, key, versionId }, 'X-Amz-Tagging', value, call)
      return { status: 200, headers: versionHeader(versionId) }
    },
  },
)
