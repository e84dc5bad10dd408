import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { accountDirectory, admin, createAccount } from '../support/admin.ts'
import { md5Base64 } from '../support/checksums.ts'
import { useGateway, type Fixture, type RawRequest } from '../support/fixture.ts'
import { deleteMany } from '../support/lock-doors.ts'
import type { RawResponse } from '../support/raw-http.ts'
import type { Credentials } from '../support/sigv4.ts'

/** Who is let past GOVERNANCE (contract 4.7, threats A16 and A18). */

const BYPASS = { 'x-amz-bypass-governance-retention': 'true' }
const GOVERNANCE = {
  'x-amz-object-lock-mode': 'GOVERNANCE',
  'x-amz-object-lock-retain-until-date': `${new Date().getUTCFullYear() + 1}-01-01T00:00:00Z`,
}
const PROTECTED = [403, 'AccessDenied', 'Access Denied because object protected by object lock.']
const outcome = ({ status, code, message }: RawResponse): unknown[] => [status, code, message]
const accountOf = (access: string): Credentials => ({ access, secret: `secret of ${access}` })
const [OWNER, OTHER] = [accountOf('owner'), accountOf('other')]

async function lockedBucket(at: Fixture, credentials: Credentials): Promise<string> {
  const bucket = `locked-${randomBytes(6).toString('hex')}`
  const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
  const made = await at.send('PUT', `/${bucket}`, { headers, credentials })
  expect(outcome(made)).toEqual([200, undefined, undefined])
  return bucket
}

async function govern(at: Fixture, target: string, credentials: Credentials): Promise<void> {
  const put = await at.send('PUT', target, { headers: GOVERNANCE, body: 'kept', credentials })
  expect(outcome(put)).toEqual([200, undefined, undefined])
}

/** S3's way to take a retention away: a document that says nothing. */
const takeAway = (
  at: Fixture,
  target: string,
  { forced = false, credentials = at.credentials } = {},
): Promise<RawResponse> => {
  const body = '<Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></Retention>'
  const headers = { ...(forced && BYPASS), 'Content-MD5': md5Base64(body) }
  return at.send('PUT', `${target}?retention`, { headers, body, credentials })
}

function useAccounts(flags: readonly string[] = []): Fixture {
  const dir = accountDirectory()
  const at = useGateway(() => ({
    flags: ['--iam-dir', dir, ...flags],
    posixFlags: ['--durability', 'none'],
  }))
  beforeAll(async () => {
    for (const account of [OWNER, OTHER]) await createAccount(at, { ...account, role: 'userplus' })
  })
  return at
}

describe('whom the policy names, and nobody else', () => {
  const at = useAccounts()
  const asked = (credentials: Credentials): RawRequest => ({ headers: BYPASS, credentials })

  test('not root, not the owner, not who may do the rest', async () => {
    const bucket = await lockedBucket(at, OWNER)
    const statement = (who: string, actions: string[]): unknown => ({
      Effect: 'Allow',
      Principal: who,
      Action: actions,
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    })
    await govern(at, `/${bucket}/k`, OWNER)
    // Without a policy nobody.
    for (const credentials of [at.credentials, OWNER])
      expect(outcome(await at.send('DELETE', `/${bucket}/k`, asked(credentials)))).toEqual(
        PROTECTED,
      )
    const rest = ['s3:PutObject', 's3:DeleteObject', 's3:PutObjectRetention', 's3:ListBucket']
    const policy = {
      Statement: [
        statement('owner', rest),
        statement('other', [...rest, 's3:BypassGovernanceRetention']),
      ],
    }
    const body = JSON.stringify(policy)
    const set = await at.send('PUT', `/${bucket}?policy`, { body, credentials: at.credentials })
    expect(set.status).toBe(204)
    for (const credentials of [at.credentials, OWNER]) {
      const doors = [
        await at.send('DELETE', `/${bucket}/k`, asked(credentials)),
        await at.send('PUT', `/${bucket}/k`, { ...asked(credentials), body: 'other' }),
        await deleteMany(at, bucket, ['k'], asked(credentials)),
      ]
      for (const answer of doors) expect(answer.status).toBe(403)
    }
    expect((await at.send('GET', `/${bucket}/k`)).text).toBe('kept')
    // And only where it is asked for.
    expect(outcome(await at.send('DELETE', `/${bucket}/k`, { credentials: OTHER }))).toEqual(
      PROTECTED,
    )
    expect((await at.send('DELETE', `/${bucket}/k`, asked(OTHER))).status).toBe(204)
  })

  test('an empty retention takes nothing away, as in VersityGW', async () => {
    const bucket = await lockedBucket(at, OWNER)
    await govern(at, `/${bucket}/k`, OWNER)
    const message = 'The retain until date must be in the future!'
    const answer = await takeAway(at, `/${bucket}/k`, { forced: true })
    expect(outcome(answer)).toEqual([400, 'InvalidArgument', message])
    expect((await at.send('GET', `/${bucket}/k?retention`)).element('Mode')).toBe('GOVERNANCE')
  })

  test('not whom an admin makes the owner', async () => {
    const bucket = await lockedBucket(at, OWNER)
    await govern(at, `/${bucket}/k`, OWNER)
    const changed = await admin(at, `/change-bucket-owner/?bucket=${bucket}&owner=${OTHER.access}`)
    expect(changed.status).toBe(200)
    expect(outcome(await at.send('DELETE', `/${bucket}/k`, asked(OTHER)))).toEqual(PROTECTED)
  })

  test('a deny stops whom another statement names', async () => {
    const bucket = await lockedBucket(at, OWNER)
    await govern(at, `/${bucket}/k`, OWNER)
    const of = (Effect: string, Resource: string): unknown => ({
      Effect,
      Principal: '*',
      Action: 's3:BypassGovernanceRetention',
      Resource,
    })
    const Statement = [
      of('Allow', `arn:aws:s3:::${bucket}/*`),
      of('Deny', `arn:aws:s3:::${bucket}/k`),
    ]
    await at.send('PUT', `/${bucket}?policy`, { body: JSON.stringify({ Statement }) })
    const answer = await at.send('DELETE', `/${bucket}/k`, { headers: BYPASS })
    expect(outcome(answer)).toEqual(PROTECTED)
  })
})

describe('--dialect aws', () => {
  const at = useAccounts(['--dialect', 'aws'])

  test('who has the right needs no policy: root and the owner', async () => {
    const bucket = await lockedBucket(at, OWNER)
    for (const credentials of [at.credentials, OWNER]) {
      await govern(at, `/${bucket}/k`, OWNER)
      const asked = await at.send('DELETE', `/${bucket}/k`, { credentials })
      expect(outcome(asked)).toEqual(PROTECTED)
      const other = await at.send('DELETE', `/${bucket}/k`, { headers: BYPASS, credentials: OTHER })
      expect(other.status).toBe(403)
      const gone = await at.send('DELETE', `/${bucket}/k`, { headers: BYPASS, credentials })
      expect(gone.status).toBe(204)
    }
  })

  test('COMPLIANCE and holds yield to nobody there either', async () => {
    const bucket = await lockedBucket(at, OWNER)
    const strict = { ...GOVERNANCE, 'x-amz-object-lock-mode': 'COMPLIANCE' }
    const held = { ...GOVERNANCE, 'x-amz-object-lock-legal-hold': 'ON' }
    for (const headers of [strict, held]) {
      await at.send('PUT', `/${bucket}/${headers['x-amz-object-lock-mode']}`, {
        headers,
        body: 'x',
      })
      const target = `/${bucket}/${headers['x-amz-object-lock-mode']}`
      expect(outcome(await at.send('DELETE', target, { headers: BYPASS }))).toEqual(PROTECTED)
    }
  })

  test('GOVERNANCE becomes COMPLIANCE for who is let past it', async () => {
    const bucket = await lockedBucket(at, OWNER)
    await govern(at, `/${bucket}/k`, OWNER)
    const until = GOVERNANCE['x-amz-object-lock-retain-until-date']
    const body = `<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`
    const headers = { 'Content-MD5': md5Base64(body) }
    const target = `/${bucket}/k?retention`
    const asked = await at.send('PUT', target, { headers, body, credentials: OWNER })
    expect(outcome(asked)).toEqual(PROTECTED)
    const forced = { headers: { ...headers, ...BYPASS }, body, credentials: OWNER }
    expect((await at.send('PUT', target, forced)).status).toBe(200)
  })

  test('an empty retention takes GOVERNANCE away, and nothing else', async () => {
    const bucket = await lockedBucket(at, OWNER)
    const target = `/${bucket}/k`
    await govern(at, target, OWNER)
    expect(outcome(await takeAway(at, target, { credentials: OWNER }))).toEqual(PROTECTED)
    const asked = { forced: true, credentials: OWNER }
    expect((await takeAway(at, target, { ...asked, credentials: OTHER })).status).toBe(403)
    expect((await takeAway(at, target, asked)).status).toBe(200)
    const told = await at.send('GET', `${target}?retention`)
    expect(told.code).toBe('NoSuchObjectLockConfiguration')
    // What is gone can be taken away again, and the object is like any other.
    expect((await takeAway(at, target, { credentials: OWNER })).status).toBe(200)
    expect((await at.send('DELETE', target, { credentials: OWNER })).status).toBe(204)
    const strict = { ...GOVERNANCE, 'x-amz-object-lock-mode': 'COMPLIANCE' }
    await at.send('PUT', target, { headers: strict, body: 'x' })
    expect(outcome(await takeAway(at, target, asked))).toEqual(PROTECTED)
    const half = '<Retention><Mode>GOVERNANCE</Mode></Retention>'
    const headers = { ...BYPASS, 'Content-MD5': md5Base64(half) }
    expect((await at.send('PUT', `${target}?retention`, { headers, body: half })).status).toBe(400)
  })

  test('an empty retention leaves a bucket’s own in force', async () => {
    const bucket = await lockedBucket(at, OWNER)
    await at.send('PUT', `/${bucket}/k`, { body: 'x' })
    const rule =
      '<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>'
    const body = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`
    const headers = { 'Content-MD5': md5Base64(body) }
    expect((await at.send('PUT', `/${bucket}?object-lock`, { headers, body })).status).toBe(200)
    expect(outcome(await takeAway(at, `/${bucket}/k`))).toEqual(PROTECTED)
    expect((await takeAway(at, `/${bucket}/k`, { forced: true })).status).toBe(200)
    expect(outcome(await at.send('DELETE', `/${bucket}/k`))).toEqual(PROTECTED)
  })

  test('DeleteObjects tells of each key by itself', async () => {
    const bucket = await lockedBucket(at, OWNER)
    await govern(at, `/${bucket}/locked`, OWNER)
    await at.send('PUT', `/${bucket}/free`, { body: 'x' })
    const answer = await deleteMany(at, bucket, ['locked', 'free'])
    expect([answer.status, answer.elements('Key'), answer.element('Code')]).toEqual([
      200,
      ['free', 'locked'],
      'AccessDenied',
    ])
  })
})
