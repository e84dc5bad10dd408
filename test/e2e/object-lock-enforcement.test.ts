import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import {
  DELETE_IF_MATCH,
  DELETING,
  OVERWRITING,
  POST_OBJECT,
  deleteMany,
  type Door,
} from '../support/lock-doors.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { attributesOf, setAttribute } from '../support/tree.ts'

/** Contract 4.7, threats A18: what is locked is neither deleted nor replaced, whatever door it is tried through. */

const at = useGateway({ posixFlags: ['--durability', 'none'] })

const BYPASS = { 'x-amz-bypass-governance-retention': 'true' }
const inSeconds = (seconds: number): string =>
  `${new Date(Date.now() + seconds * 1000).toISOString().slice(0, 19)}Z`

const retention = (mode: string, seconds = 3600): Record<string, string> => ({
  'x-amz-object-lock-mode': mode,
  'x-amz-object-lock-retain-until-date': inSeconds(seconds),
})
const HOLD = { 'x-amz-object-lock-legal-hold': 'ON' }

const LOCKS: Readonly<Record<string, Record<string, string>>> = {
  GOVERNANCE: retention('GOVERNANCE'),
  COMPLIANCE: retention('COMPLIANCE'),
  'legal hold': HOLD,
}

const md5 = (body: string): string => createHash('md5').update(body).digest('base64')

async function lockedBucket(configuration = ''): Promise<string> {
  const bucket = `locked-${randomBytes(6).toString('hex')}`
  const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
  expect((await at.send('PUT', `/${bucket}`, { headers })).status).toBe(200)
  if (configuration !== '') await configure(bucket, configuration)
  await put(bucket, 'source', 'source')
  return bucket
}

async function configure(bucket: string, defaultRetention: string): Promise<void> {
  const rule =
    defaultRetention === ''
      ? ''
      : `<Rule><DefaultRetention>${defaultRetention}</DefaultRetention></Rule>`
  const body = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`
  const headers = { 'Content-MD5': md5(body) }
  const answer = await at.send('PUT', `/${bucket}?object-lock`, { headers, body })
  expect([answer.status, answer.code]).toEqual([200, undefined])
}

async function put(
  bucket: string,
  key: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<void> {
  const answer = await at.send('PUT', `/${bucket}/${key}`, { headers, body })
  expect([answer.status, answer.code]).toEqual([200, undefined])
}

async function allowBypass(bucket: string): Promise<void> {
  const statement = {
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:BypassGovernanceRetention',
    Resource: `arn:aws:s3:::${bucket}/*`,
  }
  const body = JSON.stringify({ Statement: [statement] })
  expect((await at.send('PUT', `/${bucket}?policy`, { body })).status).toBe(204)
}

const outcome = (answer: RawResponse): unknown[] => [answer.status, answer.code, answer.message]
const PROTECTED = [403, 'AccessDenied', 'Access Denied because object protected by object lock.']

const isKept = async (bucket: string, key: string, body = 'kept'): Promise<void> => {
  const answer = await at.send('GET', `/${bucket}/${key}`)
  expect([answer.status, answer.body.toString()]).toEqual([200, body])
}

const DOORS: Readonly<Record<string, Door>> = {
  ...OVERWRITING,
  ...DELETING,
  'DeleteObject, If-Match': DELETE_IF_MATCH,
  PostObject: POST_OBJECT,
}

describe('in a bucket with object lock', () => {
  let bucket = ''
  beforeAll(async () => {
    bucket = await lockedBucket()
  })

  describe.each(Object.keys(LOCKS))('%s', (lock) => {
    test.each(Object.keys(DOORS))('refuses %s', async (door) => {
      const key = `${lock}/${door}`.replaceAll(/[ ,]+/g, '-')
      await put(bucket, key, 'kept', LOCKS[lock])
      const answer = await DOORS[door]?.(at, bucket, key)
      expect(answer && outcome(answer)).toEqual(PROTECTED)
      await isKept(bucket, key)
      // Root is nobody special here: without a policy that says so nobody is let (4.7).
      const forced = await DOORS[door]?.(at, bucket, key, { headers: BYPASS })
      expect(forced && outcome(forced)).toEqual(PROTECTED)
      await isKept(bucket, key)
    })

    test('of a directory object: it is neither deleted nor put anew', async () => {
      const key = `directory-${lock.replace(' ', '-')}/`
      await put(bucket, key, '', { ...LOCKS[lock], 'x-amz-meta-kept': 'yes' })
      await put(bucket, `${key}child`, 'x')
      const puts = await at.send('PUT', `/${bucket}/${key}`)
      expect(outcome(puts)).toEqual(PROTECTED)
      // Its children are free, and it stays when the last of them goes.
      for (const target of [key, `${key}child`, key]) {
        const answer = await at.send('DELETE', `/${bucket}/${target}`)
        expect(answer.status).toBe(target === key ? 403 : 204)
      }
      const head = await at.send('HEAD', `/${bucket}/${key}`)
      expect([head.status, head.header('x-amz-meta-kept')]).toEqual([200, 'yes'])
    })
  })

  test('what is not locked is free: other keys, and a hold that is lifted', async () => {
    await put(bucket, 'free', 'x', HOLD)
    const body = '<LegalHold><Status>OFF</Status></LegalHold>'
    const headers = { 'Content-MD5': md5(body) }
    const off = await at.send('PUT', `/${bucket}/free?legal-hold`, { headers, body })
    expect(off.status).toBe(200)
    for (const door of Object.values(OVERWRITING))
      expect((await door(at, bucket, 'free')).status).toBe(200)
    expect((await POST_OBJECT(at, bucket, 'free')).status).toBe(204)
    expect((await at.send('DELETE', `/${bucket}/free`)).status).toBe(204)
    expect((await at.send('DELETE', `/${bucket}/free`)).status).toBe(204)
  })

  test('DeleteObjects: a single locked key fails them all, before any is deleted (3.9)', async () => {
    await put(bucket, 'many/locked', 'x', LOCKS['GOVERNANCE'])
    const keys = ['many/a', 'many/b', 'many/c']
    for (const key of keys) await put(bucket, key, 'kept')
    const answer = await deleteMany(at, bucket, ['many/a', 'many/b', 'many/locked', 'many/c'])
    expect(outcome(answer)).toEqual(PROTECTED)
    for (const key of keys) await isKept(bucket, key)
    expect((await deleteMany(at, bucket, keys)).elements('Key')).toEqual(keys)
  })

  test('a bucket is not deleted while it holds something', async () => {
    const answer = await at.send('DELETE', `/${bucket}`)
    expect([answer.status, answer.code]).toEqual([409, 'BucketNotEmpty'])
  })

  test('tags are no part of what is locked', async () => {
    await put(bucket, 'tagged', 'kept', LOCKS['COMPLIANCE'])
    const body = '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>'
    const headers = { 'Content-MD5': md5(body) }
    const answer = await at.send('PUT', `/${bucket}/tagged?tagging`, { headers, body })
    expect(answer.status).toBe(200)
    await isKept(bucket, 'tagged')
  })

  test('contract 9.2, 7: a retention that has ended does not end a hold, nor the checks of other keys', async () => {
    await put(bucket, 'ended', 'kept', { ...LOCKS['GOVERNANCE'], ...HOLD })
    await put(bucket, 'ended-too', 'kept', LOCKS['GOVERNANCE'])
    await put(bucket, 'still', 'kept', LOCKS['GOVERNANCE'])
    const past = '{"Mode":"GOVERNANCE","RetainUntilDate":"2020-01-01T00:00:00Z"}'
    for (const key of ['ended', 'ended-too'])
      setAttribute(at.path(bucket, key), 'object-retention', past)
    expect(outcome(await at.send('DELETE', `/${bucket}/ended`))).toEqual(PROTECTED)
    const many = await deleteMany(at, bucket, ['ended-too', 'still'])
    expect(outcome(many)).toEqual(PROTECTED)
    await isKept(bucket, 'ended-too')
    expect((await at.send('DELETE', `/${bucket}/ended-too`)).status).toBe(204)
  })

  test('a lock that cannot be read protects', async () => {
    const stored = [
      '',
      'x',
      '{"Mode":"GOVERNANCE"}',
      '{"Mode":"GOVERNANCE","RetainUntilDate":"soon"}',
    ]
    for (const [i, value] of stored.entries()) {
      await put(bucket, `unread-${i}`, 'kept')
      setAttribute(at.path(bucket, `unread-${i}`), 'object-retention', value)
      expect(outcome(await at.send('DELETE', `/${bucket}/unread-${i}`))).toEqual(PROTECTED)
    }
  })
})

describe('governance yields to who is let past it by the policy, and asks for it', () => {
  let bucket = ''
  beforeAll(async () => {
    bucket = await lockedBucket()
    await allowBypass(bucket)
  })

  test.each(Object.keys(OVERWRITING))('%s', async (door) => {
    const key = door.replaceAll(/[ ,]+/g, '-')
    await put(bucket, key, 'kept', LOCKS['GOVERNANCE'])
    const asked = await OVERWRITING[door]?.(at, bucket, key)
    expect(asked && outcome(asked)).toEqual(PROTECTED)
    const forced = await OVERWRITING[door]?.(at, bucket, key, { headers: BYPASS })
    expect(forced?.status).toBe(200)
  })

  test.each(Object.keys(DELETING))('%s', async (door) => {
    await put(bucket, door, 'kept', LOCKS['GOVERNANCE'])
    const asked = await DELETING[door]?.(at, bucket, door)
    expect(asked && outcome(asked)).toEqual(PROTECTED)
    const forced = await DELETING[door]?.(at, bucket, door, { headers: BYPASS })
    expect([200, 204]).toContain(forced?.status)
    expect((await at.send('HEAD', `/${bucket}/${door}`)).status).toBe(404)
  })

  test.each(['COMPLIANCE', 'legal hold'])('but %s yields to nobody', async (lock) => {
    const key = lock.replace(' ', '-')
    await put(bucket, key, 'kept', { ...LOCKS['GOVERNANCE'], ...LOCKS[lock] })
    for (const door of [...Object.values(OVERWRITING), ...Object.values(DELETING)])
      expect(outcome(await door(at, bucket, key, { headers: BYPASS }))).toEqual(PROTECTED)
    await isKept(bucket, key)
  })
})

describe('default retention of the bucket', () => {
  const GOVERNANCE = '<Mode>GOVERNANCE</Mode><Days>1</Days>'
  const COMPLIANCE = '<Mode>COMPLIANCE</Mode><Years>2</Years>'
  let bucket = ''
  beforeAll(async () => {
    bucket = await lockedBucket()
    await put(bucket, 'before', 'kept')
    await configure(bucket, COMPLIANCE)
  })

  const CREATING: Readonly<Record<string, Door>> = { ...OVERWRITING, PostObject: POST_OBJECT }
  test.each(Object.keys(CREATING).filter((door) => !door.endsWith('itself')))(
    'protects what %s makes, which has none of its own (9.2, 23: kept)',
    async (door) => {
      const key = `new-${door.replaceAll(/[ ,]+/g, '-')}`
      await CREATING[door]?.(at, bucket, key)
      const head = await at.send('HEAD', `/${bucket}/${key}`)
      expect(head.header('x-amz-object-lock-mode')).toBeUndefined()
      expect(outcome(await at.send('DELETE', `/${bucket}/${key}`))).toEqual(PROTECTED)
    },
  )

  test('protects a directory object', async () => {
    await put(bucket, 'directory/', '')
    expect(outcome(await at.send('DELETE', `/${bucket}/directory/`))).toEqual(PROTECTED)
  })

  test('protects what was there before, from when the bucket got it (4.7)', async () => {
    expect(outcome(await at.send('DELETE', `/${bucket}/before`))).toEqual(PROTECTED)
    expect(outcome(await at.send('PUT', `/${bucket}/before`, { body: 'x' }))).toEqual(PROTECTED)
    const stored = attributesOf(at.path(bucket))['bucket-lock'] ?? ''
    const since = stored.replace(/"CreatedAt":"\d{4}/, '"CreatedAt":"2015')
    setAttribute(at.path(bucket), 'bucket-lock', since)
    expect((await at.send('DELETE', `/${bucket}/before`)).status).toBe(204)
    setAttribute(at.path(bucket), 'bucket-lock', stored)
  })

  test('is not taken from what was there before by a retention of its own that is less', async () => {
    // As another program leaves a file, or VersityGW, which stores no default retention with it.
    writeFileSync(at.path(bucket, 'less'), 'kept')
    const shorten = (mode: string, seconds: number): Promise<RawResponse> => {
      const body = `<Retention><Mode>${mode}</Mode><RetainUntilDate>${inSeconds(seconds)}</RetainUntilDate></Retention>`
      const headers = { 'Content-MD5': md5(body), ...BYPASS }
      return at.send('PUT', `/${bucket}/less?retention`, { headers, body })
    }
    expect(outcome(await shorten('COMPLIANCE', 60))).toEqual(PROTECTED)
    expect(outcome(await shorten('GOVERNANCE', 10 * 365 * 86_400))).toEqual(PROTECTED)
    expect((await shorten('COMPLIANCE', 10 * 365 * 86_400)).status).toBe(200)
  })

  test('gives way to a retention of the object’s own, also to one that has ended', async () => {
    await put(bucket, 'own', 'kept', retention('GOVERNANCE'))
    const head = await at.send('HEAD', `/${bucket}/own`)
    expect(head.header('x-amz-object-lock-mode')).toBe('GOVERNANCE')
    const past = '{"Mode":"GOVERNANCE","RetainUntilDate":"2020-01-01T00:00:00Z"}'
    setAttribute(at.path(bucket, 'own'), 'object-retention', past)
    expect((await at.send('DELETE', `/${bucket}/own`)).status).toBe(204)
  })

  test('an upload keeps the retention it was begun with', async () => {
    const headers = retention('GOVERNANCE')
    const created = await at.send('POST', `/${bucket}/upload?uploads`, { headers })
    const uploadId = created.element('UploadId') ?? ''
    const target = `/${bucket}/upload?uploadId=${uploadId}`
    const part = await at.send('PUT', `${target}&partNumber=1`, { body: 'x' })
    const etag = part.header('ETag')
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`
    expect((await at.send('POST', target, { body })).status).toBe(200)
    const head = await at.send('HEAD', `/${bucket}/upload`)
    expect(head.header('x-amz-object-lock-mode')).toBe('GOVERNANCE')
  })

  test('of governance yields as an object’s own does', async () => {
    const lenient = await lockedBucket(GOVERNANCE)
    await allowBypass(lenient)
    expect(outcome(await at.send('DELETE', `/${lenient}/source`))).toEqual(PROTECTED)
    const forced = await at.send('DELETE', `/${lenient}/source`, { headers: BYPASS })
    expect(forced.status).toBe(204)
  })
})
