import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AccountStore } from '../../src/auth/iam/account-store.ts'
import { createIpaStore } from '../../src/auth/iam/ipa-store.ts'
import type { IpaStoreConfig } from '../../src/auth/iam/store-config.ts'
import { accountOf } from '../support/accounts.ts'
import { IPA, startIpa, type IpaServer, type IpaSettings } from '../support/ipa-server.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import {
  closeAll,
  everythingOf,
  HOSTILE_NAMES,
  SOON_MS,
  storeError,
  timed,
} from '../support/stores.ts'

const transport = makeCertificate('rsa')
const stores: AccountStore[] = []
let ipa: IpaServer

const SETTINGS: IpaSettings = {
  users: {
    alice: { uid: ['alice'], uidnumber: ['1001'], gidnumber: ['1002'], nsaccountlock: false },
    novault: { uid: ['novault'], uidnumber: ['1'], gidnumber: ['1'] },
    locked: { uid: ['locked'], uidnumber: ['1'], gidnumber: ['1'], nsaccountlock: true },
    lockedtoo: { uid: ['lockedtoo'], uidnumber: ['1'], gidnumber: ['1'], nsaccountlock: ['TRUE'] },
    preserved: { uid: ['preserved'], uidnumber: ['1'], gidnumber: ['1'], preserved: true },
    noids: { uid: ['noids'] },
    oddids: { uid: ['oddids'], uidnumber: ['many'], gidnumber: ['1'] },
    file: { uid: ['file'], uidnumber: ['1'], gidnumber: ['1'] },
    empty: { uid: ['empty'], uidnumber: ['1'], gidnumber: ['1'] },
  },
  vaults: {
    alice: 'alice secret é',
    locked: 's',
    lockedtoo: 's',
    preserved: 's',
    noids: 's',
    oddids: 's',
    file: 'from a file\n',
    empty: '',
  },
  padding: 'pkcs1',
  algorithm: 'aes-128-cbc',
}

beforeEach(async () => {
  ipa = await startIpa(transport, SETTINGS)
})
afterEach(async () => {
  await closeAll(stores.splice(0))
  await ipa[Symbol.asyncDispose]()
})

function open(fields: Partial<IpaStoreConfig> = {}, timeoutMs = 10_000): AccountStore {
  const config = { host: ipa.host, ...IPA, verifyTls: true, ...fields }
  const store = createIpaStore(config, { timeoutMs })
  stores.push(store)
  return store
}

const alice = accountOf('alice', 'alice secret é', { userId: 1001, groupId: 1002 })

describe('FreeIPA store', () => {
  test('contract 5.3: user_show and vault_retrieve_internal of API 2.254; uid and gid of FreeIPA, role user', async () => {
    expect(await open().get('alice', {})).toEqual(alice)
    expect(ipa.calls.map(({ method, args }) => [method, args])).toEqual([
      ['user_show/1', ['alice']],
      ['vaultconfig_show/1', []],
      ['vault_retrieve_internal/1', ['s3']],
    ])
    expect(ipa.calls.at(-1)?.options).toMatchObject({
      username: 'alice',
      wrapping_algo: 'aes-128-cbc',
      version: '2.254',
    })
  })

  test.each([
    ['pkcs1', 'aes-128-cbc'],
    ['oaep', 'aes-128-cbc'],
    ['pkcs1', undefined],
    ['oaep', 'des-ede3-cbc'],
  ] as const)('session keys wrapped by %s for %s', async (padding, algorithm) => {
    ipa.settings = { ...SETTINGS, padding, algorithm }
    const store = open()
    expect(await store.get('alice', {})).toEqual(alice)
    const { length } = ipa.calls
    // What was found out is kept.
    expect(await store.get('alice', {})).toEqual(alice)
    expect(ipa.calls.length - length).toBe(2)
  })

  test('the authority changes its way of wrapping', async () => {
    const store = open()
    expect(await store.get('alice', {})).toEqual(alice)
    ipa.settings = { ...SETTINGS, padding: 'oaep' }
    expect(await store.get('alice', {})).toEqual(alice)
    ipa.settings = SETTINGS
    expect(await store.get('alice', {})).toEqual(alice)
  })

  test.each([
    ['is not there', 'nobody'],
    ['has no vault', 'novault'],
    ['is disabled', 'locked'],
    ['is disabled, in LDAP words', 'lockedtoo'],
    ['is preserved', 'preserved'],
    ['has an empty vault', 'empty'],
    ['is written otherwise', 'Alice'],
    ['has no name', ''],
    ['is in spaces', ' alice'],
  ])('a user who %s has no account', async (_, name) => {
    expect(await open().get(name, {})).toBeUndefined()
  })

  test('threats A14: hostile names are names', async () => {
    const store = open()
    for (const name of HOSTILE_NAMES) expect(await store.get(name, {})).toBeUndefined()
    expect(ipa.calls.map(({ args }) => args[0])).toEqual(HOSTILE_NAMES)
  })

  test('odd ids are InternalError, absent ones 0', async () => {
    const store = open()
    expect((await storeError(store.get('oddids', {}))).code).toBe('InternalError')
    expect(await store.get('noids', {})).toMatchObject({ userId: 0, groupId: 0 })
  })

  test("a secret from a file ends before the file's last line end", async () => {
    expect(await open().get('file', {})).toMatchObject({ secret: 'from a file' })
  })

  test('contract 5.3: read-only', async () => {
    const store = open()
    for (const call of [
      () => store.create(alice, {}),
      () => store.update('alice', { secret: 'x' }, {}),
      () => store.delete('alice', {}),
      () => store.list({}),
    ]) {
      const { code, status, message } = await storeError(call())
      expect([code, status]).toEqual(['XAdminMethodNotSupported', 501])
      expect(message).toContain('FreeIPA')
    }
    expect(ipa.calls).toEqual([])
  })

  test('traceparent is sent', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await open().get('alice', { traceHeaders: { traceparent } })
    expect(new Set(ipa.calls.map((call) => call.traceparent))).toEqual(new Set([traceparent]))
  })
})

describe('session', () => {
  test('one login for many; a session that has ended is opened again', async () => {
    const store = open()
    await Promise.all(Array.from({ length: 20 }, () => store.get('alice', {})))
    expect(ipa.logins).toBe(1)
    ipa.expire()
    const found = await Promise.all(Array.from({ length: 20 }, () => store.get('alice', {})))
    expect(found.every((account) => account?.access === 'alice')).toBe(true)
    expect(ipa.logins).toBe(2)
  })

  test('a refused login is InternalError and tells no secret', async () => {
    const error = await storeError(open({ password: 'hunter2' }).get('alice', {}))
    expect(String(error.cause)).toContain('login: status 401 (invalid-password)')
    expect(everythingOf(error)).not.toContain('hunter2')
  })
})

describe('failures', () => {
  test.each([
    ['a page', 200, '<html>hunter2</html>'],
    ['half an answer', 200, '{"result":{"result":{"uid":["alice"],"x":"hunter2'],
    ['no result', 200, '{"result":null,"error":null}'],
    ['a list', 200, '[]'],
    ['nothing', 200, ''],
    ['an error', 500, 'hunter2'],
    ['an odd error', 200, '{"result":null,"error":{"code":"x"}}'],
  ])('%s is InternalError and is not quoted', async (_, status, body) => {
    const store = open()
    expect(await store.get('alice', {})).toEqual(alice)
    ipa.intercept = (_request, response) => response.writeHead(status).end(body)
    const error = await storeError(store.get('alice', {}))
    expect(error.code).toBe('InternalError')
    expect(everythingOf(error)).not.toContain('hunter2')
    ipa.intercept = undefined
    expect(await store.get('alice', {})).toEqual(alice)
  })

  test('a vault answer that does not decipher is InternalError', async () => {
    const store = open()
    expect(await store.get('alice', {})).toEqual(alice)
    for (const nonce of ['AAAAAAAAAAAAAAAAAAAAAA==', 'AA==', '']) {
      let calls = 0
      ipa.intercept = (_, response) => {
        calls += 1
        const user = { uid: ['alice'], uidnumber: ['1'], gidnumber: ['1'] }
        const vault = { nonce: { __base64__: nonce }, vault_data: { __base64__: nonce } }
        const result = { result: calls === 1 ? user : vault }
        response.end(JSON.stringify({ result, error: null }))
      }
      expect((await storeError(store.get('alice', {}))).code).toBe('InternalError')
    }
  })

  test('a silent server: the call ends with its time', async () => {
    ipa.intercept = () => undefined
    const { code, ms } = await timed(open({}, 500).get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeGreaterThan(400)
    expect(ms).toBeLessThan(SOON_MS)
  })

  test('nobody there', async () => {
    const { code, ms } = await timed(open({ host: 'http://127.0.0.1:1' }).get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeLessThan(SOON_MS)
  })
})
