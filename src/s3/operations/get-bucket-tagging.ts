import { onBucket } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { label, operation } from '../operation.ts'
import { renderTagging } from '../tags.ts'

export const GetBucketTagging = operation(
  {
    name: 'GetBucketTagging',
    http: { method: 'GET', target: 'bucket', query: 'tagging' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:GetBucketTagging', 'READ'),
    async handle({ bucket }, { backend, call }) {
      const stored = await backend.getBucketSubresource(bucket, 'X-Amz-Tagging', call)
      if (stored === undefined) throw new S3Error('NoSuchTagSet', { BucketName: bucket })
      return { status: 200, body: renderTagging(stored) }
    },
  },
)
