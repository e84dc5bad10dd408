import { onBucket } from '../access-rules.ts'
import { label, operation } from '../operation.ts'
import { signedEvenIfPublic } from './get-bucket-policy.ts'

export const DeleteBucketPolicy = operation(
  {
    name: 'DeleteBucketPolicy',
    http: { method: 'DELETE', target: 'bucket', query: 'policy' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:DeleteBucketPolicy', 'WRITE', {
      ...signedEvenIfPublic('DELETE'),
      action: 's3:PutBucketPolicy',
    }),
    async handle({ bucket }, { backend, call }) {
      await backend.deleteBucketSubresource(bucket, 'policy', call)
      return { status: 204 }
    },
  },
)
