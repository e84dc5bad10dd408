import type { Iam } from '../auth/iam/iam.ts'
import { document, query, type Operation } from '../s3/operation.ts'
import { MAX_ACCOUNT_BYTES, parseChanges, requireAccess } from './account-document.ts'
import { adminOperation, requestSpan } from './operation.ts'

export function updateUser(iam: Iam): Operation {
  return adminOperation(
    {
      name: 'UpdateUser',
      word: 'update-user',
      input: {
        access: query('access', requireAccess),
        changes: document('MutableProps', parseChanges, { maxBytes: MAX_ACCOUNT_BYTES }),
      },
    },
    async ({ access, changes }, context) => {
      await iam.update(access, changes, requestSpan(context))
      return { status: 200 }
    },
  )
}
