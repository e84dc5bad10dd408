import { ALL_USERS, isPermission, type AclPermission, type Grantee } from '../auth/acl.ts'
import { child, childText, childrenOf, type XmlElement } from '../http/xml-reader.ts'
import { S3Error } from './errors.ts'
import type { AccountFinder } from './operation.ts'
import type { S3Request } from './request.ts'

/** What a request says of an ACL in its head. */
export interface AclHeaders {
  /** `x-amz-acl`; it may be the name of no canned ACL. Undefined where absent or empty. */
  readonly canned: string | undefined
  /** `x-amz-grant-*`: access keys, one or several with commas between. */
  readonly grants: readonly Grantee[]
}

/** In the order in which VersityGW stores them. */
const GRANT_HEADERS: readonly (readonly [header: string, permission: AclPermission])[] = [
  ['x-amz-grant-full-control', 'FULL_CONTROL'],
  ['x-amz-grant-read', 'READ'],
  ['x-amz-grant-read-acp', 'READ_ACP'],
  ['x-amz-grant-write', 'WRITE'],
  ['x-amz-grant-write-acp', 'WRITE_ACP'],
]

/** As many as an ACL of S3 has; each is looked up. */
const MAX_GRANTS = 100

export function aclHeaders({ headers }: S3Request): AclHeaders {
  const canned = headers['x-amz-acl']
  const grants = GRANT_HEADERS.flatMap(([header, permission]) => {
    const text = headers[header]
    if (text === undefined || text === '') return []
    const accounts = new Set(
      String(text)
        .split(',')
        .map((access) => access.trim()),
    )
    return [...accounts].map((access): Grantee => ({ permission, access, type: 'CanonicalUser' }))
  })
  return { canned: canned === undefined || canned === '' ? undefined : String(canned), grants }
}

/** What everyone may do, by canned ACL. */
const CANNED = new Map<string, readonly AclPermission[]>([
  ['private', []],
  ['public-read', ['READ']],
  ['public-read-write', ['READ', 'WRITE']],
])

/** InvalidArgument, without a word as VersityGW has it, unless the name is one of S3's canned ACLs that buckets can have. */
export function cannedGrants(name: string): readonly Grantee[] {
  const permissions = CANNED.get(name)
  if (permissions === undefined) {
    const details = { ArgumentName: 'x-amz-acl', ArgumentValue: name }
    throw new S3Error('InvalidArgument', details, { message: '' })
  }
  return permissions.map((permission) => ({ permission, access: ALL_USERS, type: 'Group' }))
}

export function refuseBothKinds({ canned, grants }: AclHeaders): void {
  if (canned === undefined || grants.length === 0) return
  const message = 'Specifying both Canned ACLs and Header Grants is not allowed.'
  throw new S3Error('InvalidRequest', {}, { message })
}

/** An `AccessControlPolicy` document. */
export interface AclDocument {
  readonly owner: string
  readonly grants: readonly Grantee[]
}

/** Types of grantees that S3 has. Those by mail or by URI lack the ID, without which VersityGW takes none. */
const GRANTEE_TYPES: ReadonlySet<string | undefined> = new Set(['CanonicalUser', 'Group'])

/** MalformedACLError unless it names an owner, and each grant a grantee's ID and a permission. */
export function parseAclDocument(root: XmlElement): AclDocument {
  const owner = childText(child(root, 'Owner'), 'ID') ?? ''
  if (owner === '') throw malformedAcl()
  const grants = childrenOf(child(root, 'AccessControlList'), 'Grant').map((grant): Grantee => {
    const grantee = child(grant, 'Grantee')
    const access = childText(grantee, 'ID') ?? ''
    const permission = childText(grant, 'Permission')
    const isKnown = GRANTEE_TYPES.has(grantee?.attributes['type'])
    if (access === '' || !isKnown || !isPermission(permission)) throw malformedAcl()
    return { permission, access, type: 'CanonicalUser' }
  })
  return { owner, grants }
}

export function malformedAcl(cause?: unknown): S3Error {
  return new S3Error('MalformedACLError', {}, { cause })
}

/** InvalidArgument unless everyone who is granted something has an account: upstream answers 500 (contract 9.2, 17). */
export async function checkGrantees(
  grants: readonly Grantee[],
  accounts: AccountFinder,
  under: Parameters<AccountFinder['find']>[1],
): Promise<void> {
  if (grants.length > MAX_GRANTS) throw malformedAcl()
  for (const access of new Set(grants.map((grant) => grant.access))) {
    if (access !== '' && (await accounts.find(access, under)) !== undefined) continue
    const details = { ArgumentName: 'CanonicalUser/ID', ArgumentValue: access }
    throw new S3Error('InvalidArgument', details, { message: 'Invalid id' })
  }
}
