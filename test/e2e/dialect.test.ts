import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { formBody, formType } from '../support/post-form.ts'

/** What `--dialect aws` and `--default-object-ownership` change (docs/compat.md); without them the contract's answers are given. */
const versions = mkdtempSync(join(tmpdir(), 'dialect-versions-'))
const at = useGateway({
  flags: ['--dialect', 'aws', '--default-object-ownership', 'BucketOwnerPreferred'],
  posixFlags: ['--versioning-dir', versions],
})
afterAll(() => rmSync(versions, { recursive: true, force: true }))
let bucket = ''

beforeAll(async () => {
  bucket = await at.bucket()
  await at.send('PUT', `/${bucket}/d/k`)
  await at.send('PUT', `/${bucket}/k`)
})

describe('--dialect aws', () => {
  test('listings tell what they were not asked for', async () => {
    const list = await at.send('GET', `/${bucket}`)
    expect(list.text).toContain('<Prefix></Prefix><Marker></Marker>')
    const second = await at.send('GET', `/${bucket}?list-type=2&delimiter=%2F`)
    expect(second.text).toContain('<Prefix></Prefix>')
    expect(second.element('KeyCount')).toBe('2')
  })

  test('the default retention of a bucket is given to what is written', async () => {
    const locked = '/dialect-locked'
    const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
    expect((await at.send('PUT', locked, { headers })).status).toBe(200)
    const rule =
      '<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>2</Years></DefaultRetention></Rule>'
    const body = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`
    const configured = await at.send('PUT', `${locked}?object-lock`, {
      body,
      headers: { 'Content-MD5': createHash('md5').update(body).digest('base64') },
    })
    expect(configured.status).toBe(200)
    await at.send('PUT', `${locked}/k`, { body: 'kept' })
    const head = await at.send('HEAD', `${locked}/k`)
    expect(head.header('x-amz-object-lock-mode')).toBe('COMPLIANCE')
    const twoYears = new Date()
    twoYears.setUTCFullYear(twoYears.getUTCFullYear() + 2)
    const until = Date.parse(head.header('x-amz-object-lock-retain-until-date') ?? '')
    expect(Math.abs(until - twoYears.getTime())).toBeLessThan(60_000)
  })

  test('GetObjectAttributes tells a time that clients can read', async () => {
    const attributes = await at.send('GET', `/${bucket}/k?attributes`, {
      headers: { 'x-amz-object-attributes': 'ETag' },
    })
    const head = await at.send('HEAD', `/${bucket}/k`)
    expect(attributes.status).toBe(200)
    expect(attributes.header('last-modified')).toBe(head.header('last-modified'))
  })

  test('GetObjectRetention answers with a Retention, which is all that mc reads', async () => {
    const locked = '/with-retention'
    const enabled = { 'x-amz-bucket-object-lock-enabled': 'true' }
    expect((await at.send('PUT', locked, { headers: enabled })).status).toBe(200)
    const headers = {
      'x-amz-object-lock-mode': 'GOVERNANCE',
      'x-amz-object-lock-retain-until-date': '2099-01-02T03:04:05Z',
    }
    expect((await at.send('PUT', `${locked}/k`, { headers, body: 'x' })).status).toBe(200)
    const { status, text } = await at.send('GET', `${locked}/k?retention`)
    expect([status, text.slice(text.indexOf('<', 1))]).toEqual([
      200,
      '<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2099-01-02T03:04:05Z</RetainUntilDate></Retention>',
    ])
  })

  test.each(['a..b', 'a.-b', 'a-.b'])('%s is no name for a new bucket', async (name) => {
    const made = await at.send('PUT', `/${name}`)
    expect([made.status, made.code]).toEqual([400, 'InvalidBucketName'])
  })

  test('whoever makes his own bucket again has it, with what is in it', async () => {
    await at.send('PUT', '/own-bucket')
    await at.send('PUT', '/own-bucket/k')
    expect((await at.send('PUT', '/own-bucket')).status).toBe(200)
    expect((await at.send('HEAD', '/own-bucket/k')).status).toBe(200)
  })
})

describe('--dialect aws, forms and encryption', () => {
  const post = (fields: [string, string][]) =>
    at.send('POST', `/${bucket}`, {
      sign: false,
      headers: { 'Content-Type': formType() },
      body: formBody({ fields: [['key', 'posted'], ...fields] }, bucket, at.credentials),
    })

  test('the answer to a form is as S3 has it', async () => {
    const made = await post([['success_action_status', '201']])
    expect(made.text).toContain('<PostResponse><Location>')
    const redirected = await post([['success_action_redirect', 'http://h.example/?z=1']])
    expect(redirected.header('location')).toMatch(
      /^http:\/\/h\.example\/\?z=1&bucket=[^&]+&key=posted&etag=%22[0-9a-f]{32}%22$/,
    )
  })

  test('the key is given the file’s name, and the policy is held against that', async () => {
    const form = (filename: string) =>
      at.send('POST', `/${bucket}`, {
        sign: false,
        headers: { 'Content-Type': formType() },
        body: formBody(
          {
            fields: [['key', 'up/${filename}']],
            filename,
            policy: { conditions: [{ bucket }, ['starts-with', '$key', 'up/a']] },
          },
          bucket,
          at.credentials,
        ),
      })
    expect((await form('a.txt')).status).toBe(204)
    expect((await form('../../a b')).status).toBe(204)
    expect((await form('..')).status).toBe(400)
    expect((await form('b.txt')).status).toBe(403)
    const { elements } = await at.send('GET', `/${bucket}?prefix=up/`)
    expect(elements('Key')).toEqual(['up/a b', 'up/a.txt'])
  })

  test('encryption that nobody could follow is refused', async () => {
    const put = await at.send('PUT', `/${bucket}/e`, {
      headers: { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' },
    })
    expect([put.status, put.code]).toEqual([400, 'InvalidArgument'])
  })
})

describe('--dialect aws, where objects are locked', () => {
  const locked = '/dialect-locked'
  const governed = (key: string, headers: Record<string, string> = {}) =>
    at.send('PUT', `${locked}/${key}`, {
      body: 'x',
      headers: {
        'x-amz-object-lock-mode': 'GOVERNANCE',
        'x-amz-object-lock-retain-until-date': '2099-01-01T00:00:00Z',
        ...headers,
      },
    })
  const bypass = { headers: { 'x-amz-bypass-governance-retention': 'true' } }
  beforeAll(async () => {
    await at.send('PUT', locked, { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } })
  })

  test('root and the owner go past governance where they say so, and nobody past compliance', async () => {
    const version = (await governed('g')).header('x-amz-version-id')
    const target = `${locked}/g?versionId=${version}`
    expect((await at.send('DELETE', target)).status).toBe(403)
    expect((await at.send('DELETE', target, bypass)).status).toBe(204)
    const fixed = await governed('c', { 'x-amz-object-lock-mode': 'COMPLIANCE' })
    const id = fixed.header('x-amz-version-id')
    expect((await at.send('DELETE', `${locked}/c?versionId=${id}`, bypass)).status).toBe(403)
  })

  test('versioning that cannot be suspended is a conflict; HEAD tells of a delete marker', async () => {
    const body = '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>'
    const refused = await at.send('PUT', `${locked}?versioning`, { body })
    expect([refused.status, refused.code]).toEqual([409, 'InvalidBucketState'])
    await governed('m')
    await at.send('DELETE', `${locked}/m`)
    const head = await at.send('HEAD', `${locked}/m`)
    expect([head.status, head.header('x-amz-delete-marker')]).toEqual([404, 'true'])
  })
})

describe('--default-object-ownership', () => {
  test('a bucket whose maker says nothing of it has ACLs', async () => {
    const headers = { 'x-amz-acl': 'public-read' }
    expect((await at.send('PUT', '/with-acl', { headers })).status).toBe(200)
    const owner = await at.send('GET', '/with-acl?ownershipControls')
    expect(owner.element('ObjectOwnership')).toBe('BucketOwnerPreferred')
    expect((await at.send('GET', '/with-acl', { sign: false })).status).toBe(200)
  })

  test('whoever says otherwise gets it', async () => {
    const headers = { 'x-amz-object-ownership': 'BucketOwnerEnforced' }
    expect((await at.send('PUT', '/without-acl', { headers })).status).toBe(200)
    const put = await at.send('PUT', '/without-acl?acl', {
      headers: { 'x-amz-acl': 'public-read' },
    })
    expect(put.code).toBe('AccessControlListNotSupported')
  })
})
