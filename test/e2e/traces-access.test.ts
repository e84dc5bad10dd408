import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OWN, PUBLIC, makeBucket, statement } from '../support/access-buckets.ts'
import { sendAs, writeAccounts, type Caller } from '../support/access-matrix.ts'
import { scratch } from '../support/gateway.ts'
import { foldedTree, misplaced, spanNamed } from '../support/span-tree.ts'
import { useTracedGateway } from '../support/traced.ts'

const iamDir = mkdtempSync(join(scratch(), 'vgw-traces-iam-'))
writeAccounts(iamDir)
afterAll(() => rmSync(iamDir, { recursive: true, force: true }))

const at = useTracedGateway({
  flags: ['--iam-dir', iamDir],
  posixFlags: ['--durability', 'none'],
})

const ask = async (
  caller: Caller,
  method: string,
  target: string,
  headers: Record<string, string> = {},
) => {
  const answer = await sendAs(at, caller, method, target, { headers })
  const spans = await at.trace(answer)
  expect(misplaced(spans)).toEqual([])
  return spans
}

const decision = async (...request: Parameters<typeof ask>) => {
  const attributes = spanNamed(await ask(...request), 'Auth.Access').attributes.toObject()
  const { duration_ms: duration, ...rest } = attributes
  expect(duration).toEqual(expect.any(Number))
  return Object.fromEntries(Object.entries(rest).map(([key, v]) => [key.replace('auth.', ''), v]))
}

beforeAll(() => {
  makeBucket(at, 'acl', { grantees: [{ ...OWN, Access: 'usr', Permission: 'READ' }] })
  makeBucket(at, 'public', { grantees: PUBLIC })
  makeBucket(at, 'policy', {
    policy: [
      statement('Allow', ['GetObject', 'PutObject'], 'policy/*', { Sid: 'readers' }),
      statement('Deny', 'GetObject', 'policy/secret', { Sid: 'but-not-this' }),
    ],
  })
})

describe('trace contract 3.2: Auth.Access stands beside Auth.V4Signature, over the reads made for it', () => {
  test('one chain for what hangs on the bucket', async () => {
    await ask('usr', 'GET', '/acl/key')
    expect(foldedTree(await ask('usr', 'GET', '/acl/key'))).toBe(
      [
        'S3.GetObject',
        '  Auth.V4Signature',
        '    IAM.GetUserAccount',
        '  Auth.Access',
        '    Posix.IO.OpenFile',
        '    Posix.IO.ReadMetadata',
        '  Backend.GetObject',
        '    Posix.IO.OpenFile',
        '    Posix.IO.ReadMetadata',
        '    Posix.IO.ReadData',
      ].join('\n'),
    )
  })

  test('a copy reads those of both buckets', async () => {
    const headers = { 'x-amz-copy-source': 'acl/key' }
    const tree = foldedTree(await ask('usr', 'PUT', '/policy/copy', headers))
    expect(tree).toContain(
      [
        '  Auth.Access',
        '    Posix.IO.OpenFile',
        '    Posix.IO.ReadMetadata',
        '    Posix.IO.OpenFile',
        '    Posix.IO.ReadMetadata',
        '  Backend.CopyObject',
      ].join('\n'),
    )
  })

  test('a list of buckets reads the ACLs of all with one step', async () => {
    const tree = foldedTree(await ask('usr', 'GET', '/'))
    expect(tree).toContain('  Backend.ListBuckets\n    Posix.IO.ListDir\n    Posix.IO.StatBatch')
    expect(tree).not.toContain('ReadMetadata')
  })

  test.each(['root', 'adm'] as const)('%s has none: nothing is decided', async (caller) => {
    expect(foldedTree(await ask(caller, 'GET', '/acl/key'))).not.toContain('Auth.Access')
  })
})

describe('the rule that decided', () => {
  test.each([
    ['own', 'GET', '/acl/key', { decision: 'allow', rule: 'acl', action: 's3:GetObject' }],
    ['usr', 'GET', '/acl/key', { decision: 'allow', rule: 'acl', action: 's3:GetObject' }],
    ['usr', 'GET', '/acl', { decision: 'allow', rule: 'acl', action: 's3:ListBucket' }],
    ['anonymous', 'GET', '/public/key', { decision: 'allow', rule: 'acl', action: 's3:GetObject' }],
    [
      'usr',
      'GET',
      '/policy/key',
      { decision: 'allow', rule: 'policy', statement: 'readers', action: 's3:GetObject' },
    ],
    [
      'usr',
      'GET',
      '/policy/secret',
      {
        decision: 'deny',
        rule: 'policy',
        statement: 'but-not-this',
        action: 's3:GetObject',
        'error.type': 'AccessDenied',
      },
    ],
    [
      'own',
      'GET',
      '/policy/key',
      {
        decision: 'deny',
        rule: 'none',
        action: 's3:GetObject',
        'error.type': 'AccessDenied',
      },
    ],
    [
      'usr',
      'PUT',
      '/acl/key',
      { decision: 'deny', rule: 'none', action: 's3:PutObject', 'error.type': 'AccessDenied' },
    ],
    ['usr', 'PUT', '/new-bucket', { decision: 'deny', rule: 'role', 'error.type': 'AccessDenied' }],
    [
      'anonymous',
      'GET',
      '/',
      { decision: 'deny', rule: 'anonymous', 'error.type': 'AccessDenied' },
    ],
    ['usr', 'GET', '/nowhere/key', { 'error.type': 'NoSuchBucket' }],
  ] as const)('%s %s %s', async (caller, method, target, expected) => {
    expect(await decision(caller, method, target)).toEqual(expected)
  })

  test('of several rights the one that is missing is told', async () => {
    expect(await decision('usr', 'PUT', '/policy/new', { 'x-amz-tagging': 'a=b' })).toMatchObject({
      decision: 'deny',
      rule: 'none',
      action: 's3:PutObjectTagging',
    })
  })

  test('the tags of an object are read where a policy asks for them', async () => {
    const Condition = { StringEquals: { 's3:ExistingObjectTag/a': 'b' } }
    const name = 'tags'
    mkdirSync(at.path(name), { recursive: true })
    rmSync(at.path(name), { recursive: true })
    makeBucket(at, name, { policy: [statement('Allow', 'GetObject', 'tags/*', { Condition })] })
    writeFileSync(at.path(name, 'key'), '')
    expect(foldedTree(await ask('usr', 'GET', '/tags/key'))).toBe(
      [
        'S3.GetObject',
        '  Auth.V4Signature',
        '    IAM.GetUserAccount',
        '  Auth.Access',
        '    Posix.IO.OpenFile',
        '    Posix.IO.ReadMetadata',
        '    Posix.IO.OpenFile',
        '    Posix.IO.ReadMetadata',
      ].join('\n'),
    )
  })

  test('threat A24: nothing of the policy but the statement’s name is in the trace', async () => {
    const spans = await ask('usr', 'GET', '/policy/secret')
    const text = JSON.stringify(spans.map(({ attributes }) => attributes.toObject()))
    expect(text).toContain('but-not-this')
    expect(text).not.toMatch(/arn:aws|Principal|readers/)
  })
})
