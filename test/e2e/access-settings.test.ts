import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  OWN,
  PUBLIC,
  answerOf,
  deleteKeys,
  makeBucket,
  statement,
} from '../support/access-buckets.ts'
import { sendAs, writeAccounts, type Caller } from '../support/access-matrix.ts'
import { useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'

const iamDir = mkdtempSync(join(scratch(), 'vgw-access-iam-'))
writeAccounts(iamDir)
afterAll(() => rmSync(iamDir, { recursive: true, force: true }))
const IAM = ['--iam-dir', iamDir]
const FAST = ['--durability', 'none']

describe('contract 4.6 (1); 9.2, 8: --readonly stops every write, copies too', () => {
  const at = useGateway({ flags: [...IAM, '--readonly'], posixFlags: FAST })

  test.each(['root', 'adm', 'own', 'anonymous'] as const)('of %s', async (caller) => {
    const bucket = `readonly-${caller}`
    makeBucket(at, bucket, { grantees: PUBLIC })
    const copy = { 'x-amz-copy-source': `${bucket}/key` }
    for (const [method, target, headers] of [
      ['PUT', '/new-bucket', {}],
      ['DELETE', `/${bucket}`, {}],
      ['PUT', `/${bucket}/new`, {}],
      ['PUT', `/${bucket}/new`, copy],
      ['PUT', `/${bucket}/new?uploadId=x&partNumber=1`, copy],
      ['POST', `/${bucket}/new?uploads`, {}],
      ['DELETE', `/${bucket}/key`, {}],
      ['PUT', `/${bucket}?policy`, {}],
    ] as const) {
      const answer = await sendAs(at, caller, method, target, { headers })
      expect([method, target, answerOf(answer)]).toEqual([method, target, '403 AccessDenied'])
    }
    expect(answerOf(await deleteKeys(at, caller, bucket, ['key']))).toBe('403 AccessDenied')
    expect(answerOf(await sendAs(at, caller, 'GET', `/${bucket}/key`))).toBe('200')
  })
})

describe('contract 9.2, 10: with --noacl no stored ACL opens a bucket', () => {
  const at = useGateway({ flags: [...IAM, '--noacl'], posixFlags: FAST })

  test('the owner has access, and nobody else', async () => {
    makeBucket(at, 'noacl', { grantees: [...PUBLIC, { ...OWN, Access: 'usr' }] })
    const ask = async (caller: Caller) => [
      answerOf(await sendAs(at, caller, 'GET', '/noacl/key')),
      answerOf(await sendAs(at, caller, 'PUT', '/noacl/new', { body: 'x' })),
    ]
    expect(await ask('own')).toEqual(['200', '200'])
    for (const caller of ['usr', 'oth', 'anonymous'] as const)
      expect(await ask(caller)).toEqual(['403 AccessDenied', '403 AccessDenied'])
  })

  test('but for whom a policy lets in', async () => {
    makeBucket(at, 'noacl-policy', {
      grantees: PUBLIC,
      policy: [statement('Allow', 'GetObject', 'noacl-policy/*', { Principal: '*' })],
    })
    for (const caller of ['own', 'usr', 'anonymous'] as const) {
      expect(answerOf(await sendAs(at, caller, 'GET', '/noacl-policy/key'))).toBe('200')
      expect(answerOf(await sendAs(at, caller, 'PUT', '/noacl-policy/new', { body: 'x' }))).toBe(
        '403 AccessDenied',
      )
    }
  })
})
