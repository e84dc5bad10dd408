import { describe, expect, test } from 'vitest'
import { requestOf } from '../../test/support/requests.ts'
import { codeOf } from '../../test/support/s3-errors.ts'
import type { Backend } from '../backend/backend.ts'
import { Recorder } from '../trace/recorder.ts'
import { bucketOwner, checkExpectedOwner, expectsOwner } from './bucket-owner.ts'

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

describe('contract 4.1: x-amz-expected-bucket-owner', () => {
  const asking = (expected: string) =>
    requestOf({
      target: '/b',
      headers: {
        'x-amz-expected-bucket-owner': expected,
        'x-amz-source-expected-bucket-owner': 'source',
      },
    })
  test('is the owner', () => {
    expect(codeOf(() => checkExpectedOwner(asking('alice'), 'alice'))).toBe('none')
    expect(codeOf(() => checkExpectedOwner(asking('alice'), 'source', 'source'))).toBe('none')
  })
  test.each(['bob', 'Alice', ''])('of alice is not %j', (expected) => {
    expect(codeOf(() => checkExpectedOwner(asking(expected), 'alice'))).toBe('AccessDenied')
    expect(codeOf(() => checkExpectedOwner(asking(expected), 'alice', 'source'))).toBe(
      'AccessDenied',
    )
  })
  test('is looked for where there is a bucket', () => {
    const headers = { 'x-amz-expected-bucket-owner': 'a' }
    expect(expectsOwner(requestOf({ target: '/b', headers }))).toBe(true)
    expect(expectsOwner(requestOf({ target: '/', headers }))).toBe(false)
    expect(expectsOwner(requestOf({ target: '/b' }))).toBe(false)
  })
})
