import { onBucket } from '../access-rules.ts'
import { label, operation } from '../operation.ts'

export const DeleteBucketCors = operation(
  {
    name: 'DeleteBucketCors',
    http: { method: 'DELETE', target: 'bucket', query: 'cors' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:PutBucketCORS', 'WRITE'),
    async handle({ bucket }, { backend, call }) {
      await backend.deleteBucketSubresource(bucket, 'cors', call)
      return { status: 204 }
    },
  },
)
