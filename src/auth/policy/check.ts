import type { ActionTarget } from './actions.ts'
import { FAULT, malformedPolicy } from './malformed.ts'
import { parsePolicy } from './parse.ts'
import type { ActionElement, Policy, PrincipalElement, Statement } from './policy.ts'

/** S3's limit. A stored policy may be longer: VersityGW has none but its file system's. */
const MAX_BYTES = 20 * 1024

/** The policy a client wants to put on a bucket; MalformedPolicy unless it may be. */
export async function readNewPolicy(
  bytes: Buffer,
  bucket: string,
  accountExists: AccountExists,
): Promise<Policy> {
  if (bytes.length > MAX_BYTES) throw malformedPolicy(FAULT.size)
  const policy = parsePolicy(bytes)
  await checkPolicy(policy, bucket, accountExists)
  return policy
}

export type AccountExists = (access: string) => boolean | Promise<boolean>

/**
 *
 * Statement by statement in VersityGW's order: the effect, whether there are such accounts, whether the resources are the
 * bucket's, whether each action has a resource it can be about. What VersityGW does not look at comes after all of that.
 */
async function checkPolicy(
  policy: Policy,
  bucket: string,
  accountExists: AccountExists,
): Promise<void> {
  for (const statement of policy.statements) {
    const { effect, principal } = statement
    if (effect !== 'Allow' && effect !== 'Deny') throw malformedPolicy(`Invalid effect: ${effect}`)
    if (principal !== undefined) await checkPrincipals(principal, accountExists)
    checkResources(statement, bucket)
  }
  for (const { fault } of policy.statements) if (fault !== undefined) throw malformedPolicy(fault)
}

const EVERYBODY = '*'

/** Everybody stands alone. */
async function checkPrincipals(
  { names }: PrincipalElement,
  accountExists: AccountExists,
): Promise<void> {
  if (names.has(EVERYBODY) && names.size === 1) return
  if (names.has(EVERYBODY)) throw malformedPolicy(FAULT.principal)
  for (const name of names)
    if (name === '' || !(await accountExists(name))) throw malformedPolicy(FAULT.principal)
}

function checkResources({ action, resource }: Statement, bucket: string): void {
  const texts = resource?.resources.map(({ text }) => text) ?? []
  if (!texts.every((text) => text.startsWith(bucket))) throw malformedPolicy(FAULT.resource)
  // All but some resources are resources of both kinds.
  if (resource?.negated === true) return
  const kinds = new Set<ActionTarget>(
    texts.map((text) => (text.includes('/') ? 'object' : 'bucket')),
  )
  if (!fits(action, kinds)) throw malformedPolicy(FAULT.misfit)
}

/** Each action that is named needs a resource of its kind; of all but those one is enough. */
function fits(action: ActionElement | undefined, kinds: ReadonlySet<ActionTarget>): boolean {
  if (action?.negated === true)
    return [...action.actions.otherTargets].some((target) => kinds.has(target))
  return [...(action?.actions.targets ?? [])].every((target) => kinds.has(target))
}
