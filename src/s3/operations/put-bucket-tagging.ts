import { onBucket } from '../access-rules.ts'
import { document, label, operation } from '../operation.ts'
import { parseTagging, storeTags } from '../tags.ts'

export const PutBucketTagging = operation(
  {
    name: 'PutBucketTagging',
    http: { method: 'PUT', target: 'bucket', query: 'tagging' },
    input: {
      bucket: label('bucket'),
      tags: document('Tagging', (root) => parseTagging(root, 'bucket'), {
        required: true,
        checksumRequired: true,
      }),
    },
  },
  {
    access: { ...onBucket('s3:PutBucketTagging', 'WRITE'), corsFirst: true },
    async handle({ bucket, tags }, { backend, call }) {
      await backend.putBucketSubresource(bucket, 'X-Amz-Tagging', storeTags(tags), call)
      return { status: 204 }
    },
  },
)
