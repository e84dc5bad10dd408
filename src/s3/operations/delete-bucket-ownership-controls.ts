import { onBucket, signedOnly } from '../access-rules.ts'
import { label, operation } from '../operation.ts'

const UNSIGNED = 's3:PutBucketOwnershipControls does not support Anonymous requests!'

export const DeleteBucketOwnershipControls = operation(
  {
    name: 'DeleteBucketOwnershipControls',
    http: { method: 'DELETE', target: 'bucket', query: 'ownershipControls' },
    input: { bucket: label('bucket') },
  },
  {
    access: signedOnly(onBucket('s3:PutBucketOwnershipControls', 'WRITE'), UNSIGNED),
    async handle({ bucket }, { backend, call }) {
      await backend.deleteBucketSubresource(bucket, 'ownership', call)
      return { status: 204 }
    },
  },
)
