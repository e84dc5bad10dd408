import { child, childText, childrenOf, type XmlElement } from '../../http/xml-reader.ts'
import type { BucketSubresource, Tags } from '../../backend/backend.ts'
import { AUTHENTICATE, signedOnly } from '../access-rules.ts'
import { type CannedAcl, cannedAcl, renderAcl } from '../canned-acl.ts'
import { S3Error } from '../errors.ts'
import { document, header, headers, label, operation } from '../operation.ts'
import { checkTag } from '../tags.ts'

export const CreateBucket = operation(
  {
    name: 'CreateBucket',
    http: { method: 'PUT', target: 'bucket' },
    input: {
      bucket: label('bucket'),
      acl: headers(cannedAcl),
      ownership: header('x-amz-object-ownership', parseOwnership),
      lock: header('x-amz-bucket-object-lock-enabled', refuseLock),
      configuration: document('CreateBucketConfiguration', parseBucketConfiguration),
    },
  },
  {
    access: signedOnly({ rights: [], makesBucket: true }, AUTHENTICATE),
    async handle({ bucket, acl, ownership, configuration }, { backend, call, caller, settings }) {
      checkLocation(configuration.location, settings.region)
      const owner = caller.accessKey ?? ''
      const subresources = new Map<BucketSubresource, string>()
      if (acl !== undefined && acl !== 'private') subresources.set('acl', renderAcl(owner, acl))
      subresources.set('ownership', chooseOwnership(acl, ownership))
      if (configuration.tags !== undefined)
        subresources.set('X-Amz-Tagging', renderTags(configuration.tags))
      await backend.createBucket({ name: bucket, owner, subresources }, call)
      return {
        status: 200,
        headers: ['Location', `/${bucket}`, 'x-amz-bucket-arn', `arn:aws:s3:::${bucket}`],
      }
    },
  },
)

const OWNERSHIPS = ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'] as const
type Ownership = (typeof OWNERSHIPS)[number]

function parseOwnership(text: string | undefined): Ownership | undefined {
  if (text === undefined || text === '') return undefined
  const ownership = OWNERSHIPS.find((known) => known === text)
  if (ownership !== undefined) return ownership
  throw new S3Error(
    'InvalidArgument',
    { ArgumentName: 'x-amz-object-ownership' },
    { message: `Invalid x-amz-object-ownership header: ${text}` },
  )
}

/** Enforced ownership and grants to others exclude each other; a request for `private` alone leaves ACLs possible. */
function chooseOwnership(acl: CannedAcl | undefined, ownership: Ownership | undefined): Ownership {
  const chosen = ownership ?? (acl === 'private' ? 'BucketOwnerPreferred' : 'BucketOwnerEnforced')
  if (chosen === 'BucketOwnerEnforced' && acl !== undefined && acl !== 'private') {
    throw new S3Error('InvalidBucketAclWithObjectOwnership')
  }
  return chosen
}

/** A bucket whose objects should be protected must not be made before they can be. */
function refuseLock(text: string | undefined): void {
  if (text?.toLowerCase() === 'true') throw new S3Error('NotImplemented')
}

interface BucketConfiguration {
  readonly location: string | undefined
  readonly tags: Tags | undefined
}

const MAX_BUCKET_TAGS = 50

export function parseBucketConfiguration(root: XmlElement | undefined): BucketConfiguration {
  const tags = child(root, 'Tags')
  return {
    location: childText(root, 'LocationConstraint'),
    tags: tags === undefined ? undefined : parseTags(childrenOf(tags, 'Tag')),
  }
}

function parseTags(elements: readonly XmlElement[]): Tags {
  const tags = new Map<string, string>()
  for (const element of elements) {
    const key = childText(element, 'Key') ?? ''
    const value = childText(element, 'Value') ?? ''
    checkTag(key, value)
    if (tags.has(key)) {
      throw new S3Error(
        'InvalidTag',
        {},
        { message: 'Cannot provide multiple Tags with the same key' },
      )
    }
    tags.set(key, value)
  }
  if (tags.size > MAX_BUCKET_TAGS) {
    throw new S3Error('BadRequest', {}, { message: 'Bucket tag count cannot be greater than 50' })
  }
  return Object.fromEntries(tags)
}

/** A JSON map, keys in order: no tag can hold a character that VersityGW would escape further. */
function renderTags(tags: Tags): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(tags).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  )
}

/** Where a location is named it must be ours, and us-east-1 has none: so S3 has it. */
function checkLocation(location: string | undefined, region: string): void {
  if (location === undefined || (location === region && region !== 'us-east-1')) return
  throw new S3Error('InvalidLocationConstraint', { LocationConstraint: location })
}
