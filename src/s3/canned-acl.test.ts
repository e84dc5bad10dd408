import { expect, test } from 'vitest'
import { requestOf } from '../../test/support/requests.ts'
import { cannedAcl, renderAcl } from './canned-acl.ts'

const ask = (headers: Record<string, string>) => cannedAcl(requestOf({ method: 'PUT', headers }))

test.each([
  [{}, undefined],
  [{ 'x-amz-acl': '' }, undefined],
  [{ 'x-amz-acl': 'private' }, 'private'],
  [{ 'x-amz-acl': 'public-read' }, 'public-read'],
  [{ 'x-amz-acl': 'public-read-write' }, 'public-read-write'],
])('%o means %s', (headers, expected) => {
  expect(ask(headers)).toBe(expected)
})

test.each(['authenticated-read', 'Private', 'toString'])(
  '%s is InvalidArgument without words',
  (acl) => {
    expect(() => ask({ 'x-amz-acl': acl })).toThrow(
      expect.objectContaining({
        code: 'InvalidArgument',
        message: '',
        details: { ArgumentName: 'x-amz-acl', ArgumentValue: acl },
      }),
    )
  },
)

test('grants and a canned ACL exclude each other', () => {
  expect(() => ask({ 'x-amz-acl': 'private', 'x-amz-grant-read': 'bob' })).toThrow(
    'Specifying both Canned ACLs and Header Grants is not allowed.',
  )
  expect(() => ask({ 'x-amz-grant-read': 'bob' })).toThrow(
    expect.objectContaining({ code: 'NotImplemented' }),
  )
})

test('an ACL is stored byte for byte as VersityGW stores it', () => {
  expect(renderAcl('compatroot', 'public-read')).toBe(
    '{"Owner":"compatroot","Grantees":[{"Permission":"FULL_CONTROL","Access":"compatroot","Type":"CanonicalUser"},{"Permission":"READ","Access":"all-users","Type":"Group"}]}',
  )
})
