import { Evaluation, TooCostly } from './evaluation.ts'
import { Text } from './glob.ts'
import type { AccessRequest, Policy, PolicyDecision, Statement } from './policy.ts'

/**
 * What a policy says to a request: a statement that denies wins over any that allow. Undefined where none applies. A policy
 * that costs too much denies.
 */
export function evaluatePolicy(policy: Policy, request: AccessRequest): PolicyDecision {
  try {
    return decide(policy, request, new Evaluation(request.conditionValues))
  } catch (error) {
    if (error instanceof TooCostly) return { effect: 'deny', statement: error.message }
    throw error
  }
}

function decide(
  { statements }: Policy,
  request: AccessRequest,
  evaluation: Evaluation,
): PolicyDecision {
  const asked: Asked = { request, resource: resourceOf(request), evaluation }
  let allowing: Statement | undefined
  for (const statement of statements) {
    if (statement.effect === 'Deny') {
      if (applies(statement, asked)) return { effect: 'deny', statement: statement.name }
    } else if (allowing === undefined && statement.effect === 'Allow') {
      if (statement.fault === undefined && applies(statement, asked)) allowing = statement
    }
  }
  return allowing && { effect: 'allow', statement: allowing.name }
}

interface Asked {
  readonly request: AccessRequest
  readonly resource: ResourceName
  readonly evaluation: Evaluation
}

/** What is asked for, as policies name it. */
interface ResourceName {
  readonly name: Text
  /** VersityGW calls a directory object by its name without the slash; policies are written for either. */
  readonly withoutSlash: Text | undefined
}

function resourceOf({ bucket, key }: AccessRequest): ResourceName {
  const name = key === undefined ? bucket : `${bucket}/${key}`
  const withoutSlash = name.endsWith('/') ? new Text(name.slice(0, -1)) : undefined
  return { name: new Text(name), withoutSlash }
}

/** Cheapest first: most statements are about another action. */
function applies(statement: Statement, { request, resource, evaluation }: Asked): boolean {
  return (
    coversAction(statement, request.action) &&
    coversPrincipal(statement, request.principal) &&
    coversResource(statement, resource, evaluation) &&
    statement.conditions.every((condition) => condition.holds(evaluation))
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
  evaluation: Evaluation,
): boolean {
  if (resource === undefined) return false
  const isCovered = resource.resources.some(
    ({ pattern }) =>
      pattern.matches(name, evaluation) ||
      (withoutSlash !== undefined && pattern.matches(withoutSlash, evaluation)),
  )
  return isCovered !== resource.negated
}
