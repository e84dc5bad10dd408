import { onBucket } from '../access-rules.ts'
import { label, operation } from '../operation.ts'

export const DeleteBucket = operation(
  {
    name: 'DeleteBucket',
    http: { method: 'DELETE', target: 'bucket' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:DeleteBucket', 'WRITE'),
    async handle({ bucket }, { backend, call }) {
      await backend.deleteBucket(bucket, call)
      return { status: 204 }
    },
  },
)
