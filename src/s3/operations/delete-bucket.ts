import { label, operation } from '../operation.ts'

export const DeleteBucket = operation(
  {
    name: 'DeleteBucket',
    http: { method: 'DELETE', target: 'bucket' },
    input: { bucket: label('bucket') },
  },
  {
    action: () => 's3:DeleteBucket',
    async handle({ bucket }, { backend, call }) {
      await backend.deleteBucket(bucket, call)
      return { status: 204 }
    },
  },
)
