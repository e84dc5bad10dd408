import { describe, expect, test } from 'vitest'
import { requestOf } from '../../test/support/requests.ts'
import type { Backend } from '../backend/backend.ts'
import { Recorder } from '../trace/recorder.ts'
import { bucketOwner, checkExpectedOwner, expectsOwner } from './bucket-owner.ts'
import type { OperationContext } from './operation.ts'

const call = { span: new Recorder(false, undefined).root, signal: new AbortController().signal }

/** A backend whose buckets all have this ACL. */
function storing(acl: string | undefined): Backend {
  const bytes = acl === undefined ? undefined : Buffer.from(acl)
  return { getBucketSubresource: () => Promise.resolve(bytes) } as Partial<Backend> as Backend
}

test.each([
  ['{"Owner":"alice","Grantees":[]}', 'alice'],
  [undefined, ''],
  ['', ''],
  ['null', ''],
  ['{"Owner":7}', ''],
  ['{', ''],
])('contract 2.2: the owner in %s is %j', async (acl, owner) => {
  expect(await bucketOwner('b', storing(acl), call)).toBe(owner)
})

function context(acl: string | undefined, expected: string): OperationContext {
  const request = requestOf({ target: '/b', headers: { 'x-amz-expected-bucket-owner': expected } })
  const caller = { accessKey: 'root', role: 'admin', isRoot: true }
  return {
    request,
    caller,
    backend: storing(acl),
    call,
  } as Partial<OperationContext> as OperationContext
}

describe('contract 4.1: x-amz-expected-bucket-owner', () => {
  test('is the owner, or root where nobody is', async () => {
    await expect(checkExpectedOwner(context('{"Owner":"alice"}', 'alice'))).resolves.toBeUndefined()
    await expect(checkExpectedOwner(context(undefined, 'root'))).resolves.toBeUndefined()
  })
  test.each([
    ['{"Owner":"alice"}', 'bob'],
    [undefined, 'bob'],
    [undefined, ''],
  ])('of %s is not %j', async (acl, expected) => {
    await expect(checkExpectedOwner(context(acl, expected))).rejects.toThrow('Access Denied.')
  })
  test('is looked for where there is a bucket', () => {
    const headers = { 'x-amz-expected-bucket-owner': 'a' }
    expect(expectsOwner(requestOf({ target: '/b', headers }))).toBe(true)
    expect(expectsOwner(requestOf({ target: '/', headers }))).toBe(false)
    expect(expectsOwner(requestOf({ target: '/b' }))).toBe(false)
  })
})
