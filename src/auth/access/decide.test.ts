import { describe, expect, test } from 'vitest'
import type { Acl, Grantee } from '../acl.ts'
import type { Identity } from '../identity.ts'
import {
  decide,
  decideByCaller,
  decideByRole,
  type BucketAccess,
  type PolicyEvaluator,
  type Right,
} from './decide.ts'

const account = (accessKey: string, role: Identity['role'] = 'user'): Identity => ({
  accessKey,
  role,
  isRoot: false,
})
const ROOT: Identity = { accessKey: 'root', role: 'admin', isRoot: true }
const ADMIN = account('adm', 'admin')
const OWNER = account('own', 'userplus')
const OTHER = account('oth')
const ANONYMOUS: Identity = { accessKey: undefined, role: undefined, isRoot: false }

const SETTINGS = { readOnly: false, aclsEnabled: true, dialect: 'versitygw' } as const

const right = (action: string, permission: Right['permission'] = 'READ'): Right => ({
  action,
  permission,
  bucket: 'bkt',
  key: 'key',
})
const READ = right('s3:GetObject')
const WRITE = right('s3:PutObject', 'WRITE')

const grant = (access: string, permission: Grantee['permission']): Grantee => ({
  access,
  permission,
  type: 'CanonicalUser',
})
const everyone = (permission: Grantee['permission']): Grantee => ({
  access: 'all-users',
  permission,
  type: 'Group',
})

function bucket(
  grantees: readonly Grantee[],
  policy?: PolicyEvaluator,
  ownership = 'ObjectWriter',
): BucketAccess {
  const acl: Acl = { owner: 'own', grantees: [grant('own', 'FULL_CONTROL'), ...grantees] }
  return { acl, policy, ownership }
}

const always =
  (effect: 'allow' | 'deny'): PolicyEvaluator =>
  () => ({ effect, statement: 'it' })
const SILENT: PolicyEvaluator = () => undefined

describe('contract 4.6 (1) to (4): before the bucket is asked', () => {
  test.each([
    ['root writes on a read-only gateway', true, ROOT, true, { allowed: false, rule: 'readonly' }],
    ['root reads there', false, ROOT, true, { allowed: true, rule: 'role' }],
    ['an admin writes there', true, ADMIN, true, { allowed: false, rule: 'readonly' }],
    ['a user writes there', true, OWNER, true, { allowed: false, rule: 'readonly' }],
    [
      'an anonymous caller writes there',
      true,
      ANONYMOUS,
      true,
      { allowed: false, rule: 'readonly' },
    ],
    ['root', true, ROOT, false, { allowed: true, rule: 'role' }],
    ['an admin', true, ADMIN, false, { allowed: true, rule: 'role' }],
    ['a userplus', true, OWNER, false, undefined],
    ['a user', false, OTHER, false, undefined],
    ['an anonymous caller', false, ANONYMOUS, false, undefined],
  ])('%s', (_, writes, caller, readOnly, verdict) => {
    expect(decideByCaller(writes, caller, { ...SETTINGS, readOnly })).toEqual(verdict)
  })
})

test.each([
  [ROOT, true],
  [ADMIN, true],
  [account('u', 'userplus'), true],
  [account('u', 'user'), false],
  [ANONYMOUS, false],
])('contract 4.6: %j makes buckets: %s', (caller, allowed) => {
  expect(decideByRole(caller)).toEqual({ allowed, rule: 'role' })
})

describe('contract 4.6 (5): where there is a policy, it decides alone', () => {
  const granted = [grant('oth', 'FULL_CONTROL'), everyone('READ'), everyone('WRITE')]
  test.each([
    ['Allow grants without any ACL', OTHER, always('allow'), [], true, 'policy'],
    ['Deny stops whom the ACL grants everything', OTHER, always('deny'), granted, false, 'policy'],
    ['the ACL is not asked where nothing applies', OTHER, SILENT, granted, false, 'none'],
    ['the owner can lock himself out', OWNER, SILENT, [], false, 'none'],
    ['and is denied like others', OWNER, always('deny'), [], false, 'policy'],
  ] as const)('%s', (_, caller, policy, grantees, allowed, rule) => {
    expect(decide(READ, caller, bucket(grantees, policy), SETTINGS)).toMatchObject({
      allowed,
      rule,
    })
  })

  test('the statement that decided is told', () => {
    expect(decide(READ, OTHER, bucket([], always('deny')), SETTINGS).statement).toBe('it')
  })

  test('it is asked for the right and the caller', () => {
    const asked: unknown[] = []
    const policy: PolicyEvaluator = (...args) => {
      asked.push(args)
      return undefined
    }
    decide(READ, OTHER, bucket([], policy), SETTINGS)
    decide(WRITE, ANONYMOUS, bucket([], policy), SETTINGS)
    expect(asked).toEqual([
      [READ, 'oth'],
      [WRITE, undefined],
    ])
  })
})

describe('contract 4.6 (6): the ACL', () => {
  test.each([
    ['nothing', [], OTHER, READ, false],
    ['the owner by his own grant', [], OWNER, WRITE, true],
    ['the permission', [grant('oth', 'READ')], OTHER, READ, true],
    ['another permission', [grant('oth', 'READ')], OTHER, WRITE, false],
    ['FULL_CONTROL', [grant('oth', 'FULL_CONTROL')], OTHER, WRITE, true],
    ['another account', [grant('usr', 'FULL_CONTROL')], OTHER, READ, false],
    ['everyone', [everyone('WRITE')], OTHER, WRITE, true],
    ['everyone, another permission', [everyone('WRITE')], OTHER, READ, false],
    ['everyone has no FULL_CONTROL', [everyone('FULL_CONTROL')], OTHER, READ, false],
    ['an account of that name is not everyone', [grant('all-users', 'READ')], OTHER, READ, false],
  ] as const)('%s', (_, grantees, caller, asked, allowed) => {
    expect(decide(asked, caller, bucket(grantees), SETTINGS)).toEqual({
      allowed,
      rule: allowed ? 'acl' : 'none',
    })
  })

  test('an owner without a grant has nothing, as in VersityGW', () => {
    const acl = { owner: 'own', grantees: [grant('own', 'READ')] }
    const access = { acl, policy: undefined, ownership: undefined }
    expect(decide(WRITE, OWNER, access, SETTINGS).allowed).toBe(false)
    expect(decide(READ, OWNER, access, SETTINGS).allowed).toBe(true)
  })

  test.each([
    ['--noacl', { ...SETTINGS, aclsEnabled: false }, 'ObjectWriter'],
    ['BucketOwnerEnforced', SETTINGS, 'BucketOwnerEnforced'],
  ])('%s: the owner alone, whatever is granted', (_, settings, ownership) => {
    const open = [grant('oth', 'FULL_CONTROL'), everyone('READ'), everyone('WRITE')]
    const access = bucket(open, undefined, ownership)
    expect(decide(WRITE, OWNER, access, settings)).toEqual({ allowed: true, rule: 'owner' })
    for (const caller of [OTHER, ANONYMOUS])
      expect(decide(READ, caller, access, settings)).toEqual({ allowed: false, rule: 'none' })
    const noOwner = { ...access, acl: { owner: '', grantees: [] } }
    expect(decide(READ, ANONYMOUS, noOwner, settings).allowed).toBe(false)
  })

  test.each(['BucketOwnerPreferred', 'ObjectWriter'])('with %s grants count', (ownership) => {
    const access = bucket([grant('oth', 'READ')], undefined, ownership)
    expect(decide(READ, OTHER, access, SETTINGS).allowed).toBe(true)
  })
})

describe('contract 4.6: anonymous callers', () => {
  const open = [everyone('READ'), everyone('WRITE'), everyone('READ_ACP')]
  test.each([
    ['explicit Deny stops what the ACL opens', always('deny'), open, READ, false, 'policy'],
    ['Allow grants', always('allow'), [], READ, true, 'policy'],
    ['the ACL is asked where no statement applies', SILENT, open, READ, true, 'acl'],
    ['the ACL is asked where there is no policy', undefined, open, WRITE, true, 'acl'],
    ['a private bucket is closed', undefined, [], READ, false, 'none'],
    ['grants to accounts are not theirs', undefined, [grant('oth', 'READ')], READ, false, 'none'],
  ] as const)('%s', (_, policy, grantees, asked, allowed, rule) => {
    expect(decide(asked, ANONYMOUS, bucket(grantees, policy), SETTINGS)).toMatchObject({
      allowed,
      rule,
    })
  })

  test.each([
    ['s3:ListBucket', 'READ', true],
    ['s3:ListBucketVersions', 'READ', true],
    ['s3:ListBucketMultipartUploads', 'READ', true],
    ['s3:GetObject', 'READ', true],
    ['s3:GetObjectVersion', 'READ', true],
    ['s3:GetObjectAttributes', 'READ', true],
    ['s3:GetObjectAcl', 'READ_ACP', true],
    ['s3:PutObject', 'WRITE', true],
    ['s3:DeleteObject', 'WRITE', true],
    ['s3:GetBucketAcl', 'READ_ACP', false],
    ['s3:GetBucketLocation', 'READ', false],
    ['s3:GetBucketPolicy', 'READ', false],
    ['s3:GetObjectTagging', 'READ', false],
    ['s3:ListMultipartUploadParts', 'READ', false],
    ['s3:PutObjectTagging', 'WRITE', false],
    ['s3:PutObjectLegalHold', 'WRITE', false],
    ['s3:AbortMultipartUpload', 'WRITE', false],
    ['s3:DeleteBucket', 'WRITE', false],
    ['s3:PutBucketPolicy', 'WRITE', false],
  ] as const)('a public ACL and %s', (action, permission, allowed) => {
    expect(decide(right(action, permission), ANONYMOUS, bucket(open), SETTINGS).allowed).toBe(
      allowed,
    )
  })
})

describe('--dialect aws: a policy that does not speak of the owner leaves him what he has', () => {
  const granted = [grant('oth', 'FULL_CONTROL')]
  test.each([
    ['the owner', OWNER, SILENT, 'ObjectWriter', true, 'acl'],
    ['the owner of a bucket without ACLs', OWNER, SILENT, 'BucketOwnerEnforced', true, 'owner'],
    ['the owner whom it denies', OWNER, always('deny'), 'ObjectWriter', false, 'policy'],
    ['others', OTHER, SILENT, 'ObjectWriter', false, 'none'],
  ] as const)('%s', (_, caller, policy, ownership, allowed, rule) => {
    const settings = { ...SETTINGS, dialect: 'aws' } as const
    expect(decide(READ, caller, bucket(granted, policy, ownership), settings)).toMatchObject({
      allowed,
      rule,
    })
  })
})
