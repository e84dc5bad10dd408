import type { Account, AccountChanges, Role } from '../auth/iam/account-store.ts'
import { childText, type XmlElement } from '../http/xml-reader.ts'
import { element, wrap } from '../http/xml.ts'
import { S3Error } from '../s3/errors.ts'

/** An account takes a few hundred bytes; what is much larger is none. */
export const MAX_ACCOUNT_BYTES = 64 * 1024

/** `<Account>`: MalformedXML, or XAdminInvalidArgument with what is wrong. Ids may be left out, and are 0 then. */
export function parseAccount(root: XmlElement | undefined): Account {
  if (root === undefined) throw new S3Error('MalformedXML')
  // The role first, as in VersityGW.
  const role = checkRole(childText(root, 'Role') ?? '')
  return {
    access: checkAccess(childText(root, 'Access')),
    secret: checkSecret(childText(root, 'Secret') ?? ''),
    role,
    userId: parseId(root, 'UserID') ?? 0,
    groupId: parseId(root, 'GroupID') ?? 0,
    projectId: parseId(root, 'ProjectID') ?? 0,
  }
}

/** `<MutableProps>`: what is left out stays as it is, and so does the role where it is empty, as VersityGW's tool sends it. */
export function parseChanges(root: XmlElement | undefined): AccountChanges {
  if (root === undefined) throw new S3Error('MalformedXML')
  const secret = childText(root, 'Secret')
  const role = childText(root, 'Role') ?? ''
  const userId = parseId(root, 'UserID')
  const groupId = parseId(root, 'GroupID')
  const projectId = parseId(root, 'ProjectID')
  return {
    ...(secret === undefined ? {} : { secret: checkSecret(secret) }),
    ...(role === '' ? {} : { role: checkRole(role) }),
    ...(userId === undefined ? {} : { userId }),
    ...(groupId === undefined ? {} : { groupId }),
    ...(projectId === undefined ? {} : { projectId }),
  }
}

/** One entry of ListUsers, with its secret: so does VersityGW, and what manages it relies on that. */
export function renderAccount(account: Account): string {
  return wrap(
    'Accounts',
    element('Access', account.access) +
      element('Secret', account.secret) +
      element('Role', account.role) +
      element('UserID', account.userId) +
      element('GroupID', account.groupId) +
      element('ProjectID', account.projectId),
  )
}

/** What `?access=` names. */
export function requireAccess(access: string | undefined): string {
  if (access !== undefined && access !== '') return access
  throw invalid('User access key ID is missing.', 404)
}

/** Only these can stand in an Authorization header, whose Credential ends at a comma and is split at slashes. */
const ACCESS = /^[!-+\-.0-~]+$/

function checkAccess(access: string | undefined): string {
  const given = requireAccess(access)
  if (ACCESS.test(given)) return given
  throw invalid(
    'User access key ID has to be of printable ASCII without blanks, commas and slashes.',
  )
}

function checkSecret(secret: string): string {
  if (secret !== '') return secret
  throw invalid('User secret access key is missing.')
}

const ROLES: readonly Role[] = ['user', 'admin', 'userplus']

function checkRole(text: string): Role {
  const role = ROLES.find((known) => known === text)
  if (role !== undefined) return role
  throw new S3Error('XAdminInvalidArgument')
}

/** All ones is what the kernel takes for no one. */
const MAX_ID = 0xffff_fffe
const DIGITS = /^-?\d{1,19}$/

function parseId(root: XmlElement, name: string): number | undefined {
  const text = childText(root, name)?.trim()
  if (text === undefined) return undefined
  if (text === '') return 0
  if (!DIGITS.test(text)) throw new S3Error('MalformedXML')
  const id = Number(text)
  if (id >= 0 && id <= MAX_ID) return id
  throw invalid(`${name} has to be a number from 0 to ${MAX_ID}.`)
}

function invalid(message: string, status = 400): S3Error {
  return new S3Error('XAdminInvalidArgument', {}, { message, status })
}
