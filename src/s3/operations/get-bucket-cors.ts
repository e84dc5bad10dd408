import { onBucket } from '../access-rules.ts'
import { readCors, renderCors, type CorsRule } from '../cors/cors-rules.ts'
import { S3Error } from '../errors.ts'
import { label, operation } from '../operation.ts'

export const GetBucketCors = operation(
  {
    name: 'GetBucketCors',
    http: { method: 'GET', target: 'bucket', query: 'cors' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:GetBucketCORS', 'READ'),
    async handle({ bucket }, { backend, call }) {
      const stored = await backend.getBucketSubresource(bucket, 'cors', call)
      const rules = stored === undefined ? undefined : readStored(stored)
      if (rules === undefined) throw new S3Error('NoSuchCORSConfiguration', { BucketName: bucket })
      return { status: 200, body: renderCors(rules) }
    },
  },
)

/** What cannot be read is not there: nobody put it through S3. */
function readStored(stored: Buffer): CorsRule[] | undefined {
  try {
    return readCors(stored)
  } catch {
    return undefined
  }
}
