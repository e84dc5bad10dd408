import type { Iam } from '../auth/iam/iam.ts'
import { XML_DECLARATION, wrap } from '../http/xml.ts'
import type { Operation } from '../s3/operation.ts'
import { renderAccount } from './account-document.ts'
import { adminOperation, requestSpan } from './operation.ts'

export function listUsers(iam: Iam): Operation {
  return adminOperation(
    { name: 'ListUsers', word: 'list-users', input: {} },
    async (_, context) => {
      const accounts = await iam.list(requestSpan(context))
      const list = accounts.map(renderAccount).join('')
      return { status: 200, body: XML_DECLARATION + wrap('ListUserAccountsResult', list) }
    },
  )
}
