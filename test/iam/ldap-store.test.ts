import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { AccountStore } from '../../src/auth/iam/account-store.ts'
import { createLdapStore } from '../../src/auth/iam/ldap-store.ts'
import type { LdapStoreConfig } from '../../src/auth/iam/store-config.ts'
import { accountOf } from '../support/accounts.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import { startSlapd, type Slapd } from '../support/slapd.ts'
import {
  closeAll,
  everythingOf,
  HOSTILE_NAMES,
  SOON_MS,
  storeError,
  timed,
} from '../support/stores.ts'
import { findTool } from '../support/tools.ts'

const program = findTool('slapd')
const stores: AccountStore[] = []

function open(config: LdapStoreConfig, timeoutMs = 10_000): AccountStore {
  const store = createLdapStore(config, { timeoutMs })
  stores.push(store)
  return store
}

afterEach(async () => {
  await closeAll(stores.splice(0))
})

const alice = accountOf('alice', 'alice secret', {
  role: 'userplus',
  userId: 7,
  groupId: 8,
  projectId: 9,
})

describe.skipIf(program === undefined)('LDAP store on slapd', () => {
  let slapd: Slapd

  beforeAll(async () => {
    slapd = await startSlapd(program ?? '')
  })
  afterAll(async () => {
    await slapd[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    const store = createLdapStore(slapd.config)
    for (const { access } of await store.list({})) await store.delete(access, {})
    await store.close()
  })

  const person = (uid: string, attributes: Readonly<Record<string, string | string[]>>) =>
    slapd.add(`uid=${uid},ou=iam`, { objectClass: 'gatewayAccount', uid, ...attributes })

  test('create, get, update, delete, list', async () => {
    const store = open(slapd.config)
    expect(await store.get('alice', {})).toBeUndefined()
    await store.create(alice, {})
    await store.create(accountOf('Bob', 'b'), {})
    expect(await store.get('alice', {})).toEqual(alice)
    expect((await storeError(store.create(alice, {}))).code).toBe('XAdminUserExists')
    expect(await store.update('alice', { role: 'admin', userId: 0 }, {})).toEqual({
      ...alice,
      role: 'admin',
      userId: 0,
    })
    expect(await store.update('alice', {}, {})).toMatchObject({ role: 'admin' })
    expect((await store.list({})).map(({ access }) => access)).toEqual(['Bob', 'alice'])
    await store.delete('alice', {})
    await store.delete('alice', {})
    expect(await store.get('alice', {})).toBeUndefined()
    expect((await storeError(store.update('alice', { secret: 'x' }, {}))).code).toBe(
      'XAdminUserNotFound',
    )
  })

  test('contract 5.3: DN `{access-atr}={access},{query-base}`', async () => {
    await open(slapd.config).create(alice, {})
    expect(await slapd.names()).toContain('uid=alice,ou=iam,dc=example,dc=org')
  })

  test('a listing of more accounts than the directory gives at once', async () => {
    const store = open(slapd.config)
    const names = Array.from({ length: 1100 }, (_, i) => `user${String(i).padStart(4, '0')}`)
    for (let i = 0; i < names.length; i += 50) {
      await Promise.all(
        names.slice(i, i + 50).map((name) => store.create(accountOf(name, 's'), {})),
      )
    }
    expect((await store.list({})).map(({ access }) => access)).toEqual(names)
  })

  test('accounts deeper below the query base are found, those outside are not', async () => {
    await slapd.add('ou=deep,ou=iam', { objectClass: 'organizationalUnit' })
    await slapd.add('uid=carol,ou=deep,ou=iam', {
      objectClass: 'gatewayAccount',
      gatewaySecret: 'c',
    })
    await slapd.add('uid=outsider', { objectClass: 'gatewayAccount', gatewaySecret: 'o' })
    const store = open(slapd.config)
    expect(await store.get('carol', {})).toMatchObject({ secret: 'c' })
    expect((await storeError(store.create(accountOf('carol', 'x'), {}))).code).toBe(
      'XAdminUserExists',
    )
    expect(await store.get('outsider', {})).toBeUndefined()
    await store.delete('carol', {})
    expect(await store.get('carol', {})).toBeUndefined()
  })

  describe('threats A14: metacharacters in an access key are part of it', () => {
    test('a name that is not there matches nothing', async () => {
      const store = open(slapd.config)
      await store.create(alice, {})
      for (const name of HOSTILE_NAMES) {
        expect(await store.get(name, {})).toBeUndefined()
        await store.delete(name, {})
        const { code } = await storeError(store.update(name, { secret: 'stolen' }, {}))
        expect(code).toBe('XAdminUserNotFound')
      }
      expect(await store.list({})).toEqual([alice])
    })

    test.each(HOSTILE_NAMES)('an account named %j is one like any other', async (name) => {
      const store = open(slapd.config)
      await store.create(alice, {})
      const account = { ...alice, access: name, secret: 'its own' }
      await store.create(account, {})
      expect(await store.get(name, {})).toEqual(account)
      expect((await store.list({})).length).toBe(2)
      await store.update(name, { groupId: 1 }, {})
      expect(await store.get('alice', {})).toEqual(alice)
      await store.delete(name, {})
      expect(await store.list({})).toEqual([alice])
      expect((await slapd.names()).filter((dn) => !dn.includes('ou=iam'))).toEqual([
        'dc=example,dc=org',
        'uid=outsider,dc=example,dc=org',
      ])
    })

    test('the empty name', async () => {
      expect(await open(slapd.config).get('', {})).toBeUndefined()
    })

    test('the directory takes Alice for alice, the gateway does not', async () => {
      const store = open(slapd.config)
      await store.create(alice, {})
      expect(await store.get('Alice', {})).toBeUndefined()
      expect(await store.get(' alice', {})).toBeUndefined()
      await store.delete('ALICE', {})
      expect((await storeError(store.update('Alice', { secret: 'x' }, {}))).code).toBe(
        'XAdminUserNotFound',
      )
      expect((await storeError(store.create(accountOf('Alice', 'x'), {}))).code).toBe(
        'XAdminUserExists',
      )
      expect(await store.list({})).toEqual([alice])
    })
  })

  describe('attributes that are missing or odd', () => {
    test.each([
      ['no role', {}, { role: 'user' }],
      ['a role that is none', { gatewayRole: 'king' }, { role: 'user' }],
      ['a role in other case', { gatewayRole: 'Admin' }, { role: 'user' }],
      ['no ids', {}, { userId: 0, groupId: 0, projectId: 0 }],
      ['ids', { gatewayUserId: '1001', gatewayGroupId: '0' }, { userId: 1001, groupId: 0 }],
    ])('%s', async (_, attributes, expected) => {
      await person('odd', { gatewaySecret: 's', ...attributes })
      const store = open(slapd.config)
      expect(await store.get('odd', {})).toMatchObject(expected)
      expect(await store.list({})).toHaveLength(1)
    })

    test.each([
      ['an id that is no number', { gatewayUserId: 'abc' }],
      ['a negative id', { gatewayGroupId: '-1' }],
      ['an id beyond those of files', { gatewayUserId: '4294967295' }],
      ['several ids', { gatewayUserId: ['1', '2'] }],
      ['several secrets', { gatewaySecret: ['s', 't'] }],
    ])('%s: InternalError, left out of lists, mended by an update', async (_, attributes) => {
      await person('odd', { gatewaySecret: 's', ...attributes })
      const store = open(slapd.config)
      const error = await storeError(store.get('odd', {}))
      expect(error.code).toBe('InternalError')
      expect(String(error.cause)).toContain('odd')
      expect(await store.list({})).toEqual([])
      const mended = { secret: 'new', userId: 1, groupId: 2 }
      expect(await store.update('odd', mended, {})).toMatchObject(mended)
    })

    test('a person without a secret has no account here', async () => {
      await person('person', { gatewayRole: 'admin' })
      const store = open(slapd.config)
      expect(await store.get('person', {})).toBeUndefined()
      expect(await store.list({})).toEqual([])
      await store.delete('person', {})
    })
  })

  test('a wrong password is InternalError, and appears nowhere', async () => {
    const store = open({ ...slapd.config, bindPassword: 'hunter2-hunter2' })
    const error = await storeError(store.get('alice', {}))
    expect(error.code).toBe('InternalError')
    expect(everythingOf(error)).toContain('account store ldap: bind:')
    expect(everythingOf(error)).not.toContain('hunter2')
  })

  test('a query base that does not exist is InternalError', async () => {
    const store = open({ ...slapd.config, queryBase: 'ou=nowhere,dc=example,dc=org' })
    expect((await storeError(store.get('alice', {}))).code).toBe('InternalError')
    expect((await storeError(store.list({}))).code).toBe('InternalError')
  })

  test('a thousand look-ups at a time share one connection', async () => {
    const store = open(slapd.config)
    await store.create(alice, {})
    const found = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => store.get(i % 2 === 0 ? 'alice' : `nobody${i}`, {})),
    )
    expect(found.filter((account) => account !== undefined)).toHaveLength(500)
  })

  test('who asks beyond the queue is answered SlowDown', async () => {
    const store = open(slapd.config)
    const answers = Array.from({ length: 2000 }, () =>
      store.get('alice', {}).then(
        () => 'answered',
        (error: unknown) => (error as { code: string }).code,
      ),
    )
    const codes = new Set(await Promise.all(answers))
    expect(codes).toEqual(new Set(['answered', 'SlowDown']))
  })
})

describe.skipIf(program === undefined)('LDAP store while slapd fails', () => {
  let slapd: Slapd

  beforeAll(async () => {
    slapd = await startSlapd(program ?? '')
    const store = createLdapStore(slapd.config)
    await store.create(alice, {})
    await store.close()
  })
  afterAll(async () => {
    await slapd[Symbol.asyncDispose]()
  })

  test('killed: InternalError at once; started again: answers', async () => {
    const store = open(slapd.config)
    expect(await store.get('alice', {})).toEqual(alice)
    await slapd.kill('SIGKILL')
    const { code, ms } = await timed(store.get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeLessThan(SOON_MS)
    await slapd.start()
    expect(await store.get('alice', {})).toEqual(alice)
  })

  test('restarted while nobody asked: the first look-up is answered', async () => {
    const store = open(slapd.config)
    expect(await store.get('alice', {})).toEqual(alice)
    await slapd.kill('SIGTERM')
    await slapd.start()
    expect(await store.get('alice', {})).toEqual(alice)
    expect(await store.update('alice', { projectId: 9 }, {})).toEqual(alice)
  })

  test('stopped: look-ups end with their time, more of them wait for it too; continued: answers', async () => {
    const store = open(slapd.config, 2000)
    expect(await store.get('alice', {})).toEqual(alice)
    await slapd.kill('SIGSTOP')
    try {
      // On the connection that stands, then on one that is made anew and never bound.
      for (const _ of [1, 2]) {
        const all = await Promise.all(
          Array.from({ length: 100 }, () => timed(store.get('alice', {}))),
        )
        for (const { code, ms } of all) {
          expect(code).toBe('InternalError')
          expect(ms).toBeGreaterThan(1900)
          expect(ms).toBeLessThan(SOON_MS)
        }
      }
    } finally {
      await slapd.kill('SIGCONT')
    }
    await sleep(100)
    expect(await store.get('alice', {})).toEqual(alice)
  })

  test('its time is 10 s unless told', async () => {
    const store = createLdapStore(slapd.config)
    stores.push(store)
    expect(await store.get('alice', {})).toEqual(alice)
    await slapd.kill('SIGSTOP')
    const { code, ms } = await timed(store.get('alice', {}))
    await slapd.kill('SIGCONT')
    expect(code).toBe('InternalError')
    expect(ms).toBeGreaterThan(9500)
    expect(ms).toBeLessThan(30_000)
  })

  test('a caller who goes ends only its own call', async () => {
    const store = open(slapd.config)
    expect(await store.get('alice', {})).toEqual(alice)
    const gone = new AbortController()
    const leaving = storeError(store.get('alice', { signal: gone.signal }))
    const staying = store.get('alice', {})
    gone.abort()
    expect((await leaving).code).toBe('InternalError')
    expect(await staying).toEqual(alice)
  })

  test('a closed store answers no more', async () => {
    const store = open(slapd.config)
    expect(await store.get('alice', {})).toEqual(alice)
    await store.close()
    expect((await storeError(store.get('alice', {}))).code).toBe('InternalError')
  })
})

describe.skipIf(program === undefined)('LDAP store over TLS', () => {
  let slapd: Slapd

  beforeAll(async () => {
    slapd = await startSlapd(program ?? '', { tls: makeCertificate() })
  })
  afterAll(async () => {
    await slapd[Symbol.asyncDispose]()
  })

  test('a certificate that nobody vouches for is refused', async () => {
    const error = await storeError(open({ ...slapd.config, verifyTls: true }).get('alice', {}))
    expect(error.code).toBe('InternalError')
    expect(String(error.cause)).toContain('self-signed certificate')
  })

  test('unless told otherwise', async () => {
    const store = open(slapd.config)
    await store.create(alice, {})
    expect(await store.get('alice', {})).toEqual(alice)
  })
})
