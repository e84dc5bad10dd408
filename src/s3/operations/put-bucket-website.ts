import { onBucket } from '../access-rules.ts'
import { bytes, label, operation } from '../operation.ts'
import { MAX_WEBSITE_BYTES, packWebsite, readNewWebsite } from '../website.ts'

export const PutBucketWebsite = operation(
  {
    name: 'PutBucketWebsite',
    http: { method: 'PUT', target: 'bucket', query: 'website' },
    input: {
      bucket: label('bucket'),
      document: bytes({ maxBytes: MAX_WEBSITE_BYTES, required: true }),
    },
  },
  {
    access: onBucket('s3:PutBucketWebsite', 'WRITE'),
    async handle({ bucket, document }, { backend, call }) {
      // A bucket that is not there is told before anything of its website.
      await backend.headBucket(bucket, call)
      readNewWebsite(document)
      await backend.putBucketSubresource(bucket, 'website', await packWebsite(document), call)
      return { status: 200 }
    },
  },
)
