import { expect, test } from 'vitest'
import { isPublicPolicy } from './public.ts'
import { readPolicy } from './stored-policies.ts'

const cases: readonly (readonly [name: string, changes: object, isPublic: boolean])[] = [
  ['Allow to everybody', {}, true],
  ['Allow to everybody, as AWS', { Principal: { AWS: ['*'] } }, true],
  ['Allow to an account', { Principal: 'alice' }, false],
  ['Deny to everybody', { Effect: 'Deny' }, false],
  [
    'a condition on the caller',
    { Condition: { StringEquals: { 'aws:username': 'alice' } } },
    false,
  ],
  ['a caller with a wildcard', { Condition: { StringLike: { 'aws:username': 'a*' } } }, true],
  ['everyone but a caller', { Condition: { StringNotEquals: { 'aws:username': 'alice' } } }, true],
  [
    'a caller, where there is one',
    { Condition: { StringEqualsIfExists: { 'aws:username': 'alice' } } },
    true,
  ],
  [
    'all of no callers',
    { Condition: { 'ForAllValues:StringEquals': { 'aws:username': 'alice' } } },
    true,
  ],
  [
    'a range',
    { Condition: { IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '2001:db8::/32'] } } },
    false,
  ],
  [
    'a range as good as the Internet',
    { Condition: { IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '0.0.0.0/1'] } } },
    true,
  ],
  [
    'everywhere but a range',
    { Condition: { NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } },
    true,
  ],
  [
    'a condition on something else',
    { Condition: { Bool: { 'aws:SecureTransport': 'true' } } },
    true,
  ],
  ['a condition of nothing', { Condition: { IpAddress: {} } }, true],
  ['a condition with an operator nobody knows', { Condition: { Foo: { 'aws:x': 'a' } } }, false],
  ['no action', { Action: undefined }, false],
]

test.each(cases)('%s', (_, changes, isPublic) => {
  const statement = {
    Effect: 'Allow',
    Principal: '*',
    Action: 's3:GetObject',
    Resource: 'arn:aws:s3:::b/*',
    ...changes,
  }
  const policy = readPolicy(Buffer.from(JSON.stringify({ Statement: [statement] })))
  expect(isPublicPolicy(policy)).toBe(isPublic)
})
