import { goString, parseObject } from '../go-json.ts'

/** What a grant permits, as S3 calls it. */
export type AclPermission = (typeof PERMISSIONS)[number]

const PERMISSIONS = ['FULL_CONTROL', 'READ', 'WRITE', 'READ_ACP', 'WRITE_ACP'] as const

/** Who everyone is: the one group there is, stored as the access of a grant of type Group. */
export const ALL_USERS = 'all-users'

export interface Grantee {
  readonly permission: AclPermission
  /** An access key; of a group `ALL_USERS`. */
  readonly access: string
  readonly type: 'CanonicalUser' | 'Group'
}

/** The access control list of a bucket. */
export interface Acl {
  /** Access key. */
  readonly owner: string
  readonly grantees: readonly Grantee[]
}

/**
 * The ACL as a bucket stores it. One that is not there, or cannot be read, makes the bucket root's and grants nobody
 * anything: a directory made by hand is a bucket.
 */
export function parseAcl(stored: Buffer | undefined, rootAccess: string): Acl {
  const document = parseObject(stored)
  const owner = document?.['Owner']
  const grantees = document?.['Grantees']
  return {
    owner: typeof owner === 'string' && owner !== '' ? owner : rootAccess,
    grantees: Array.isArray(grantees) ? grantees.flatMap(parseGrantee) : [],
  }
}

function parseGrantee(stored: unknown): readonly Grantee[] {
  if (typeof stored !== 'object' || stored === null) return []
  const { Permission, Access, Type } = stored as Record<string, unknown>
  if (!isPermission(Permission) || typeof Access !== 'string') return []
  return [
    { permission: Permission, access: Access, type: Type === 'Group' ? Type : 'CanonicalUser' },
  ]
}

export function isPermission(text: unknown): text is AclPermission {
  return PERMISSIONS.some((permission) => permission === text)
}

/** The bytes that VersityGW stores (contract 2.2). */
export function renderAcl({ owner, grantees }: Acl): string {
  const grants = grantees.map(
    ({ permission, access, type }) =>
      `{"Permission":"${permission}","Access":${goString(access)},"Type":"${type}"}`,
  )
  return `{"Owner":${goString(owner)},"Grantees":[${grants.join(',')}]}`
}

/** The grant that every owner has. */
export function ownerGrant(owner: string): Grantee {
  return { permission: 'FULL_CONTROL', access: owner, type: 'CanonicalUser' }
}
