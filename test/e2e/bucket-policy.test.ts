import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  DeleteBucketPolicyCommand,
  GetBucketPolicyCommand,
  GetBucketPolicyStatusCommand,
  PutBucketPolicyCommand,
} from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { failure, useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'
import { setAttribute } from '../support/tree.ts'

const account = (access: string) => ({
  access,
  secret: `${access}-secret-0`,
  role: 'user',
  userID: 0,
  groupID: 0,
  projectID: 0,
})

/** An account store as VersityGW writes it, with alice and bob in it (contract 5.2). */
function iamDir(): string {
  const dir = mkdtempSync(join(scratch(), 'vgw-iam-'))
  const accessAccounts = { alice: account('alice'), bob: account('bob') }
  writeFileSync(join(dir, 'users.json'), JSON.stringify({ accessAccounts }), { mode: 0o600 })
  return dir
}

const at = useGateway(() => ({ flags: ['--iam-dir', iamDir()] }))

const allow = (bucket: string, principal: unknown = '*', action = 's3:GetObject') => ({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: principal, Action: action, Resource: `arn:aws:s3:::${bucket}/*` },
  ],
})

const put = (bucket: string, body: string | Buffer) => at.send('PUT', `/${bucket}?policy`, { body })

describe('PutBucketPolicy', () => {
  test('is 204, and GetBucketPolicy gives the bytes back unchanged as text/plain (contract 2.2, 6.2)', async () => {
    const bucket = await at.bucket()
    const text = `${JSON.stringify(allow(bucket), null, 3)}\r\n\t "é"`.replace(/ "é"$/, ' ')
    const answer = await put(bucket, text)
    expect([answer.status, answer.text]).toEqual([204, ''])
    const stored = await at.send('GET', `/${bucket}?policy`)
    expect([stored.status, stored.text]).toEqual([200, text])
    expect(stored.header('content-type')).toBe('text/plain; charset=utf-8')
  })

  test('takes the place of the policy before', async () => {
    const bucket = await at.bucket()
    await put(bucket, JSON.stringify(allow(bucket)))
    const second = JSON.stringify(allow(bucket, { AWS: ['alice', 'bob'] }))
    expect((await put(bucket, second)).status).toBe(204)
    expect((await at.send('GET', `/${bucket}?policy`)).text).toBe(second)
  })

  test('refuses principals that have no account; root has one (contract 4.6)', async () => {
    const bucket = await at.bucket()
    for (const principal of ['alice', ['alice', 'bob'], at.credentials.access, { AWS: 'bob' }])
      expect((await put(bucket, JSON.stringify(allow(bucket, principal)))).status).toBe(204)
    for (const principal of ['carol', ['alice', 'carol'], 'arn:aws:iam::123456789012:user/alice']) {
      const refused = await put(bucket, JSON.stringify(allow(bucket, principal)))
      expect([refused.status, refused.code, refused.element('Message')]).toEqual([
        400,
        'MalformedPolicy',
        'Invalid principal in policy',
      ])
    }
  })

  test('leaves the policy that is there alone where the new one is refused', async () => {
    const bucket = await at.bucket()
    const good = JSON.stringify(allow(bucket))
    await put(bucket, good)
    for (const [body, message] of [
      ['', "Policies must be valid JSON and the first byte must be '{'"],
      ['{', 'This policy contains invalid Json'],
      ['{}', 'Missing required field Statement'],
      [JSON.stringify(allow('another')), 'Policy has invalid resource'],
      [JSON.stringify(allow(bucket, '*', 's3:Foo')), 'Policy has invalid action'],
      [
        JSON.stringify(allow(bucket, '*', 's3:ListBucket')),
        'Action does not apply to any resource(s) in statement',
      ],
    ] as const) {
      const refused = await put(bucket, body)
      expect([refused.status, refused.code]).toEqual([400, 'MalformedPolicy'])
      expect(refused.element('Message')?.replaceAll('&#39;', "'")).toBe(message)
    }
    expect((await at.send('GET', `/${bucket}?policy`)).text).toBe(good)
  })

  test('refuses what is larger than 20 KiB, and does not read what is far larger', async () => {
    const bucket = await at.bucket()
    const blank = JSON.stringify(allow(bucket))
    const refused = await put(bucket, blank.padEnd(20_481, ' '))
    expect([refused.status, refused.code, refused.element('Message')]).toEqual([
      400,
      'MalformedPolicy',
      'Policy exceeds the maximum allowed document size.',
    ])
    const huge = await put(bucket, blank.padEnd(1024 * 1024 + 1, ' '))
    expect([huge.status, huge.code]).toEqual([400, 'MaxMessageLengthExceeded'])
  })

  test('verifies the digests that come with it', async () => {
    const bucket = await at.bucket()
    const body = JSON.stringify(allow(bucket))
    const wrong = await at.send('PUT', `/${bucket}?policy`, {
      body,
      headers: { 'Content-MD5': 'AAAAAAAAAAAAAAAAAAAAAA==' },
    })
    expect([wrong.status, wrong.code]).toEqual([400, 'BadDigest'])
    expect((await at.send('GET', `/${bucket}?policy`)).code).toBe('NoSuchBucketPolicy')
  })

  test('tells of a bucket that is not there before it looks at the document', async () => {
    const answer = await put('no-such-bucket', '{')
    expect([answer.status, answer.code]).toEqual([404, 'NoSuchBucket'])
  })
})

describe('GetBucketPolicy, GetBucketPolicyStatus and DeleteBucketPolicy', () => {
  test('are NoSuchBucketPolicy where there is none; deleting is no error', async () => {
    const bucket = await at.bucket()
    for (const query of ['policy', 'policyStatus']) {
      const answer = await at.send('GET', `/${bucket}?${query}`)
      expect([answer.status, answer.code]).toEqual([404, 'NoSuchBucketPolicy'])
      expect(answer.element('BucketName')).toBe(bucket)
      expect(answer.element('Message')).toBe('The bucket policy does not exist.')
    }
    expect((await at.send('DELETE', `/${bucket}?policy`)).status).toBe(204)
  })

  test('are NoSuchBucket where there is no bucket', async () => {
    for (const [method, query] of [
      ['GET', 'policy'],
      ['GET', 'policyStatus'],
      ['DELETE', 'policy'],
    ] as const) {
      const answer = await at.send(method, `/no-such-bucket?${query}`)
      expect([answer.status, answer.code]).toEqual([404, 'NoSuchBucket'])
    }
  })

  test('deleted, it is gone', async () => {
    const bucket = await at.bucket()
    await put(bucket, JSON.stringify(allow(bucket)))
    expect((await at.send('DELETE', `/${bucket}?policy`)).status).toBe(204)
    expect((await at.send('GET', `/${bucket}?policy`)).code).toBe('NoSuchBucketPolicy')
  })

  test.each([
    ['everybody', '*', true],
    ['everybody, as AWS', { AWS: '*' }, true],
    ['accounts', ['alice', 'bob'], false],
  ])('IsPublic of a grant to %s is %s', async (_, principal, isPublic) => {
    const bucket = await at.bucket()
    await put(bucket, JSON.stringify(allow(bucket, principal)))
    const { status, text } = await at.send('GET', `/${bucket}?policyStatus`)
    expect(status).toBe(200)
    expect(text).toBe(
      `<?xml version="1.0" encoding="UTF-8"?>\n<PolicyStatus><IsPublic>${isPublic}</IsPublic></PolicyStatus>`,
    )
  })

  test('an unreadable document that VersityGW or a hand has stored is 400 MalformedPolicy (contract 4.6)', async () => {
    const bucket = await at.bucket()
    for (const [stored, message] of [
      ['{', 'This policy contains invalid Json'],
      ['x', "Policies must be valid JSON and the first byte must be '{'"],
    ] as const) {
      setAttribute(at.path(bucket), 'policy', stored)
      const answer = await at.send('GET', `/${bucket}?policyStatus`)
      expect([answer.status, answer.code]).toEqual([400, 'MalformedPolicy'])
      expect(answer.element('Message')).toBe(message)
    }
  })

  test('speak with the SDK', async () => {
    const Bucket = await at.bucket()
    const Policy = JSON.stringify(allow(Bucket))
    await at.s3.send(new PutBucketPolicyCommand({ Bucket, Policy }))
    expect((await at.s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toBe(Policy)
    const { PolicyStatus } = await at.s3.send(new GetBucketPolicyStatusCommand({ Bucket }))
    expect(PolicyStatus?.IsPublic).toBe(true)
    await at.s3.send(new DeleteBucketPolicyCommand({ Bucket }))
    const error = await failure(at.s3.send(new GetBucketPolicyCommand({ Bucket })))
    expect(error.name).toBe('NoSuchBucketPolicy')
  })
})
