import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { AccountStore } from '../../src/auth/iam/account-store.ts'
import type { VaultLogin, VaultStoreConfig } from '../../src/auth/iam/store-config.ts'
import { createVaultStore } from '../../src/auth/iam/vault-store.ts'
import { accountOf } from '../support/accounts.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import {
  closeAll,
  everythingOf,
  HOSTILE_NAMES,
  SOON_MS,
  storeError,
  timed,
} from '../support/stores.ts'
import { startVault, VAULT, type VaultServer } from '../support/vault-server.ts'

const stores: AccountStore[] = []
let vault: VaultServer

const approle = (namespace?: string): VaultLogin => ({
  kind: 'approle',
  mount: 'approle',
  namespace,
  roleId: VAULT.roleId,
  roleSecret: VAULT.secretId,
})

function open(fields: Partial<VaultStoreConfig> = {}, timeoutMs = 10_000): AccountStore {
  const config: VaultStoreConfig = {
    endpoint: vault.endpoint,
    storagePath: 'users/s3',
    storageNamespace: undefined,
    mountPath: 'kv-v2',
    login: approle(),
    serverCert: undefined,
    clientCert: undefined,
    clientCertKey: undefined,
    ...fields,
  }
  const store = createVaultStore(config, { timeoutMs })
  stores.push(store)
  return store
}

beforeEach(async () => {
  vault = await startVault()
})
afterEach(async () => {
  await closeAll(stores.splice(0))
  await vault[Symbol.asyncDispose]()
})

const alice = accountOf('alice', 'alice secret', { role: 'userplus', userId: 7, groupId: 8 })
const record = {
  access: 'alice',
  secret: 'alice secret',
  role: 'userplus',
  userID: 7,
  groupID: 8,
  projectID: 0,
}

describe('Vault store', () => {
  test('create, get, update, delete, list', async () => {
    const store = open()
    expect(await store.get('alice', {})).toBeUndefined()
    expect(await store.list({})).toEqual([])
    await store.create(alice, {})
    await store.create(accountOf('Bob', 'b'), {})
    expect(await store.get('alice', {})).toEqual(alice)
    expect((await storeError(store.create(alice, {}))).code).toBe('XAdminUserExists')
    expect(await store.update('alice', { role: 'user' }, {})).toEqual({ ...alice, role: 'user' })
    expect(await store.list({})).toEqual([accountOf('Bob', 'b'), { ...alice, role: 'user' }])
    await store.delete('alice', {})
    await store.delete('alice', {})
    expect(await store.get('alice', {})).toBeUndefined()
    expect((await storeError(store.update('alice', {}, {}))).code).toBe('XAdminUserNotFound')
    await store.create(alice, {})
    expect(vault.logins).toBe(1)
  })

  test('contract 5.3: secret `{path}/{access}` with data `{"{access}": {account}}`, created with check-and-set 0', async () => {
    await open().create(alice, {})
    const { method, url, body } = vault.requests.at(-1) ?? {}
    expect([method, url]).toEqual(['POST', '/v1/kv-v2/data/users/s3/alice'])
    expect(JSON.parse(body ?? '')).toEqual({ data: { alice: record }, options: { cas: 0 } })
  })

  test('accounts at the root of the mount', async () => {
    const store = open({ storagePath: '' })
    await store.create(alice, {})
    expect([...vault.secrets.keys()]).toEqual([':kv-v2/alice'])
    expect(await store.list({})).toEqual([alice])
  })

  test('namespaces of the login and of the accounts', async () => {
    const store = open({ storageNamespace: 'team', login: approle('team') })
    await store.create(alice, {})
    expect([...vault.secrets.keys()]).toEqual(['team:kv-v2/users/s3/alice'])
    expect(vault.requests.map(({ headers }) => headers['x-vault-namespace'])).toEqual([
      'team',
      'team',
    ])
  })

  test('a token needs no login', async () => {
    const store = open({ login: { kind: 'token', token: VAULT.rootToken } })
    await store.create(alice, {})
    expect(await store.get('alice', {})).toEqual(alice)
    expect(vault.logins).toBe(0)
  })

  test('traceparent is sent', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await open().get('alice', { traceHeaders: { traceparent } })
    expect(vault.requests.map(({ headers }) => headers['traceparent'])).toEqual([
      traceparent,
      traceparent,
    ])
  })

  test('threats A14: a hostile name reaches no other secret', async () => {
    const store = open()
    await store.create(alice, {})
    for (const name of HOSTILE_NAMES) {
      expect(await store.get(name, {})).toBeUndefined()
      await store.delete(name, {})
      const { code } = await storeError(store.update(name, { secret: 'x' }, {}))
      expect(code).toBe('XAdminUserNotFound')
    }
    expect(await store.list({})).toEqual([alice])
    for (const { url } of vault.requests) {
      expect(url).toMatch(
        /^\/v1\/(auth\/approle\/login|kv-v2\/(meta)?data\/users\/s3\/[^/?#]*(\?list=true)?)$/,
      )
    }
  })

  test.each(HOSTILE_NAMES)('a hostile name %j is stored as it is, or refused', async (name) => {
    const store = open()
    const account = { ...alice, access: name }
    const stored = await store.create(account, {}).then(
      () => true,
      () => false,
    )
    // Names that no path of Vault can end with.
    const impossible = /[/\p{Cc}]/u.test(name) || name === '.' || name === '..'
    expect(stored).toBe(!impossible)
    expect(await store.get(name, {})).toEqual(stored ? account : undefined)
    expect(await store.list({})).toEqual(stored ? [account] : [])
  })

  test('a listing of a thousand', async () => {
    const store = open()
    const names = Array.from({ length: 1000 }, (_, i) => `user${String(i).padStart(4, '0')}`)
    for (const name of names) {
      const data = { [name]: { ...record, access: name } }
      vault.secrets.set(`:kv-v2/users/s3/${name}`, { versions: [data] })
    }
    vault.secrets.set(':kv-v2/users/s3/folder/inner', { versions: [{}] })
    vault.secrets.set(':kv-v2/users/s3/odd', { versions: [{ odd: { secret: 3 } }] })
    expect((await store.list({})).map(({ access }) => access)).toEqual(names)
  })
})

describe('versions', () => {
  const key = ':kv-v2/users/s3/alice'

  test('an update of a rival in between is not lost', async () => {
    const store = open()
    await store.create(alice, {})
    const updates = Array.from({ length: 10 }, (_, i) => [
      open().update('alice', { userId: 100 + i }, {}),
      open().update('alice', { groupId: 200 + i }, {}),
    ])
    await Promise.all(updates.flat())
    expect(vault.secrets.get(key)?.versions).toHaveLength(21)
    const { userId = 0, groupId = 0 } = (await store.get('alice', {})) ?? {}
    expect(userId).toBeGreaterThanOrEqual(100)
    expect(groupId).toBeGreaterThanOrEqual(200)
  })

  test('of two that create the same account one is told that it exists', async () => {
    const both = await Promise.allSettled([open().create(alice, {}), open().create(alice, {})])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })

  test('a secret that was deleted by hand, in its last version only, is no account and can be made anew', async () => {
    vault.secrets.set(key, { versions: [{ alice: record }, undefined] })
    const store = open()
    expect(await store.get('alice', {})).toBeUndefined()
    expect(await store.list({})).toEqual([])
    await store.create(alice, {})
    expect(vault.secrets.get(key)?.versions).toHaveLength(3)
    expect(await store.get('alice', {})).toEqual(alice)
  })

  test.each([
    ['another name', { bob: record }],
    ['no secret', { alice: { ...record, secret: undefined } }],
    ['an id that is none', { alice: { ...record, userID: 'x' } }],
    ['a record of another', { alice: { ...record, access: 'bob' } }],
    ['nothing', null],
  ])('a secret with %s is InternalError', async (_, data) => {
    vault.secrets.set(key, { versions: [data] })
    expect((await storeError(open().get('alice', {}))).code).toBe('InternalError')
  })
})

describe('login', () => {
  test('403: logs in again once, and asks again', async () => {
    const store = open()
    await store.create(alice, {})
    vault.revoke()
    expect(await store.get('alice', {})).toEqual(alice)
    expect(vault.logins).toBe(2)
  })

  test('many that find their token ended share one login', async () => {
    const store = open()
    await store.create(alice, {})
    vault.revoke()
    const found = await Promise.all(Array.from({ length: 50 }, () => store.get('alice', {})))
    expect(found.every((account) => account?.access === 'alice')).toBe(true)
    expect(vault.logins).toBe(2)
  })

  test('403 for good is InternalError after one more login', async () => {
    const store = open({ storageNamespace: 'not ours' })
    const error = await storeError(store.get('alice', {}))
    expect(error.code).toBe('InternalError')
    expect(String(error.cause)).toContain('permission denied')
    expect(vault.logins).toBe(2)
  })

  test('a refused token is InternalError', async () => {
    const store = open({ login: { kind: 'token', token: 'hvs.hunter2' } })
    const error = await storeError(store.get('alice', {}))
    expect(error.code).toBe('InternalError')
    expect(everythingOf(error)).not.toContain('hunter2')
  })

  test('a refused login is InternalError, is tried again later, and tells no secret', async () => {
    const store = open({ login: { ...approle(), roleSecret: 'hunter2' } as VaultLogin })
    for (const _ of [1, 2]) {
      const error = await storeError(store.get('alice', {}))
      expect(String(error.cause)).toContain('login: status 400 invalid role or secret ID')
      expect(everythingOf(error)).not.toContain('hunter2')
    }
    expect(vault.requests).toHaveLength(2)
  })

  test('a first caller who goes does not take the login with it', async () => {
    const store = open()
    const gone = new AbortController()
    const leaving = storeError(store.get('alice', { signal: gone.signal }))
    const staying = store.get('alice', {})
    gone.abort()
    await leaving
    expect(await staying).toBeUndefined()
  })
})

describe('failures', () => {
  test.each([
    ['sealed', 503, '{"errors":["Vault is sealed"]}'],
    ['a mount that is not there', 404, '{"errors":["no handler for route \\"kv-v2/data\\""]}'],
    ['a page', 200, '<html>hunter2</html>'],
    ['half an answer', 200, '{"data":{"data":{"alice":{"secret":"hunter2"'],
    ['no data', 200, '{"data":{}}'],
    ['a list', 200, '[]'],
    ['nothing', 200, ''],
    ['a redirect', 307, ''],
  ])('%s is InternalError and is not quoted', async (_, status, body) => {
    const store = open({ login: { kind: 'token', token: VAULT.rootToken } })
    vault.intercept = (_request, response) => response.writeHead(status).end(body)
    for (const answer of [store.get('alice', {}), store.list({}), store.update('alice', {}, {})]) {
      const error = await storeError(answer)
      expect(error.code).toBe('InternalError')
      expect(everythingOf(error)).not.toContain('hunter2')
    }
    vault.intercept = undefined
    expect(await store.get('alice', {})).toBeUndefined()
  })

  test('an answer that breaks off', async () => {
    const store = open()
    vault.intercept = (_, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{"data"')
      setTimeout(() => response.destroy(), 20)
    }
    const { code, ms } = await timed(store.get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeLessThan(SOON_MS)
  })

  test('a silent server: the call ends with its time', async () => {
    const store = open({}, 500)
    vault.intercept = () => undefined
    const { code, ms } = await timed(store.get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeGreaterThan(400)
    expect(ms).toBeLessThan(SOON_MS)
  })

  test('contract 5.3: 10 s', async () => {
    const store = open({ login: { kind: 'token', token: VAULT.rootToken } })
    vault.intercept = () => undefined
    const { code, ms } = await timed(store.get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeGreaterThan(9500)
    expect(ms).toBeLessThan(30_000)
  })

  test('a connection that was closed while idle is not an error', async () => {
    const store = open()
    for (let i = 0; i < 5; i++) {
      vault.intercept = undefined
      expect(await store.get('alice', {})).toBeUndefined()
      // The next request on the connection finds it closed.
      vault.intercept = (request) => {
        vault.intercept = undefined
        request.socket.destroy()
      }
      expect(await store.get('alice', {})).toBeUndefined()
      await sleep(1)
    }
  })
})

describe('TLS', () => {
  const server = makeCertificate()
  const client = makeCertificate()
  let secure: VaultServer

  beforeAll(async () => {
    secure = await startVault({ ...server, ca: client.cert, requestCert: true })
  })
  afterAll(async () => {
    await secure[Symbol.asyncDispose]()
  })

  test('certificates are PEM texts', async () => {
    const store = open({
      endpoint: secure.endpoint,
      serverCert: server.cert,
      clientCert: client.cert,
      clientCertKey: client.key,
    })
    await store.create(alice, {})
    expect(await store.get('alice', {})).toEqual(alice)
  })

  test('without the client certificate the server refuses', async () => {
    const store = open({ endpoint: secure.endpoint, serverCert: server.cert })
    expect((await storeError(store.get('alice', {}))).code).toBe('InternalError')
  })

  test('a server that nobody vouches for is refused', async () => {
    const store = open({ endpoint: secure.endpoint })
    const error = await storeError(store.get('alice', {}))
    expect(String(error.cause)).toContain('self-signed certificate')
  })
})
