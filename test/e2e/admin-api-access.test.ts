import { existsSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { accountDirectory, accountXml, admin, createAccount } from '../support/admin.ts'
import { useGateway, type RawRequest } from '../support/fixture.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { presignTarget } from '../support/sigv4.ts'

const at = useGateway({ flags: ['--iam-dir', accountDirectory()] })

const errorOf = ({ status, code, message }: RawResponse): unknown[] => [status, code, message]
const usersOf = async (): Promise<string> => (await admin(at, '/list-users')).text
const plain = { access: 'plain', secret: 'plain-secret' }
const boss = { access: 'boss', secret: 'boss-secret' }

beforeAll(async () => {
  await createAccount(at, { ...plain, role: 'user' })
  await createAccount(at, { ...boss, role: 'admin' })
})

/** Each with what it needs to succeed. */
const CALLS: readonly { readonly target: string; readonly request: RawRequest }[] = [
  {
    target: '/create-user',
    request: { body: accountXml({ access: 'sneaky', secret: 's', role: 'admin' }) },
  },
  {
    target: '/update-user?access=plain',
    request: { body: '<MutableProps><Role>admin</Role></MutableProps>' },
  },
  { target: '/delete-user?access=boss', request: {} },
  { target: '/list-users', request: {} },
  { target: '/change-bucket-owner/?bucket=for-root&owner=plain', request: {} },
  { target: '/list-buckets', request: {} },
  { target: '/sneaky/create', request: { headers: { 'x-vgw-owner': 'plain' } } },
]

describe('for root and admins alone (contract 5.4, threat A25)', () => {
  test.each(CALLS)('$target: a user is told XAdminAccessDenied', async ({ target, request }) => {
    expect(errorOf(await admin(at, target, { ...request, credentials: plain }))).toEqual([
      403,
      'XAdminAccessDenied',
      'Only admin users have access to this resource.',
    ])
  })

  test.each(CALLS)('$target: nobody is told to authenticate', async ({ target, request }) => {
    expect(errorOf(await admin(at, target, { ...request, sign: false }))).toEqual([
      403,
      'AccessDenied',
      'AWS authentication requires a valid Date or x-amz-date header.',
    ])
  })

  test.each(CALLS)('$target: a presigned URL is no signature', async ({ target, request }) => {
    const head = { method: 'PATCH', target, host: at.host }
    const answer = await admin(at, presignTarget(head, at.credentials), { ...request, sign: false })
    expect([answer.status, answer.code]).toEqual([403, 'AccessDenied'])
  })

  test('and nothing of it has happened', async () => {
    expect(await usersOf()).not.toContain('sneaky')
    expect(await usersOf()).toContain('<Access>boss</Access>')
    expect(existsSync(at.path('sneaky'))).toBe(false)
  })

  test('an admin may', async () => {
    expect((await admin(at, '/list-users', { credentials: boss })).status).toBe(200)
  })

  test('a wrong signature, an unknown key, another region', async () => {
    const as = (access: string, secret: string): Promise<RawResponse> =>
      admin(at, '/list-users', { credentials: { access, secret } })
    expect((await as('boss', 'wrong')).code).toBe('SignatureDoesNotMatch')
    expect((await as('nobody', 'wrong')).code).toBe('InvalidAccessKeyId')
    const region = { sign: { region: 'eu-west-1' } }
    expect((await admin(at, '/list-buckets', region)).code).toBe('AuthorizationHeaderMalformed')
  })

  test('the payload hash is required, and has to be true', async () => {
    const body = accountXml({ access: 'sneaky', secret: 's', role: 'user' })
    const missing = await admin(at, '/create-user', { body, payloadHash: undefined })
    expect(errorOf(missing)).toEqual([
      400,
      'InvalidRequest',
      'Missing required header for this request: x-amz-content-sha256',
    ])
    const wrong = await admin(at, '/create-user', { body, payloadHash: '0'.repeat(64) })
    expect(wrong.code).toBe('XAmzContentSHA256Mismatch')
    const chunked = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
    expect((await admin(at, '/create-user', { body, payloadHash: chunked })).code).toBe(
      'InvalidRequest',
    )
    expect(await usersOf()).not.toContain('sneaky')
  })

  test.each(CALLS)('$target: a page of another origin is not let in', async ({ target }) => {
    const { status, headers } = await at.send('OPTIONS', target, {
      sign: false,
      headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'PATCH' },
    })
    expect(status).toBe(200)
    expect(headers.filter(([name]) => /^access-control/i.test(name))).toEqual([])
  })
})

test.each(['/', '/nothing', '/bucket/key', '/a/b/create'])(
  'PATCH %s: MethodNotAllowed',
  async (target) => {
    const answer = await admin(at, target)
    expect(errorOf(answer)).toEqual([
      405,
      'MethodNotAllowed',
      'The specified method is not allowed against this resource.',
    ])
    expect([answer.element('Method'), answer.element('ResourceType')]).toEqual(['PATCH', 'SERVICE'])
  },
)

describe('without an account store (contract 5.1)', () => {
  const single = useGateway()

  test('accounts: 501 XAdminMethodNotSupported; buckets can be listed', async () => {
    for (const { target, request } of CALLS.slice(0, 4)) {
      expect(errorOf(await admin(single, target, request))).toEqual([
        501,
        'XAdminMethodNotSupported',
        'The method is not supported in single root user mode.',
      ])
    }
    expect((await admin(single, '/list-buckets')).status).toBe(200)
  })
})

describe('a read-only gateway (contract 7.4)', () => {
  const dir = accountDirectory()
  const readOnly = useGateway({ flags: ['--readonly', '--iam-dir', dir] })

  test('keeps its buckets as they are; its accounts are no part of them', async () => {
    await createAccount(readOnly, { access: 'u', secret: 's', role: 'user' })
    const bucket = await readOnly.bucket()
    const change = `/change-bucket-owner/?bucket=${bucket}&owner=u`
    expect((await admin(readOnly, change)).code).toBe('AccessDenied')
    const create = await admin(readOnly, '/new/create', { headers: { 'x-vgw-owner': 'u' } })
    expect(create.code).toBe('AccessDenied')
    expect((await admin(readOnly, '/list-buckets')).status).toBe(200)
  })
})
