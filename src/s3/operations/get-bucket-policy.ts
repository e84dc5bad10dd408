import { type AnonymousRules, onBucket } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { label, operation, type OperationContext } from '../operation.ts'

export const GetBucketPolicy = operation(
  {
    name: 'GetBucketPolicy',
    http: { method: 'GET', target: 'bucket', query: 'policy' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:GetBucketPolicy', 'READ', signedEvenIfPublic('GET')),
    async handle({ bucket }, context) {
      const bytes = await readStoredPolicy(bucket, context)
      const headers = ['Content-Type', 'text/plain; charset=utf-8']
      return { status: 200, headers, body: { kind: 'bytes', bytes } }
    },
  },
)

/** The document as it was put; NoSuchBucketPolicy where there is none. */
export async function readStoredPolicy(
  bucket: string,
  { backend, call }: OperationContext,
): Promise<Buffer> {
  const bytes = await backend.getBucketSubresource(bucket, 'policy', call)
  if (bytes === undefined) throw new S3Error('NoSuchBucketPolicy', { BucketName: bucket })
  return bytes
}

/** Policies are not for anonymous callers, not even where one lets them in. */
export function signedEvenIfPublic(method: string): AnonymousRules {
  return { notAllowed: { method, resourceType: 'BUCKETPOLICY' } }
}
