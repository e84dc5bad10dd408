import { onBucket } from '../access-rules.ts'
import { readNewCors } from '../cors/cors-rules.ts'
import { bytes, label, operation } from '../operation.ts'

/** As much as an attribute holds, and as AWS takes. */
const MAX_BYTES = 64 * 1024

export const PutBucketCors = operation(
  {
    name: 'PutBucketCors',
    http: { method: 'PUT', target: 'bucket', query: 'cors' },
    input: {
      bucket: label('bucket'),
      document: bytes({ maxBytes: MAX_BYTES, required: true, checksumRequired: true }),
    },
  },
  {
    access: onBucket('s3:PutBucketCORS', 'WRITE'),
    async handle({ bucket, document }, { backend, call }) {
      // A bucket that is not there is told before anything of its rules.
      await backend.headBucket(bucket, call)
      readNewCors(document)
      await backend.putBucketSubresource(bucket, 'cors', document, call)
      return { status: 200 }
    },
  },
)
