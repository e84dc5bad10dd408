import { createHash, randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { DELETING, OVERWRITING, POST_OBJECT, type Door } from '../support/lock-doors.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { setAttribute } from '../support/tree.ts'
import { idOf, useVersioning } from '../support/versioning.ts'

/** Contract 4.7 where versions are kept: what is locked may be superseded, and stays what it is. */

const at = useVersioning(0)

const inHours = (hours: number): string =>
  `${new Date(Date.now() + hours * 3_600_000).toISOString().slice(0, 19)}Z`
const retention = (mode: string): Record<string, string> => ({
  'x-amz-object-lock-mode': mode,
  'x-amz-object-lock-retain-until-date': inHours(1),
})
const BYPASS = { 'x-amz-bypass-governance-retention': 'true' }
const LOCKS: Readonly<Record<string, Record<string, string>>> = {
  GOVERNANCE: retention('GOVERNANCE'),
  COMPLIANCE: retention('COMPLIANCE'),
  'legal hold': { 'x-amz-object-lock-legal-hold': 'ON' },
}
const PROTECTED = [403, 'AccessDenied', 'Access Denied because object protected by object lock.']
const outcome = ({ status, code, message }: RawResponse): unknown[] => [status, code, message]

let bucket = ''
async function lockedBucket(): Promise<string> {
  const name = `locked-${randomBytes(6).toString('hex')}`
  const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
  expect((await at.send('PUT', `/${name}`, { headers })).status).toBe(200)
  await at.send('PUT', `/${name}/source`, { body: 'source' })
  return name
}
beforeAll(async () => {
  bucket = await lockedBucket()
})

/** A locked version; gives back its id. */
async function lock(
  key: string,
  headers: Record<string, string> = {},
  name = bucket,
): Promise<string> {
  const more = { 'x-amz-meta-kept': 'yes', ...headers }
  const answer = await at.send('PUT', `/${name}/${key}`, { headers: more, body: 'kept' })
  expect(outcome(answer)).toEqual([200, undefined, undefined])
  return idOf(answer) ?? ''
}

async function isKept(key: string, id: string, name = bucket): Promise<void> {
  const answer = await at.send('GET', `/${name}/${key}?versionId=${id}`)
  expect([answer.status, answer.text, answer.header('x-amz-meta-kept')]).toEqual([
    200,
    'kept',
    'yes',
  ])
}

const remove = (key: string, id: string, headers: Record<string, string> = {}, name = bucket) =>
  at.send('DELETE', `/${name}/${key}?versionId=${id}`, { headers })

async function removeMany(
  name: string,
  entries: readonly (readonly [string, string?])[],
  headers = {},
) {
  const objects = entries.map(([key, id]) => {
    const version = id === undefined ? '' : `<VersionId>${id}</VersionId>`
    return `<Object><Key>${key}</Key>${version}</Object>`
  })
  const body = `<Delete>${objects.join('')}</Delete>`
  const md5 = createHash('md5').update(body).digest('base64')
  return at.send('POST', `/${name}?delete`, { headers: { 'Content-MD5': md5, ...headers }, body })
}

const SUPERSEDING: Readonly<Record<string, Door>> = {
  ...OVERWRITING,
  PostObject: POST_OBJECT,
  ...DELETING,
}

describe.each(Object.keys(LOCKS))('%s', (kind) => {
  test.each(Object.keys(SUPERSEDING))('%s supersedes it, and it stays as it was', async (door) => {
    const key = `${kind}/${door}`.replaceAll(/[ ,]+/g, '-')
    const id = await lock(key, LOCKS[kind])
    const answer = await SUPERSEDING[door]?.(at, bucket, key)
    expect([200, 204]).toContain(answer?.status)
    await isKept(key, id)
    const current = await at.send('HEAD', `/${bucket}/${key}`)
    expect(current.header('x-amz-version-id')).not.toBe(id)
    // Neither as a superseded version nor, once it is the current one again, by its id.
    expect(outcome(await remove(key, id))).toEqual(PROTECTED)
    expect(outcome(await removeMany(bucket, [['source'], [key, id]]))).toEqual(PROTECTED)
    const versions = await at.send('GET', `/${bucket}?versions&prefix=${encodeURIComponent(key)}`)
    for (const other of versions
      .elements('VersionId')
      .filter((other) => other !== id && other !== ''))
      expect((await remove(key, other)).status).toBe(204)
    expect((await at.send('HEAD', `/${bucket}/${key}`)).header('x-amz-version-id')).toBe(id)
    expect(outcome(await remove(key, id))).toEqual(PROTECTED)
    expect(outcome(await remove(key, id, BYPASS))).toEqual(PROTECTED)
    await isKept(key, id)
  })

  test('of a directory object, which has no versions', async () => {
    const key = `${kind.replace(' ', '-')}-directory/`
    const put = await at.send('PUT', `/${bucket}/${key}`, { headers: LOCKS[kind] ?? {} })
    expect(put.status).toBe(200)
    expect(outcome(await at.send('DELETE', `/${bucket}/${key}`))).toEqual(PROTECTED)
    expect(outcome(await remove(key, 'null'))).toEqual(PROTECTED)
    expect(outcome(await at.send('PUT', `/${bucket}/${key}`))).toEqual(PROTECTED)
    expect(outcome(await removeMany(bucket, [[key]]))).toEqual(PROTECTED)
  })
})

test('onto itself, what is locked is copied to a version of its own', async () => {
  const id = await lock('itself', LOCKS['COMPLIANCE'])
  const headers = {
    'x-amz-copy-source': `${bucket}/itself`,
    'x-amz-metadata-directive': 'REPLACE',
    'x-amz-meta-kept': 'no',
  }
  const copied = await at.send('PUT', `/${bucket}/itself`, { headers })
  expect(copied.status).toBe(200)
  await isKept('itself', id)
  const head = await at.send('HEAD', `/${bucket}/itself`)
  expect([head.header('x-amz-meta-kept'), idOf(head)]).toEqual(['no', idOf(copied)])
})

test('a delete marker is deleted by who may; what it hid is still locked', async () => {
  const id = await lock('marked', LOCKS['GOVERNANCE'])
  const marker = await at.send('DELETE', `/${bucket}/marked`)
  expect(marker.header('x-amz-delete-marker')).toBe('true')
  expect(outcome(await remove('marked', id))).toEqual(PROTECTED)
  expect((await remove('marked', idOf(marker) ?? '')).status).toBe(204)
  await isKept('marked', id)
  expect(outcome(await remove('marked', id))).toEqual(PROTECTED)
})

test('a lock is put on one version and holds for that one', async () => {
  const first = await lock('one')
  const second = await lock('one')
  const third = await lock('one')
  const body = '<LegalHold><Status>ON</Status></LegalHold>'
  const headers = { 'Content-MD5': createHash('md5').update(body).digest('base64') }
  const held = await at.send('PUT', `/${bucket}/one?legal-hold&versionId=${second}`, {
    headers,
    body,
  })
  expect(held.status).toBe(200)
  expect(outcome(await remove('one', second))).toEqual(PROTECTED)
  expect((await remove('one', first)).status).toBe(204)
  expect((await remove('one', third)).status).toBe(204)
  await isKept('one', second)
})

test('governance yields to who is let past it by the policy, version by version', async () => {
  const name = await lockedBucket()
  const statement = {
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:BypassGovernanceRetention',
    Resource: `arn:aws:s3:::${name}/*`,
  }
  await at.send('PUT', `/${name}?policy`, { body: JSON.stringify({ Statement: [statement] }) })
  for (const many of [false, true]) {
    const governed = await lock('k', LOCKS['GOVERNANCE'], name)
    const strict = await lock('k', LOCKS['COMPLIANCE'], name)
    await lock('k', {}, name)
    expect(outcome(await remove('k', governed, {}, name))).toEqual(PROTECTED)
    expect(outcome(await remove('k', strict, BYPASS, name))).toEqual(PROTECTED)
    const gone = many
      ? await removeMany(name, [['k', governed]], BYPASS)
      : await remove('k', governed, BYPASS, name)
    expect([200, 204]).toContain(gone.status)
    expect((await at.send('GET', `/${name}/k?versionId=${governed}`)).code).toBe('NoSuchVersion')
    await isKept('k', strict, name)
  }
})

test('default retention protects each version, which has none of its own', async () => {
  const name = await lockedBucket()
  const rule =
    '<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule>'
  const body = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${rule}</ObjectLockConfiguration>`
  const headers = { 'Content-MD5': createHash('md5').update(body).digest('base64') }
  expect((await at.send('PUT', `/${name}?object-lock`, { headers, body })).status).toBe(200)
  const ids = [await lock('k', {}, name), await lock('k', {}, name)]
  for (const id of ids) {
    const head = await at.send('HEAD', `/${name}/k?versionId=${id}`)
    expect(head.header('x-amz-object-lock-mode')).toBeUndefined()
    expect(outcome(await remove('k', id, {}, name))).toEqual(PROTECTED)
  }
})

test('versioning is not suspended where objects can be locked', async () => {
  const answer = await at.setVersioning(bucket, 'Suspended')
  expect([answer.status, answer.code]).toEqual([400, 'InvalidBucketState'])
})

/** As after two requests that did not see each other, or by another program. */
test('where it is suspended all the same, nothing locked is overwritten', async () => {
  const name = await lockedBucket()
  const path = at.path(name)
  // A null version, then one that supersedes it.
  setAttribute(path, 'versioning', Buffer.from([0]))
  await at.send('PUT', `/${name}/k`, {
    headers: { 'x-amz-meta-kept': 'yes', ...LOCKS['COMPLIANCE'] },
    body: 'kept',
  })
  await at.send('PUT', `/${name}/current`, {
    headers: { 'x-amz-meta-kept': 'yes', ...LOCKS['COMPLIANCE'] },
    body: 'kept',
  })
  setAttribute(path, 'versioning', Buffer.from([1]))
  await at.send('PUT', `/${name}/k`, { body: 'newer' })
  setAttribute(path, 'versioning', Buffer.from([0]))
  for (const key of ['k', 'current']) {
    for (const [called, door] of Object.entries({ ...OVERWRITING, ...DELETING })) {
      // What supersedes the locked one is not locked itself.
      if (key === 'k' && called.endsWith('itself')) continue
      const answer = await door(at, name, key)
      // Of DeleteObjects each key has an answer of its own.
      expect(answer.element('Code')).toBe('AccessDenied')
    }
    await isKept(key, 'null', name)
  }
})

test('of a lock on a version and its delete at once not both succeed', async () => {
  const body = '<LegalHold><Status>ON</Status></LegalHold>'
  const headers = { 'Content-MD5': createHash('md5').update(body).digest('base64') }
  for (let round = 0; round < 30; round++) {
    const key = `race-${round}`
    const old = await lock(key)
    const current = await lock(key)
    const id = round % 2 === 0 ? old : current
    const [held, gone] = await Promise.all([
      at.send('PUT', `/${bucket}/${key}?legal-hold&versionId=${id}`, { headers, body }),
      remove(key, id),
    ])
    const isThere = (await at.send('HEAD', `/${bucket}/${key}?versionId=${id}`)).status === 200
    expect([held.status === 200, gone.status === 204]).toEqual([isThere, !isThere])
  }
})

test('a bucket goes only when no version is left', async () => {
  const name = await lockedBucket()
  await remove(
    'source',
    (await at.send('HEAD', `/${name}/source`)).header('x-amz-version-id') ?? '',
    {},
    name,
  )
  const id = await lock('k', LOCKS['COMPLIANCE'], name)
  await at.send('DELETE', `/${name}/k`)
  expect((await at.send('DELETE', `/${name}`)).code).toBe('BucketNotEmpty')
  await isKept('k', id, name)
})
