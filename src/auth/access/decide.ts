import { ALL_USERS, type Acl, type AclPermission } from '../acl.ts'
import type { Identity } from '../identity.ts'

/** What a request has to be allowed, all of its rights: one policy action or ACL permission on one bucket or key. */
export interface Right {
  /** `s3:GetObject`. */
  readonly action: string
  readonly permission: Exclude<AclPermission, 'FULL_CONTROL'>
  readonly bucket: string
  /** Undefined where the bucket itself is the resource. */
  readonly key: string | undefined
}

/** Asks a bucket's policy; undefined where no statement applies. `principal` is undefined for anonymous callers. */
export type PolicyEvaluator = (
  right: Right,
  principal: string | undefined,
) => { readonly effect: 'allow' | 'deny'; readonly statement: string } | undefined

/** What hangs on a bucket and decides who may use it. */
export interface BucketAccess {
  readonly acl: Acl
  /** Undefined where there is no policy. */
  readonly policy: PolicyEvaluator | undefined
  /** BucketOwnerEnforced switches grants off: the owner alone has access then. */
  readonly ownership: string | undefined
}

export interface AccessSettings {
  /** Whatever writes is refused, to root too. */
  readonly readOnly: boolean
  /** In S3's a bucket's policy leaves its owner what he has, unless it denies it; in VersityGW's he can lock himself out. */
  readonly dialect: 'versitygw' | 'aws'
  /** Without (`--noacl`) the owner has access where no policy decides, and nobody else. */
  readonly aclsEnabled: boolean
}

/** The decision, and what it rests on; `none` is that nothing granted it. */
export interface Verdict {
  readonly allowed: boolean
  readonly rule: 'readonly' | 'role' | 'anonymous' | 'policy' | 'acl' | 'owner' | 'none'
  /** The policy's statement: its Sid, or its place in the document. */
  readonly statement?: string
}

const DENIED: Verdict = { allowed: false, rule: 'none' }
const READ_ONLY: Verdict = { allowed: false, rule: 'readonly' }
const BY_ROLE: Verdict = { allowed: true, rule: 'role' }
const BY_OWNERSHIP: Verdict = { allowed: true, rule: 'owner' }
const BY_ACL: Verdict = { allowed: true, rule: 'acl' }

/**
 * What can be said without a look at the bucket: a read-only gateway refuses every write, root's too; root and admins may
 * do everything else. Undefined where the bucket has to be asked.
 */
export function decideByCaller(
  writes: boolean,
  caller: Identity,
  settings: AccessSettings,
): Verdict | undefined {
  if (writes && settings.readOnly) return READ_ONLY
  return caller.isRoot || caller.role === 'admin' ? BY_ROLE : undefined
}

/** Buckets are made by accounts that may: `userplus` and above. */
export function decideByRole({ role, isRoot }: Identity): Verdict {
  return isRoot || role === 'admin' || role === 'userplus'
    ? BY_ROLE
    : { allowed: false, rule: 'role' }
}

/** Whether a policy's Deny decided, which no grant elsewhere outweighs. */
export function isExplicitDeny({ allowed, rule }: Verdict): boolean {
  return !allowed && rule === 'policy'
}

/** Whether a permission changes anything. */
export function isWrite(permission: Right['permission']): boolean {
  return permission === 'WRITE' || permission === 'WRITE_ACP'
}

/**
 * May a caller who is neither root nor admin use this right? For accounts a policy, where the bucket has one, decides
 * alone: the ACL is not asked, and the owner can lock himself out (but see `dialect`). Anonymous callers may have what a policy gives to
 * everyone, and beyond that what a public ACL opens to them; an explicit Deny stops them.
 */
export function decide(
  right: Right,
  caller: Identity,
  bucket: BucketAccess,
  settings: AccessSettings,
): Verdict {
  const { accessKey } = caller
  const { policy } = bucket
  if (policy !== undefined) {
    const decision = policy(right, accessKey)
    if (decision !== undefined) {
      const { effect, statement } = decision
      return { allowed: effect === 'allow', rule: 'policy', statement }
    }
    const isSpared = settings.dialect === 'aws' && accessKey === bucket.acl.owner
    if (accessKey !== undefined && !isSpared) return DENIED
  }
  if (!settings.aclsEnabled || bucket.ownership === 'BucketOwnerEnforced') {
    return accessKey !== undefined && accessKey === bucket.acl.owner ? BY_OWNERSHIP : DENIED
  }
  if (accessKey === undefined && !PUBLIC_ACTIONS.has(right.action)) return DENIED
  return grants(bucket.acl, right.permission, accessKey) ? BY_ACL : DENIED
}

/** What an ACL can open to anonymous callers. A tag, a lock or an upload's parts are not among it. */
const PUBLIC_ACTIONS: ReadonlySet<string> = new Set([
  's3:ListBucket',
  's3:ListBucketVersions',
  's3:ListBucketMultipartUploads',
  's3:GetObject',
  's3:GetObjectVersion',
  's3:GetObjectAttributes',
  's3:GetObjectVersionAttributes',
  's3:GetObjectAcl',
  's3:PutObject',
  's3:DeleteObject',
  's3:DeleteObjectVersion',
])

/** The owner has no more than what is granted to him, as everyone. */
function grants(
  { grantees }: Acl,
  permission: Right['permission'],
  accessKey: string | undefined,
): boolean {
  return grantees.some((grantee) =>
    grantee.type === 'Group'
      ? grantee.access === ALL_USERS && grantee.permission === permission
      : grantee.access === accessKey &&
        (grantee.permission === permission || grantee.permission === 'FULL_CONTROL'),
  )
}
