import type { Variables } from './pattern.ts'
import type { AccessRequest, Policy, PolicyDecision, Statement } from './policy.ts'

/** What a policy says to a request: a statement that denies wins over any that allow. Undefined where none applies. */
export function evaluatePolicy(policy: Policy, request: AccessRequest): PolicyDecision {
  const resource = resourceOf(request)
  let allowing: Statement | undefined
  for (const statement of policy.statements) {
    if (statement.effect === 'Deny') {
      if (applies(statement, request, resource))
        return { effect: 'deny', statement: statement.name }
    } else if (allowing === undefined && statement.effect === 'Allow') {
      const grants = statement.fault === undefined && applies(statement, request, resource)
      if (grants) allowing = statement
    }
  }
  return allowing && { effect: 'allow', statement: allowing.name }
}

/** What is asked for, as policies name it. */
interface ResourceName {
  readonly name: string
  /** VersityGW calls a directory object by its name without the slash; policies are written for either. */
  readonly withoutSlash: string | undefined
}

function resourceOf({ bucket, key }: AccessRequest): ResourceName {
  const name = key === undefined ? bucket : `${bucket}/${key}`
  return { name, withoutSlash: name.endsWith('/') ? name.slice(0, -1) : undefined }
}

/** Cheapest first: most statements are about another action. */
function applies(statement: Statement, request: AccessRequest, resource: ResourceName): boolean {
  const { conditionValues } = request
  return (
    coversAction(statement, request.action) &&
    coversPrincipal(statement, request.principal) &&
    coversResource(statement, resource, conditionValues) &&
    statement.conditions.every((condition) => condition.holds(conditionValues))
  )
}

function coversAction({ action }: Statement, name: string): boolean {
  return action !== undefined && action.actions.covers(name) !== action.negated
}

/** Somebody anonymous has no name: only `*` means him, and everyone but others does. */
function coversPrincipal({ principal }: Statement, name: string | undefined): boolean {
  if (principal === undefined) return false
  const { names, negated } = principal
  return (names.has('*') || (name !== undefined && names.has(name))) !== negated
}

function coversResource(
  { resource }: Statement,
  { name, withoutSlash }: ResourceName,
  values: Variables,
): boolean {
  if (resource === undefined) return false
  const isCovered = resource.resources.some(
    ({ pattern }) =>
      pattern.matches(name, values) ||
      (withoutSlash !== undefined && pattern.matches(withoutSlash, values)),
  )
  return isCovered !== resource.negated
}
