import { ownerGrant, renderAcl, type Grantee } from '../../auth/acl.ts'
import type { BucketSubresource, SubresourceValue, Tags } from '../../backend/backend.ts'
import { child, childText, childrenOf, type XmlElement } from '../../http/xml-reader.ts'
import { AUTHENTICATE, signedOnly } from '../access-rules.ts'
import {
  aclHeaders,
  cannedGrants,
  checkGrantees,
  refuseBothKinds,
  type AclHeaders,
} from '../acl-grants.ts'
import { storeBucketLock } from '../bucket-lock.ts'
import { S3Error } from '../errors.ts'
import { checkLabels } from '../names.ts'
import { parseOwnershipHeader, type ObjectOwnership } from '../object-ownership.ts'
import {
  document,
  header,
  headers,
  label,
  operation,
  type OperationContext,
  type S3Settings,
} from '../operation.ts'
import { parseTagElements, storeTags } from '../tags.ts'

export const CreateBucket = operation(
  {
    name: 'CreateBucket',
    http: { method: 'PUT', target: 'bucket' },
    input: {
      bucket: label('bucket'),
      acl: headers(aclHeaders),
      ownership: header('x-amz-object-ownership'),
      lock: header('x-amz-bucket-object-lock-enabled', (text) => text?.toLowerCase() === 'true'),
      configuration: document('CreateBucketConfiguration', parseBucketConfiguration),
    },
  },
  {
    access: signedOnly({ rights: [], makesBucket: true }, AUTHENTICATE),
    async handle({ bucket, acl, ownership, lock, configuration }, context) {
      const { backend, call, caller, settings } = context
      if (settings.dialect === 'aws' && settings.strictBucketNames) checkLabels(bucket)
      const owner = caller.accessKey ?? ''
      const access = await chooseAccess(acl, ownership, context)
      checkLocation(configuration.location, settings.region)
      const subresources = new Map<BucketSubresource, SubresourceValue>([
        ['acl', renderAcl({ owner, grantees: [ownerGrant(owner), ...access.grants] })],
      ])
      if (access.ownership !== 'none') subresources.set('ownership', access.ownership)
      if (configuration.tags !== undefined)
        subresources.set('X-Amz-Tagging', storeTags(configuration.tags))
      if (lock) {
        const configured = { enabled: true, defaultRetention: undefined }
        subresources.set('bucket-lock', storeBucketLock(configured, new Date()))
        if (settings.versioningEnabled) subresources.set('versioning', VERSIONED)
      }
      try {
        await backend.createBucket({ name: bucket, owner, subresources }, call)
      } catch (error) {
        if (!isWelcome(error, settings)) throw error
      }
      return {
        status: 200,
        headers: ['Location', `/${bucket}`, 'x-amz-bucket-arn', `arn:aws:s3:::${bucket}`],
      }
    },
  },
)

/** In its first region S3 answers whoever makes his own bucket again as if he had not had it; it stays as it is. */
function isWelcome(error: unknown, { dialect, region }: S3Settings): boolean {
  const isOwn = error instanceof S3Error && error.code === 'BucketAlreadyOwnedByYou'
  return isOwn && dialect === 'aws' && region === 'us-east-1'
}

/** Versioning is Enabled: what can be overwritten cannot be locked. */
const VERSIONED = Buffer.from([1])

/** Who may use the bucket beside its owner. A gateway without ACLs looks at no header about them. */
async function chooseAccess(
  acl: AclHeaders,
  given: string | undefined,
  { accounts, call, settings }: OperationContext,
): Promise<{ grants: readonly Grantee[]; ownership: ObjectOwnership | 'none' }> {
  if (!settings.aclsEnabled)
    return { grants: [], ownership: parseOwnershipHeader(given) ?? settings.defaultOwnership }
  refuseBothKinds(acl)
  const canned = acl.canned === undefined ? [] : cannedGrants(acl.canned)
  const ownership = chooseOwnership(acl, parseOwnershipHeader(given), settings.defaultOwnership)
  await checkGrantees(acl.grants, accounts, call.span)
  return { grants: [...canned, ...acl.grants], ownership }
}

/** Enforced ownership and grants to others exclude each other; a request for `private` alone leaves ACLs possible. */
function chooseOwnership(
  { canned, grants }: AclHeaders,
  asked: ObjectOwnership | undefined,
  byDefault: S3Settings['defaultOwnership'],
): S3Settings['defaultOwnership'] {
  const chosen = asked ?? (canned === 'private' ? 'BucketOwnerPreferred' : byDefault)
  const isShared = grants.length > 0 || (canned !== undefined && canned !== 'private')
  if (chosen === 'BucketOwnerEnforced' && isShared)
    throw new S3Error('InvalidBucketAclWithObjectOwnership')
  return chosen
}

interface BucketConfiguration {
  readonly location: string | undefined
  readonly tags: Tags | undefined
}

export function parseBucketConfiguration(root: XmlElement | undefined): BucketConfiguration {
  const tags = childrenOf(child(root, 'Tags'), 'Tag')
  return {
    location: childText(root, 'LocationConstraint'),
    tags: tags.length === 0 ? undefined : parseTagElements(tags, 'bucket'),
  }
}

/** Where a location is named it must be ours, and us-east-1 has none: so S3 has it. */
function checkLocation(location: string | undefined, region: string): void {
  if (location === undefined || (location === region && region !== 'us-east-1')) return
  throw new S3Error('InvalidLocationConstraint', { LocationConstraint: location })
}
