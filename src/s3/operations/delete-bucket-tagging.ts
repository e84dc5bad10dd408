import { onBucket } from '../access-rules.ts'
import { label, operation } from '../operation.ts'

export const DeleteBucketTagging = operation(
  {
    name: 'DeleteBucketTagging',
    http: { method: 'DELETE', target: 'bucket', query: 'tagging' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:PutBucketTagging', 'WRITE'),
    async handle({ bucket }, { backend, call }) {
      await backend.deleteBucketSubresource(bucket, 'X-Amz-Tagging', call)
      return { status: 204 }
    },
  },
)
