import { onBucket } from '../access-rules.ts'
import { label, operation } from '../operation.ts'

export const HeadBucket = operation(
  {
    name: 'HeadBucket',
    http: { method: 'HEAD', target: 'bucket' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:ListBucket', 'READ'),
    async handle({ bucket }, { backend, call, settings }) {
      await backend.headBucket(bucket, call)
      return {
        status: 200,
        headers: ['x-amz-bucket-region', settings.region, 'x-amz-access-point-alias', 'false'],
      }
    },
  },
)
