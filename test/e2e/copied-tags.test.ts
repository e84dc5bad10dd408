import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { OWN, answerOf, hangPolicy, makeBucket, statement } from '../support/access-buckets.ts'
import { sendAs, writeAccounts, type Caller } from '../support/access-matrix.ts'
import { useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'
import { setAttribute } from '../support/tree.ts'

const iamDir = mkdtempSync(join(scratch(), 'vgw-copied-tags-iam-'))
writeAccounts(iamDir)
afterAll(() => rmSync(iamDir, { recursive: true, force: true }))

const at = useGateway({ flags: ['--iam-dir', iamDir], posixFlags: ['--durability', 'none'] })
const as = async (
  caller: Caller,
  method: string,
  target: string,
  headers: Record<string, string> = {},
): Promise<string> => answerOf(await sendAs(at, caller, method, target, { headers }))
const copy = (source: string, more: Record<string, string> = {}) => ({
  'x-amz-copy-source': source,
  ...more,
})

test('threat A16: tags of the source come along only by the rights to read and to set them', async () => {
  const to = (actions: readonly string[]) =>
    hangPolicy(at, 'tags-to', [statement('Allow', actions, 'tags-to/*')])
  const from = (actions: readonly string[]) =>
    hangPolicy(at, 'tags-from', [statement('Allow', actions, 'tags-from/*')])
  makeBucket(at, 'tags-from')
  makeBucket(at, 'tags-to')
  const attempt = (more: Record<string, string> = {}, source = 'key') =>
    as('usr', 'PUT', '/tags-to/new', copy(`tags-from/${source}`, more))
  from(['GetObject'])
  to(['PutObject'])
  expect(await attempt()).toBe('200')
  writeFileSync(at.path('tags-from', 'tagged'), 'content')
  setAttribute(at.path('tags-from', 'tagged'), 'X-Amz-Tagging', '{"class":"secret"}')
  expect(await attempt({}, 'tagged')).toBe('403 AccessDenied')
  expect(await attempt({ 'x-amz-tagging-directive': 'REPLACE' }, 'tagged')).toBe('200')
  from(['GetObject', 'GetObjectTagging'])
  expect(await attempt({}, 'tagged')).toBe('403 AccessDenied')
  to(['PutObject', 'PutObjectTagging'])
  expect(await attempt({}, 'tagged')).toBe('200')
  from(['GetObject'])
  expect(await attempt({}, 'tagged')).toBe('403 AccessDenied')
  expect(await as('own', 'PUT', '/tags-to/new', copy('tags-to/key'))).toBe('403 AccessDenied')
})

test('onto itself a tagged object is copied without the rights to tags, which stay', async () => {
  makeBucket(at, 'tags-stay', {
    policy: [statement('Allow', ['GetObject', 'PutObject'], 'tags-stay/*')],
  })
  setAttribute(at.path('tags-stay', 'key'), 'X-Amz-Tagging', '{"class":"a"}')
  const itself = copy('tags-stay/key', { 'x-amz-metadata-directive': 'REPLACE' })
  expect(await as('usr', 'PUT', '/tags-stay/key', itself)).toBe('200')
  const tags = await sendAs(at, 'root', 'GET', '/tags-stay/key?tagging')
  expect(tags.elements('Value')).toEqual(['a'])
})

test('grants of an ACL bring the tags along', async () => {
  const grantees = ['READ', 'WRITE'].map((Permission) => ({
    ...OWN,
    Permission,
    Access: 'usr',
  }))
  makeBucket(at, 'tags-acl', { grantees })
  setAttribute(at.path('tags-acl', 'key'), 'X-Amz-Tagging', '{"class":"a"}')
  expect(await as('usr', 'PUT', '/tags-acl/new', copy('tags-acl/key'))).toBe('200')
  const tags = await sendAs(at, 'root', 'GET', '/tags-acl/new?tagging')
  expect(tags.elements('Value')).toEqual(['a'])
})
