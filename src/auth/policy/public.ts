import type { Policy, Statement } from './policy.ts'

/**
 * Does the policy let in everybody? So it does, as AWS has it, where a statement allows something to `*` without a
 * condition that lists who or from where.
 */
export function isPublicPolicy({ statements }: Policy): boolean {
  return statements.some(grantsToEverybody)
}

function grantsToEverybody(statement: Statement): boolean {
  const { effect, principal, action, resource, conditions, fault } = statement
  const isGrant = effect === 'Allow' && fault === undefined
  const isEffective = action !== undefined && resource !== undefined
  const isForAll = principal?.negated === false && principal.names.has('*')
  return isGrant && isEffective && isForAll && !conditions.some(({ isNarrow }) => isNarrow)
}
