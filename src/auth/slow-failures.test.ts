import { describe, expect, test } from 'vitest'
import { accountOf } from '../../test/support/accounts.ts'
import {
  ACCESS,
  GET_RANGE,
  NOW,
  SECRET,
  withHeaders,
} from '../../test/support/documented-requests.ts'
import { requestOf } from '../../test/support/requests.ts'
import { S3Error } from '../s3/errors.ts'
import { createAuthenticator, type Authenticator } from './authenticate.ts'
import { FailureCounts } from './failure-counts.ts'
import type { Account, AccountStore } from './iam/account-store.ts'
import { createIam } from './iam/iam.ts'
import { slowFailures } from './slow-failures.ts'

const GOOD = requestOf(GET_RANGE)
const WRONG = requestOf(withHeaders({ Range: 'bytes=0-10' }))
const UNKNOWN = requestOf(
  withHeaders({ Authorization: GET_RANGE.headers.Authorization.replace(ACCESS, 'NOBODY') }),
)

/** A whole chain of look-ups over a store in memory that counts what it is asked. */
function authenticating(accounts: readonly Account[], root = accountOf('root', 'r')) {
  const known = new Map(accounts.map((account) => [account.access, account]))
  const asked: string[] = []
  const refuse = (): Promise<never> => Promise.reject(new Error('not needed here'))
  const store: AccountStore = {
    type: 'internal',
    get: (access) => {
      asked.push(access)
      return Promise.resolve(known.get(access))
    },
    create: refuse,
    update: refuse,
    delete: refuse,
    list: refuse,
    close: () => Promise.resolve(),
  }
  const lines: Record<string, unknown>[] = []
  const clock = { ms: 0 }
  const iam = createIam({
    root,
    store,
    cache: { ttlMs: 120_000, staleMs: 0, pruneMs: 1000, now: () => clock.ms },
    log: () => undefined,
    debug: false,
  })
  const authenticator = slowFailures(
    createAuthenticator({ accounts: iam, region: 'us-east-1', now: () => NOW }),
    {
      accounts: iam,
      log: (_, facts) => lines.push({ ...facts }),
      counts: new FailureCounts(() => clock.ms),
    },
  )
  return { authenticator, known, asked, lines, clock }
}

async function outcome(authenticator: Authenticator, request = WRONG): Promise<string> {
  try {
    return (await authenticator(request, 'GetObject', {})).identity.accessKey ?? 'anonymous'
  } catch (error) {
    return error instanceof S3Error ? error.code : String(error)
  }
}

test('a root account and one that is known are verified without a promise', async () => {
  const user = authenticating([accountOf(ACCESS, SECRET)])
  expect(user.authenticator(GOOD, 'GetObject', {})).toBeInstanceOf(Promise)
  await user.authenticator(GOOD, 'GetObject', {})
  expect(user.authenticator(GOOD, 'GetObject', {})).not.toBeInstanceOf(Promise)
  const root = authenticating([], accountOf(ACCESS, SECRET))
  expect(root.authenticator(GOOD, 'GetObject', {})).not.toBeInstanceOf(Promise)
  expect(root.asked).toEqual([])
})

describe('A14: an unknown access key and a wrong secret do the same work', () => {
  test.each([
    ['an unknown key', UNKNOWN, [], 'InvalidAccessKeyId'],
    ['a key in memory', WRONG, [accountOf(ACCESS, SECRET)], 'SignatureDoesNotMatch'],
  ] as const)(
    '%s: the store is asked at most once a second',
    async (_, request, accounts, code) => {
      const { authenticator, asked, clock } = authenticating(accounts)
      if (accounts.length > 0) await outcome(authenticator, GOOD)
      clock.ms = 10_000
      asked.length = 0
      const counts: number[] = []
      for (const ms of [0, 0, 999, 1, 500, 500]) {
        clock.ms += ms
        expect(await outcome(authenticator, request)).toBe(code)
        counts.push(asked.length)
      }
      expect(counts).toEqual([1, 1, 1, 2, 2, 3])
    },
  )

  test("root's key is looked up like any other, and nothing that is found becomes root", async () => {
    const { authenticator, asked } = authenticating(
      [accountOf(ACCESS, SECRET)],
      accountOf(ACCESS, 'the secret of root'),
    )
    expect(await outcome(authenticator, GOOD)).toBe('SignatureDoesNotMatch')
    expect(await outcome(authenticator, GOOD)).toBe('SignatureDoesNotMatch')
    expect(asked).toEqual([ACCESS])
  })
})

test('a secret changed elsewhere works at once, though the old one is still in memory', async () => {
  const { authenticator, known, clock } = authenticating([accountOf(ACCESS, 'old')])
  expect(await outcome(authenticator, GOOD)).toBe('SignatureDoesNotMatch')
  known.set(ACCESS, accountOf(ACCESS, SECRET))
  clock.ms = 1000
  expect(await outcome(authenticator, GOOD)).toBe(ACCESS)
})

test('repeated failures are slowed and told of; a valid request of the same key is neither', async () => {
  const { authenticator, lines } = authenticating([accountOf(ACCESS, SECRET)])
  for (let i = 0; i < 20; i++) await outcome(authenticator, WRONG)
  const start = performance.now()
  for (let i = 0; i < 5; i++) await outcome(authenticator, WRONG)
  expect(performance.now() - start).toBeGreaterThan(20 + 40 + 60 + 80 + 100 - 20)
  expect(authenticator(GOOD, 'GetObject', {})).not.toBeInstanceOf(Promise)
  expect(lines).toEqual([
    { failures: 1, total: 1, address: WRONG.clientAddress, access_key: ACCESS, delay_ms: 0 },
  ])
})

test('A14: an access key goes to the log short and printable', async () => {
  const { authenticator, lines } = authenticating([])
  const hostile = `a\u009b31m\u0007${'x'.repeat(5000)}`
  const authorization = GET_RANGE.headers.Authorization.replace(ACCESS, hostile)
  await outcome(authenticator, requestOf(withHeaders({ Authorization: authorization })))
  expect(lines[0]?.['access_key']).toBe(`a?31m?${'x'.repeat(122)}`)
})

test('what is no guess is refused at once', () => {
  const { authenticator, lines } = authenticating([])
  const request = requestOf(withHeaders({ 'x-amz-date': '20130525T000000Z' }))
  expect(() => authenticator(request, 'GetObject', {})).toThrow(S3Error)
  expect(lines).toEqual([])
})
