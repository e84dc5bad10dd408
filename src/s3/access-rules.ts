import { isWrite, type Right } from '../auth/access/decide.ts'
import type { S3Request } from './request.ts'

/**
 * What an operation asks to be allowed, told from the head of the request alone: who is refused learns nothing of what
 * else is wrong with it.
 */
export interface AccessRules {
  readonly rights: readonly NeededRight[]
  /** A second bucket is read: `x-amz-copy-source`. */
  readonly readsSource?: boolean
  /** Asked by role instead, as the bucket is not there yet. */
  readonly makesBucket?: boolean
  /** Accounts are answered without a look at their rights: there is nothing to be had but NotImplemented. */
  readonly openToAccounts?: boolean
  /** What a page may see of the answer is settled before it is known who asks. */
  readonly corsFirst?: boolean
  /** The body holds tags, which a policy may look at: then it is read before the decision. */
  readonly tagsInBody?: boolean
  readonly anonymous?: AnonymousRules
}

/** One action of policies and the permission of ACLs that stands for it. */
export interface NeededRight {
  readonly action: string
  readonly permission: Right['permission']
  /**
   * What a policy's resource has to match. `keys` are told by the body: a grant on the bucket holds for all of them, else
   * each is judged when it is known (`OperationContext.access`).
   */
  readonly on: 'bucket' | 'object' | 'keys'
  /** Asked for in place of `action` where the request names a version. */
  readonly versionAction?: string
  /** Asked for only with one of these headers; an empty one asks for nothing. */
  readonly withHeaders?: readonly string[]
  /** Asked for only where this header is `true`. */
  readonly withSwitch?: string
}

export interface AnonymousRules {
  /** Refused in these words, whatever the bucket would say. */
  readonly refusal?: string
  /** Asked for in place of the first right's. */
  readonly action?: string
  /** Answered with 405 once it is granted: such a request has to be signed. */
  readonly notAllowed?: { readonly method: string; readonly resourceType: string }
}

/** For requests that ask for nothing that anybody owns. */
export const OPEN: AccessRules = { rights: [] }

export function onBucket(
  action: string,
  permission: Right['permission'],
  anonymous?: AnonymousRules,
): AccessRules {
  const rights = [{ action, permission, on: 'bucket' }] as const
  return anonymous === undefined ? { rights } : { rights, anonymous }
}

export function onObject(
  action: string,
  permission: Right['permission'],
  versionAction?: string,
): AccessRules {
  const right = { action, permission, on: 'object' } as const
  return { rights: [versionAction === undefined ? right : { ...right, versionAction }] }
}

/** Refuses anonymous callers in these words, or those of AccessDenied, whatever the bucket would say. */
export function signedOnly(access: AccessRules, refusal = 'Access Denied.'): AccessRules {
  return { ...access, anonymous: { refusal } }
}

/** The usual words for it. */
export const AUTHENTICATE = 'Anonymous users cannot invoke this API. Please authenticate.'

export const READS_OBJECT = onObject('s3:GetObject', 'READ', 's3:GetObjectVersion')

/** A new object, and what its headers hang on it. */
export const WRITES_OBJECT: readonly NeededRight[] = [
  { action: 's3:PutObject', permission: 'WRITE', on: 'object' },
  {
    action: 's3:PutObjectTagging',
    permission: 'WRITE',
    on: 'object',
    withHeaders: ['x-amz-tagging'],
  },
  {
    action: 's3:PutObjectRetention',
    permission: 'WRITE',
    on: 'object',
    withHeaders: ['x-amz-object-lock-mode', 'x-amz-object-lock-retain-until-date'],
  },
  {
    action: 's3:PutObjectLegalHold',
    permission: 'WRITE',
    on: 'object',
    withHeaders: ['x-amz-object-lock-legal-hold'],
  },
]

/** Whether what is asked for changes anything. */
export function isWriting({ rights, makesBucket, openToAccounts }: AccessRules): boolean {
  if (openToAccounts === true) return false
  return makesBucket === true || rights.some(({ permission }) => isWrite(permission))
}

/** Whether the request needs this right, as far as its headers say. */
export function isNeeded({ withHeaders, withSwitch }: NeededRight, request: S3Request): boolean {
  if (withSwitch !== undefined) return isOn(request, withSwitch)
  return withHeaders === undefined || withHeaders.some((name) => Boolean(request.headers[name]))
}

/** Whether a header that is a switch says `true`, in whatever case. */
export function isOn({ headers }: S3Request, name: string): boolean {
  const value = headers[name]
  return value !== undefined && String(value).toLowerCase() === 'true'
}

/** The action that is asked for. */
export function actionOf({ action, versionAction }: NeededRight, { query }: S3Request): string {
  return versionAction !== undefined && Boolean(query.get('versionId')) ? versionAction : action
}
