import type { Iam } from '../auth/iam/iam.ts'
import { query, type Operation } from '../s3/operation.ts'
import { requireAccess } from './account-document.ts'
import { adminOperation, requestSpan } from './operation.ts'

/** Deleting who is not there is no error. */
export function deleteUser(iam: Iam): Operation {
  return adminOperation(
    {
      name: 'DeleteUser',
      word: 'delete-user',
      input: { access: query('access', requireAccess) },
    },
    async ({ access }, context) => {
      await iam.delete(access, requestSpan(context))
      return { status: 200 }
    },
  )
}
