import { ownerGrant, renderAcl } from '../auth/acl.ts'
import { S3Error } from '../s3/errors.ts'
import { isBucketName } from '../s3/names.ts'
import { query } from '../s3/operation.ts'
import { adminOperation, requestSpan, requireAccount } from './operation.ts'

/**
 * Gives a bucket to another account. Its ACL starts anew, and the policy goes: whom the old owner let in has nothing to
 * expect from the new one.
 */
export const changeBucketOwner = adminOperation(
  {
    name: 'ChangeBucketOwner',
    word: 'change-bucket-owner',
    input: { bucket: query('bucket', requireBucket), owner: query('owner', (owner = '') => owner) },
    backendOperation: 'ChangeBucketOwner',
    writes: true,
  },
  async ({ bucket, owner }, context) => {
    const { backend, call } = context
    requestSpan(context).set('s3.bucket', bucket)
    call.span.set('s3.bucket', bucket)
    await requireAccount(owner, context)
    const acl = renderAcl({ owner, grantees: [ownerGrant(owner)] })
    // The ACL first: interrupted between the two, the policy still decides as before, and nobody gets in who could not.
    await backend.putBucketSubresource(bucket, 'acl', acl, call)
    await backend.deleteBucketSubresource(bucket, 'policy', call)
    return { status: 200 }
  },
)

/** What cannot be a bucket's name is no bucket: VersityGW writes its ACL to whatever directory `..` is. */
function requireBucket(bucket = ''): string {
  if (isBucketName(bucket, false)) return bucket
  throw new S3Error('NoSuchBucket', { BucketName: bucket })
}
