import type { Iam } from '../auth/iam/iam.ts'
import { S3Error } from '../s3/errors.ts'
import type { Operation } from '../s3/operation.ts'
import { changeBucketOwner } from './change-bucket-owner.ts'
import { createBucket } from './create-bucket.ts'
import { createUser } from './create-user.ts'
import { deleteUser } from './delete-user.ts'
import { listBuckets } from './list-buckets.ts'
import { listUsers } from './list-users.ts'
import { preflight } from './preflight.ts'
import { updateUser } from './update-user.ts'

/** The admin API. `besideBuckets` where it shares its listeners with S3. */
export function adminOperations(iam: Iam, besideBuckets: boolean): readonly Operation[] {
  const operations = [
    createUser(iam),
    updateUser(iam),
    deleteUser(iam),
    listUsers(iam),
    changeBucketOwner,
    listBuckets,
    createBucket(iam),
  ]
  return [...operations, ...operations.map(({ http }) => preflight(http, besideBuckets))]
}

/** What listeners of the admin API's own answer to anything else (contract 5.4). */
export function noAdminRoute(): S3Error {
  return new S3Error('InternalError', {}, { cause: new Error('the admin API has no such route') })
}
