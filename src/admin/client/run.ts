import type { AdminAction, AdminCommand } from '../../config/admin-command.ts'
import { ConfigError } from '../../config/values.ts'
import { childText, childrenOf, type XmlElement } from '../../http/xml-reader.ts'
import { element, wrap } from '../../http/xml.ts'
import { askSecret, isTerminal, readSecret } from './ask-secret.ts'
import { bucketConfiguration } from './bucket-configuration.ts'
import { call, parseAnswer, type AdminRequest } from './client.ts'
import { table } from './table.ts'

type Run = Extract<AdminCommand, { kind: 'run' }>
type Given<N extends AdminAction['name']> = Extract<AdminAction, { name: N }>

/** Runs one action of `versitygw-ts admin`; what it prints. Throws an error whose message is the one line to show. */
export async function runAdmin({ connection, action }: Run): Promise<string> {
  const secret = connection.secret ?? (await askOwnSecret(connection.access))
  const answer = await call({ ...connection, secret }, await requestOf(action))
  if (action.name === 'list-users') return showUsers(answer, action.json)
  if (action.name === 'list-buckets') return showBuckets(answer, action.json)
  return ''
}

function requestOf(action: AdminAction): AdminRequest | Promise<AdminRequest> {
  return REQUESTS[action.name](action as never)
}

/** How each action is asked for. */
const REQUESTS: {
  readonly [N in AdminAction['name']]: (action: Given<N>) => AdminRequest | Promise<AdminRequest>
} = {
  'create-user': async (account) => ({ path: '/create-user', body: await newAccount(account) }),
  'update-user': async (account) => ({
    path: `/update-user?access=${encode(account.access)}`,
    body: await changes(account),
  }),
  'delete-user': ({ access }) => ({ path: `/delete-user?access=${encode(access)}` }),
  'list-users': () => ({ path: '/list-users' }),
  'change-bucket-owner': ({ bucket, owner }) => ({
    path: `/change-bucket-owner/?bucket=${encode(bucket)}&owner=${encode(owner)}`,
  }),
  'list-buckets': () => ({ path: '/list-buckets' }),
  'create-bucket': newBucket,
}

async function askOwnSecret(access: string): Promise<string> {
  if (!isTerminal()) throw new ConfigError('subcommand admin secret access key is not set')
  const secret = await askSecret(`Secret key of ${access}: `)
  if (secret === '') throw new ConfigError('subcommand admin secret access key is not set')
  return secret
}

const ROLES: readonly (string | undefined)[] = ['user', 'userplus', 'admin']

async function newAccount(given: Given<'create-user'>): Promise<string> {
  const { access, role = '', userId = 0, groupId = 0, projectId = 0 } = given
  if (!ROLES.includes(role)) throw new ConfigError(`invalid input parameter for role: ${role}`)
  const secret = given.secret ?? (await newSecret(given))
  return wrap(
    'Account',
    element('Access', access) +
      element('Secret', secret) +
      element('Role', role) +
      element('UserID', userId) +
      element('GroupID', groupId) +
      element('ProjectID', projectId),
  )
}

/** A secret that is not on the command line: from standard input where that is asked for, else from who sits there. */
async function newSecret({
  access,
  secretStdin,
}: Given<'create-user' | 'update-user'>): Promise<string> {
  if (!isTerminal()) {
    if (!secretStdin) throw new ConfigError('Required flag "secret" not set')
    return readSecret()
  }
  const secret = await askSecret(`New secret key of ${access}: `)
  if (secret !== (await askSecret('The same again: '))) throw new Error('the two are not the same')
  return secret
}

async function changes(given: Given<'update-user'>): Promise<string> {
  const { role, secretStdin, userId, groupId, projectId } = given
  if (role !== undefined && !ROLES.includes(role))
    throw new ConfigError(`invalid user role: ${role}`)
  const secret = given.secret ?? (secretStdin ? await newSecret(given) : undefined)
  const fields = {
    Secret: secret,
    Role: role,
    UserID: userId,
    GroupID: groupId,
    ProjectID: projectId,
  }
  const elements = Object.entries(fields).map(([name, value]) =>
    value === undefined ? '' : element(name, value),
  )
  return wrap('MutableProps', elements.join(''))
}

function newBucket(given: Given<'create-bucket'>): AdminRequest {
  const headers = {
    'x-vgw-owner': given.owner,
    'x-amz-acl': given.acl,
    'x-amz-grant-full-control': given.grantFullControl,
    'x-amz-grant-read': given.grantRead,
    'x-amz-grant-read-acp': given.grantReadAcp,
    'x-amz-grant-write': given.grantWrite,
    'x-amz-grant-write-acp': given.grantWriteAcp,
    'x-amz-object-ownership': given.ownership,
    'x-amz-bucket-object-lock-enabled': given.noLock ? 'false' : given.lock ? 'true' : undefined,
  }
  const sent = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined || value === '' ? [] : [[name, value]],
  )
  return {
    path: `/${encode(given.bucket)}/create`,
    headers: Object.fromEntries(sent),
    body: bucketConfiguration(given.configuration ?? ''),
  }
}

function showUsers(body: Buffer, json: boolean): string {
  const users = childrenOf(parseAnswer(body, 'ListUserAccountsResult'), 'Accounts').map((user) => ({
    access: textOf(user, 'Access'),
    role: textOf(user, 'Role'),
    userID: Number(textOf(user, 'UserID')),
    groupID: Number(textOf(user, 'GroupID')),
    projectID: Number(textOf(user, 'ProjectID')),
  }))
  // The answer holds the secrets too: they are for nobody's terminal, and for no log of a script.
  if (json) return `${JSON.stringify(users)}\n`
  return table(
    ['Account', 'Role', 'UserID', 'GroupID', 'ProjectID'],
    users.map((user) => Object.values(user).map(String)),
  )
}

function showBuckets(body: Buffer, json: boolean): string {
  const buckets = childrenOf(parseAnswer(body, 'ListBucketsResult'), 'Buckets').map((bucket) => ({
    name: textOf(bucket, 'Name'),
    owner: textOf(bucket, 'Owner'),
  }))
  if (json) return `${JSON.stringify(buckets)}\n`
  return table(['Bucket', 'Owner'], buckets.map(Object.values<string>))
}

function textOf(parent: XmlElement, name: string): string {
  return childText(parent, name) ?? ''
}

/** RFC 3986: everything but the unreserved characters, as a signature has it. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
