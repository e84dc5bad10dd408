import { readNewPolicy } from '../../auth/policy/check.ts'
import { onBucket } from '../access-rules.ts'
import { bytes, label, operation } from '../operation.ts'
import { signedEvenIfPublic } from './get-bucket-policy.ts'

export const PutBucketPolicy = operation(
  {
    name: 'PutBucketPolicy',
    http: { method: 'PUT', target: 'bucket', query: 'policy' },
    input: { bucket: label('bucket'), document: bytes() },
  },
  {
    access: onBucket('s3:PutBucketPolicy', 'WRITE', signedEvenIfPublic('PUT')),
    async handle({ bucket, document }, { backend, call, accounts }) {
      // A bucket that is not there is told before anything of its policy.
      await backend.headBucket(bucket, call)
      const accountExists = async (access: string): Promise<boolean> =>
        (await accounts.find(access, call.span)) !== undefined
      await readNewPolicy(document, bucket, accountExists)
      await backend.putBucketSubresource(bucket, 'policy', document, call)
      return { status: 204 }
    },
  },
)
