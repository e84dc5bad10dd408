import { onBucket } from '../access-rules.ts'
import { label, operation } from '../operation.ts'

export const DeleteBucketWebsite = operation(
  {
    name: 'DeleteBucketWebsite',
    http: { method: 'DELETE', target: 'bucket', query: 'website' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:DeleteBucketWebsite', 'WRITE'),
    async handle({ bucket }, { backend, call }) {
      await backend.deleteBucketSubresource(bucket, 'website', call)
      return { status: 204 }
    },
  },
)
