import type { Account } from '../../src/auth/iam/account-store.ts'

/** An account with nothing special about it. */
export function accountOf(
  access: string,
  secret: string,
  fields: Partial<Omit<Account, 'access' | 'secret'>> = {},
): Account {
  return { access, secret, role: 'user', userId: 0, groupId: 0, projectId: 0, ...fields }
}
