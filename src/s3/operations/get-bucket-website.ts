import { onBucket } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { label, operation } from '../operation.ts'
import { readWebsite, renderWebsite, unpackWebsite, type Website } from '../website.ts'

export const GetBucketWebsite = operation(
  {
    name: 'GetBucketWebsite',
    http: { method: 'GET', target: 'bucket', query: 'website' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:GetBucketWebsite', 'READ'),
    async handle({ bucket }, { backend, call }) {
      const stored = await backend.getBucketSubresource(bucket, 'website', call)
      const website = stored === undefined ? undefined : await readStored(stored)
      if (website === undefined)
        throw new S3Error('NoSuchWebsiteConfiguration', { BucketName: bucket })
      return { status: 200, body: renderWebsite(website) }
    },
  },
)

/** What cannot be read is not there: nobody put it through S3. */
async function readStored(stored: Buffer): Promise<Website | undefined> {
  try {
    return readWebsite(await unpackWebsite(stored))
  } catch {
    return undefined
  }
}
