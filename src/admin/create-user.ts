import type { Iam } from '../auth/iam/iam.ts'
import { document, type Operation } from '../s3/operation.ts'
import { MAX_ACCOUNT_BYTES, parseAccount } from './account-document.ts'
import { adminOperation, requestSpan } from './operation.ts'

export function createUser(iam: Iam): Operation {
  return adminOperation(
    {
      name: 'CreateUser',
      word: 'create-user',
      input: { account: document('Account', parseAccount, { maxBytes: MAX_ACCOUNT_BYTES }) },
    },
    async ({ account }, context) => {
      await iam.create(account, requestSpan(context))
      return { status: 201 }
    },
  )
}
