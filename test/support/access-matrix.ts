import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RESETS, type TableOperation, type TableRight } from './access-operations.ts'
import type { Fixture } from './fixture.ts'
import type { RawResponse } from './raw-http.ts'
import { setAttribute } from './tree.ts'

/** Beside root and anonymous. */
const ROLES = { adm: 'admin', own: 'userplus', oth: 'userplus', usr: 'user' } as const

export const CALLERS = ['root', 'adm', 'own', 'oth', 'usr', 'anonymous'] as const
export type Caller = (typeof CALLERS)[number]

/** Writes `users.json` into a directory for `--iam-dir`. */
export function writeAccounts(dir: string): void {
  const accounts = Object.entries(ROLES).map(([access, role]) => [
    access,
    { access, secret: secretOf(access), role, userID: 0, groupID: 0, projectID: 0 },
  ])
  mkdirSync(dir, { recursive: true })
  const document = JSON.stringify({ accessAccounts: Object.fromEntries(accounts) })
  writeFileSync(join(dir, 'users.json'), document, { mode: 0o600 })
}

function secretOf(access: string): string {
  return `secret-of-${access}`
}

/** A request of one of the callers. */
export function sendAs(
  at: Fixture,
  caller: Caller,
  method: string,
  target: string,
  request: { headers?: Readonly<Record<string, string>>; body?: string } = {},
): Promise<RawResponse> {
  if (caller === 'anonymous') return at.send(method, target, { ...request, sign: false })
  const credentials =
    caller === 'root' ? at.credentials : { access: caller, secret: secretOf(caller) }
  return at.send(method, target, { ...request, credentials })
}

/** What hangs on the bucket, which is own's. */
export const SCENARIOS = [
  'nothing',
  'READ',
  'WRITE',
  'READ_ACP',
  'WRITE_ACP',
  'FULL_CONTROL',
  'policy allows usr',
  'policy allows everyone',
  'policy allows usr the first right only',
  'policy denies',
  'policy denies the further rights',
  'policy about others',
  'grants under BucketOwnerEnforced',
] as const
export type Scenario = (typeof SCENARIOS)[number]

const PERMISSIONS = ['READ', 'WRITE', 'READ_ACP', 'WRITE_ACP'] as const

/** What contract 4.6 says: whether the caller may, and what he is told. Written without a look at the gateway's own code. */
export function expectedOutcome(
  operation: TableOperation,
  caller: Caller,
  scenario: Scenario,
): string {
  if (caller === 'root' || caller === 'adm') return ALLOWED
  if (caller === 'anonymous' && operation.refusal !== undefined) return denied(operation.refusal)
  if (caller !== 'anonymous' && operation.unsupported) return ALLOWED
  const holdsAll = operation.rights.every((right, i) => holds(right, i === 0, caller, scenario))
  if (!holdsAll) return denied('Access Denied.')
  return caller === 'anonymous' && operation.signed ? '405 MethodNotAllowed' : ALLOWED
}

/** Anything that is said by the operation itself. */
const ALLOWED = 'allowed'
const denied = (message: string): string => `403 AccessDenied ${message}`

function holds(right: TableRight, isFirst: boolean, caller: Caller, scenario: Scenario): boolean {
  const isOpen = caller !== 'anonymous' || ANONYMOUS_BY_ACL.has(right.action)
  switch (scenario) {
    case 'nothing':
    case 'grants under BucketOwnerEnforced':
      return caller === 'own'
    case 'READ':
    case 'WRITE':
    case 'READ_ACP':
    case 'WRITE_ACP':
      return caller === 'own' || (right.permission === scenario && isOpen)
    case 'FULL_CONTROL':
      return caller === 'own' || caller === 'usr'
    case 'policy allows usr':
      return caller === 'usr'
    case 'policy allows everyone':
      return true
    case 'policy allows usr the first right only':
      return caller === 'usr' && isFirst
    case 'policy denies':
      return !isFirst
    case 'policy denies the further rights':
      return isFirst
    case 'policy about others':
      return caller === 'anonymous' && isOpen
    default:
      throw new Error(`nothing is said of ${String(scenario)}`)
  }
}

/** Contract 4.6 (c), and the versions of those. */
const ANONYMOUS_BY_ACL: ReadonlySet<string> = new Set([
  'ListBucket',
  'PutObject',
  'ListBucketMultipartUploads',
  'DeleteObject',
  'DeleteObjectVersion',
  'ListBucketVersions',
  'GetObject',
  'GetObjectVersion',
  'GetObjectAttributes',
  'GetObjectVersionAttributes',
  'GetObjectAcl',
])

/** `operation, scenario, caller: outcome` for each cell, as the gateway answers. */
export async function observe(
  at: Fixture,
  operations: readonly TableOperation[],
): Promise<ReadonlyMap<string, string>> {
  const outcomes = new Map<string, string>()
  for (const [place, scenario] of SCENARIOS.entries()) {
    const bucket = `matrix-${place}`
    mkdirSync(at.path(bucket), { recursive: true })
    writeFileSync(at.path(bucket, 'key'), 'content')
    for (const operation of operations) {
      const ask = async (caller: Caller): Promise<void> => {
        const outcome = await outcomeOf(at, operation, bucket, caller)
        outcomes.set(cellName(operation, scenario, caller), outcome)
      }
      await askEach(ask, RESETS.has(operation.name), () => hang(at, bucket, scenario, operation))
    }
  }
  return outcomes
}

/** All callers at once, unless what one of them is allowed would be felt by the next. */
async function askEach(
  ask: (caller: Caller) => Promise<void>,
  isFelt: boolean,
  arrange: () => void,
): Promise<void> {
  arrange()
  if (!isFelt) {
    await Promise.all(CALLERS.map(ask))
    return
  }
  for (const caller of CALLERS) {
    arrange()
    await ask(caller)
  }
}

export function cellName(operation: TableOperation, scenario: Scenario, caller: Caller): string {
  return `${operation.name}, ${scenario}, ${caller}`
}

async function outcomeOf(
  at: Fixture,
  { method, target, headers, body }: TableOperation,
  bucket: string,
  caller: Caller,
): Promise<string> {
  const sent = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replace('{bucket}', bucket)]),
  )
  const answer = await sendAs(at, caller, method, `/${bucket}${target}`, { headers: sent, body })
  if (answer.status === 403 && method === 'HEAD') return denied('Access Denied.')
  if (answer.status === 403) return `403 ${answer.code} ${answer.message}`
  return answer.status === 405 ? `405 ${answer.code}` : ALLOWED
}

/** What hung there before, of a scenario without a policy there was none. */
const hung = new Map<string, string>()

function hang(at: Fixture, bucket: string, scenario: Scenario, operation: TableOperation): void {
  const path = at.path(bucket)
  const policy = policyOf(scenario, operation, bucket)
  if (policy !== undefined) setAttribute(path, 'policy', JSON.stringify(policy))
  if (hung.get(path) === scenario && !RESETS.has(operation.name)) return
  hung.set(path, scenario)
  const grantees = [grantTo('own', 'FULL_CONTROL'), ...(GRANTS[scenario] ?? [])]
  setAttribute(path, 'acl', JSON.stringify({ Owner: 'own', Grantees: grantees }))
  const isEnforced = scenario === 'grants under BucketOwnerEnforced'
  setAttribute(path, 'ownership', isEnforced ? 'BucketOwnerEnforced' : 'ObjectWriter')
}

type Grant = Readonly<Record<'Permission' | 'Access' | 'Type', string>>

const grantTo = (access: string, permission: string): Grant => ({
  Permission: permission,
  Access: access,
  Type: 'CanonicalUser',
})
const grantToAll = (permission: string): Grant => ({
  Permission: permission,
  Access: 'all-users',
  Type: 'Group',
})

const EVERYTHING = [grantTo('usr', 'FULL_CONTROL'), ...PERMISSIONS.map(grantToAll)]

const GRANTS: Readonly<Partial<Record<Scenario, readonly Grant[]>>> = {
  READ: [grantToAll('READ')],
  WRITE: [grantToAll('WRITE')],
  READ_ACP: [grantToAll('READ_ACP')],
  WRITE_ACP: [grantToAll('WRITE_ACP')],
  FULL_CONTROL: [grantTo('usr', 'FULL_CONTROL')],
  'policy denies': EVERYTHING,
  'policy denies the further rights': EVERYTHING,
  'policy about others': EVERYTHING,
  'grants under BucketOwnerEnforced': EVERYTHING,
}

function policyOf(
  scenario: Scenario,
  { rights, anonymousAction }: TableOperation,
  bucket: string,
): unknown {
  const Resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`]
  const say = (Effect: string, Principal: unknown, actions: readonly string[]) =>
    actions.length === 0 ? [] : [{ Effect, Principal, Action: actions, Resource }]
  const names = rights.map(({ action }) => `s3:${action}`)
  const first = names.slice(0, 1)
  const others = names.slice(1)
  const instead = anonymousAction === undefined ? [] : [`s3:${anonymousAction}`]
  const statements: Partial<Record<Scenario, readonly unknown[]>> = {
    'policy allows usr': say('Allow', { AWS: ['usr'] }, names),
    'policy allows everyone': say('Allow', '*', [...names, ...instead]),
    'policy allows usr the first right only': say('Allow', 'usr', first),
    'policy denies': [...say('Allow', '*', ['s3:*']), ...say('Deny', '*', [...first, ...instead])],
    'policy denies the further rights': [
      ...say('Allow', '*', ['s3:*']),
      ...say('Deny', '*', others),
    ],
    'policy about others': say('Allow', { AWS: 'adm' }, ['s3:*']),
  }
  const Statement = statements[scenario]
  return Statement === undefined ? undefined : { Version: '2012-10-17', Statement }
}
