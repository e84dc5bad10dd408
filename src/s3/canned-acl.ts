import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'

export type CannedAcl = 'private' | 'public-read' | 'public-read-write'

/** What everyone may do, by canned ACL. */
const PUBLIC_PERMISSIONS: Readonly<Record<CannedAcl, readonly string[]>> = {
  private: [],
  'public-read': ['READ'],
  'public-read-write': ['READ', 'WRITE'],
}

/** `x-amz-acl`; undefined where absent. Grants to single accounts (`x-amz-grant-*`) come with the accounts. */
export function cannedAcl({ headers }: S3Request): CannedAcl | undefined {
  const canned = headers['x-amz-acl']
  const hasGrants = GRANTS.some((name) => headers[name] !== undefined)
  if (hasGrants && canned !== undefined) {
    throw new S3Error(
      'InvalidRequest',
      {},
      { message: 'Specifying both Canned ACLs and Header Grants is not allowed.' },
    )
  }
  if (hasGrants) throw new S3Error('NotImplemented')
  if (canned === undefined || canned === '') return undefined
  if (isCanned(canned)) return canned
  throw new S3Error(
    'InvalidArgument',
    { ArgumentName: 'x-amz-acl', ArgumentValue: String(canned) },
    { message: '' },
  )
}

/** The ACL as a bucket stores it (contract 2.2). */
export function renderAcl(owner: string, canned: CannedAcl): string {
  const own = { Permission: 'FULL_CONTROL', Access: owner, Type: 'CanonicalUser' }
  const everyone = PUBLIC_PERMISSIONS[canned].map((Permission) => ({
    Permission,
    Access: 'all-users',
    Type: 'Group',
  }))
  return JSON.stringify({ Owner: owner, Grantees: [own, ...everyone] })
}

const GRANTS = [
  'x-amz-grant-full-control',
  'x-amz-grant-read',
  'x-amz-grant-read-acp',
  'x-amz-grant-write',
  'x-amz-grant-write-acp',
]

function isCanned(name: string | string[]): name is CannedAcl {
  return typeof name === 'string' && Object.hasOwn(PUBLIC_PERMISSIONS, name)
}
