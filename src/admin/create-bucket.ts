import type { Account } from '../auth/iam/account-store.ts'
import type { Iam } from '../auth/iam/iam.ts'
import { S3Error } from '../s3/errors.ts'
import type { Operation } from '../s3/operation.ts'
import { CreateBucket } from '../s3/operations/create-bucket.ts'
import { SPAN } from '../trace/names.ts'
import { requestSpan } from './operation.ts'

/**
 * `PATCH /{bucket}/create`: S3's CreateBucket, as if the account of `x-vgw-owner` had asked for it, whatever its role. Its
 * headers and its body are those of CreateBucket.
 */
export function createBucket(iam: Iam): Operation {
  return {
    ...CreateBucket,
    api: 'Admin',
    rootSpan: SPAN.adminRoot('CreateBucket'),
    http: { method: 'PATCH', target: 'object', word: 'create' },
    async invoke(source, context) {
      const access = source.request.headers['x-vgw-owner']
      if (typeof access !== 'string' || access === '') throw new S3Error('XAdminInvalidRequest')
      const owner: Account | undefined = await iam.find(access, requestSpan(context))
      if (owner === undefined) throw new S3Error('XAdminUserNotFound')
      const { role, userId, groupId } = owner
      const isRoot = access === iam.rootAccess
      const caller = { accessKey: access, role, isRoot, userId, groupId }
      await CreateBucket.invoke(source, { ...context, caller })
      return { status: 201 }
    },
  }
}
