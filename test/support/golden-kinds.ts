import { randomBytes } from 'node:crypto'
import { md5Base64 } from './checksums.ts'
import type { Fixture, RawRequest } from './fixture.ts'

/**
 * The tree of each operation, as a receiver got it: the second request of its kind, so that what is made once has been made.
 * An extra file operation is a failing diff; UPDATE_GOLDEN=1 accepts it.
 */
export interface Kind {
  readonly operation: string
  /** Makes what the `n`th request needs (1 and 2) and says what is sent. */
  readonly request: (
    at: Fixture,
    bucket: string,
    n: number,
  ) => Promise<readonly [method: string, target: string, request?: RawRequest]>
  readonly status?: number
}

export const small = randomBytes(4096)
export const put = (at: Fixture, bucket: string, key: string) =>
  at.send('PUT', `/${bucket}/${key}`, { body: small })

const TAGGING = '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>'
const RETENTION =
  '<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2090-01-01T00:00:00Z</RetainUntilDate></Retention>'
const HOLD = '<LegalHold><Status>ON</Status></LegalHold>'
const OWNERSHIP =
  '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>'
const LOCK =
  '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>'
const documentOf = (body: string): RawRequest => ({
  body,
  headers: { 'Content-MD5': md5Base64(body) },
})
const CORS =
  '<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>'
const WEBSITE =
  '<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>'
const putCors = (at: Fixture, bucket: string) => at.send('PUT', `/${bucket}?cors`, documentOf(CORS))
const WITH_LOCK: RawRequest = { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } }
const lockBuckets = new WeakMap<Fixture, Promise<string>>()

async function lockBucket(at: Fixture, bucket: string): Promise<string> {
  await at.send('PUT', `/${bucket}`, WITH_LOCK)
  return bucket
}

/** Target of an object where objects can be locked: one bucket for all of a gateway, since what is written there first waits. */
async function lockedObject(at: Fixture, name: string): Promise<string> {
  const made = lockBuckets.get(at) ?? lockBucket(at, `${name}-locked`)
  lockBuckets.set(at, made)
  const bucket = await made
  await put(at, bucket, name)
  return `/${bucket}/${name}`
}

/** Where objects can be locked; what is compared with every write is there to be read. */
export const LOCK_KINDS: readonly Kind[] = [
  {
    operation: 'PutObject where objects can be locked',
    async request(at, bucket) {
      const object = await lockedObject(at, bucket)
      return ['PUT', object, { body: small }]
    },
  },
  {
    operation: 'PutObject of a locked object',
    status: 403,
    async request(at, bucket) {
      const object = await lockedObject(at, bucket)
      await at.send('PUT', `${object}?legal-hold`, documentOf(HOLD))
      return ['PUT', object, { body: small }]
    },
  },
  {
    operation: 'DeleteObject where objects can be locked',
    status: 204,
    async request(at, bucket) {
      const object = await lockedObject(at, bucket)
      return ['DELETE', object]
    },
  },
]

/** Documents hung on buckets and objects. */
export const DOCUMENT_KINDS: readonly Kind[] = [
  {
    operation: 'PutBucketTagging',
    status: 204,
    request: async (_, bucket) => ['PUT', `/${bucket}?tagging`, documentOf(TAGGING)],
  },
  { operation: 'GetBucketAcl', request: async (_, bucket) => ['GET', `/${bucket}?acl`] },
  {
    operation: 'PutBucketAcl',
    request: async (_, bucket) => [
      'PUT',
      `/${bucket}?acl`,
      { headers: { 'x-amz-acl': 'public-read' } },
    ],
  },
  {
    operation: 'GetBucketTagging',
    async request(at, bucket) {
      await at.send('PUT', `/${bucket}?tagging`, documentOf(TAGGING))
      return ['GET', `/${bucket}?tagging`]
    },
  },
  {
    operation: 'DeleteBucketTagging',
    status: 204,
    request: async (_, bucket) => ['DELETE', `/${bucket}?tagging`],
  },
  {
    operation: 'PutObjectTagging',
    async request(at, bucket) {
      await put(at, bucket, 'k')
      return ['PUT', `/${bucket}/k?tagging`, documentOf(TAGGING)]
    },
  },
  {
    operation: 'GetObjectTagging',
    async request(at, bucket) {
      await put(at, bucket, 'k')
      return ['GET', `/${bucket}/k?tagging`]
    },
  },
  {
    operation: 'DeleteObjectTagging',
    status: 204,
    async request(at, bucket) {
      await put(at, bucket, 'k')
      return ['DELETE', `/${bucket}/k?tagging`]
    },
  },
  {
    operation: 'PutObjectRetention',
    async request(at, bucket) {
      const object = await lockedObject(at, bucket)
      return ['PUT', `${object}?retention`, documentOf(RETENTION)]
    },
  },
  {
    operation: 'GetObjectRetention',
    async request(at, bucket) {
      const object = await lockedObject(at, bucket)
      await at.send('PUT', `${object}?retention`, documentOf(RETENTION))
      return ['GET', `${object}?retention`]
    },
  },
  {
    operation: 'PutObjectLegalHold',
    async request(at, bucket) {
      const object = await lockedObject(at, bucket)
      return ['PUT', `${object}?legal-hold`, documentOf(HOLD)]
    },
  },
  {
    operation: 'GetObjectLegalHold',
    async request(at, bucket) {
      const object = await lockedObject(at, bucket)
      await at.send('PUT', `${object}?legal-hold`, documentOf(HOLD))
      return ['GET', `${object}?legal-hold`]
    },
  },
  {
    operation: 'PutObjectLockConfiguration',
    async request(at, bucket) {
      await lockBucket(at, `${bucket}-locked`)
      return ['PUT', `/${bucket}-locked?object-lock`, documentOf(LOCK)]
    },
  },
  {
    operation: 'GetObjectLockConfiguration',
    async request(at, bucket) {
      await lockBucket(at, `${bucket}-locked`)
      return ['GET', `/${bucket}-locked?object-lock`]
    },
  },
  {
    operation: 'PutBucketOwnershipControls',
    request: async (_, bucket) => ['PUT', `/${bucket}?ownershipControls`, documentOf(OWNERSHIP)],
  },
  {
    operation: 'GetBucketOwnershipControls',
    async request(at, bucket) {
      await at.send('PUT', `/${bucket}?ownershipControls`, documentOf(OWNERSHIP))
      return ['GET', `/${bucket}?ownershipControls`]
    },
  },
  {
    operation: 'DeleteBucketOwnershipControls',
    status: 204,
    request: async (_, bucket) => ['DELETE', `/${bucket}?ownershipControls`],
  },
  {
    operation: 'PutBucketCors',
    request: async (_, bucket) => ['PUT', `/${bucket}?cors`, documentOf(CORS)],
  },
  {
    operation: 'GetBucketCors',
    async request(at, bucket) {
      await putCors(at, bucket)
      return ['GET', `/${bucket}?cors`]
    },
  },
  {
    operation: 'PreflightOptions',
    async request(at, bucket) {
      await putCors(at, bucket)
      const headers = { Origin: 'http://a', 'Access-Control-Request-Method': 'GET' }
      return ['OPTIONS', `/${bucket}/k`, { headers }]
    },
  },
  {
    operation: 'GetObject of a page',
    async request(at, bucket) {
      await putCors(at, bucket)
      await put(at, bucket, 'seen')
      return ['GET', `/${bucket}/seen`, { headers: { Origin: 'http://a' } }]
    },
  },
  {
    operation: 'DeleteBucketCors',
    status: 204,
    request: async (_, bucket) => ['DELETE', `/${bucket}?cors`],
  },
  {
    operation: 'PutBucketWebsite',
    request: async (_, bucket) => ['PUT', `/${bucket}?website`, { body: WEBSITE }],
  },
  {
    operation: 'GetBucketWebsite',
    async request(at, bucket) {
      await at.send('PUT', `/${bucket}?website`, { body: WEBSITE })
      return ['GET', `/${bucket}?website`]
    },
  },
  {
    operation: 'DeleteBucketWebsite',
    status: 204,
    request: async (_, bucket) => ['DELETE', `/${bucket}?website`],
  },
]
