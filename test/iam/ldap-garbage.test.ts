import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { AccountStore } from '../../src/auth/iam/account-store.ts'
import { createLdapStore } from '../../src/auth/iam/ldap-store.ts'
import type { LdapStoreConfig } from '../../src/auth/iam/store-config.ts'
import { closeAll, SOON_MS, timed } from '../support/stores.ts'

const stores: AccountStore[] = []

function open(config: LdapStoreConfig, timeoutMs = 10_000): AccountStore {
  const store = createLdapStore(config, { timeoutMs })
  stores.push(store)
  return store
}

afterEach(async () => {
  await closeAll(stores.splice(0))
})

describe('LDAP store on a server that answers garbage', () => {
  let server: Server
  let answer: (socket: Socket, request: Buffer) => void
  const sockets = new Set<Socket>()
  const config = (): LdapStoreConfig => ({
    url: `ldap://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bindDn: 'cn=admin',
    bindPassword: 'password',
    queryBase: 'dc=example',
    objectClasses: ['top'],
    attributes: {
      access: 'uid',
      secret: 'secret',
      role: 'role',
      userId: 'u',
      groupId: 'g',
      projectId: 'p',
    },
    verifyTls: true,
  })

  beforeAll(async () => {
    server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('data', (request) => answer(socket, request))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  const bound = (id: number): Buffer =>
    Buffer.from([0x30, 12, 2, 1, id, 0x61, 7, 10, 1, 0, 4, 0, 4, 0])
  /** Binds whoever asks, and answers the search with these bytes. */
  const answersSearch = (bytes: (id: number) => Buffer) => (socket: Socket, request: Buffer) => {
    const [, , , , id = 0, operation] = request
    socket.write(operation === 0x60 ? bound(id) : bytes(id))
  }

  const GARBAGE: readonly (readonly [name: string, bytes: (id: number) => Buffer])[] = [
    ['text', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['zeros', () => Buffer.alloc(1000)],
    ['random bytes', () => randomBytes(5000)],
    ['a length without end', () => Buffer.from([0x30, 0x80, 2, 1, 1, 0, 0])],
    ['a length of 4 GiB', () => Buffer.from([0x30, 0x84, 255, 255, 255, 255, 2, 1])],
    ['a length of lengths', () => Buffer.from([0x30, 0xff, 1, 1, 1, 1, 1, 1])],
    ['nothing in it', () => Buffer.from([0x30, 0])],
    ['no number', () => Buffer.from([0x30, 5, 2, 0, 0x65, 1, 1])],
    ['an operation that is none', (id) => Buffer.from([0x30, 5, 2, 1, id, 0x7e, 0])],
    // ldapts would read these forever.
    [
      'attributes beyond the end',
      (id) => Buffer.from([0x30, 10, 2, 1, id, 0x64, 5, 4, 0, 0x30, 60, 4]),
    ],
    [
      'attributes that are no sequence',
      (id) => Buffer.from([0x30, 10, 2, 1, id, 0x64, 5, 4, 0, 4, 1, 4]),
    ],
    [
      'values beyond the end',
      (id) =>
        Buffer.from([0x30, 16, 2, 1, id, 0x64, 11, 4, 0, 0x30, 7, 0x30, 5, 4, 1, 97, 0x31, 99]),
    ],
    ['a result cut short', (id) => Buffer.from([0x30, 8, 2, 1, id, 0x65, 3, 10, 1, 0])],
  ]

  test.each(GARBAGE)('%s', async (_, bytes) => {
    answer = answersSearch(bytes)
    const { code, ms } = await timed(open(config(), 2000).get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeLessThan(SOON_MS)
  })

  test.each(GARBAGE)('%s in answer to the bind', async (_, bytes) => {
    answer = (socket, request) => socket.write(bytes(request[4] ?? 0))
    const { code, ms } = await timed(open(config(), 2000).get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeLessThan(SOON_MS)
  })

  test('answers with one bit wrong, two thousand of them', async () => {
    const entry = (id: number): Buffer => {
      const attribute = (type: string, value: string): Buffer => {
        const values = Buffer.concat([Buffer.from([4, value.length]), Buffer.from(value)])
        const body = [
          Buffer.from([4, type.length]),
          Buffer.from(type),
          Buffer.from([0x31, values.length]),
          values,
        ]
        const whole = Buffer.concat(body)
        return Buffer.concat([Buffer.from([0x30, whole.length]), whole])
      }
      const list = Buffer.concat([attribute('uid', 'alice'), attribute('secret', 's')])
      const body = Buffer.concat([Buffer.from([4, 1, 120, 0x30, list.length]), list])
      const operation = Buffer.concat([Buffer.from([2, 1, id, 0x64, body.length]), body])
      const done = Buffer.from([0x30, 12, 2, 1, id, 0x65, 7, 10, 1, 0, 4, 0, 4, 0])
      return Buffer.concat([Buffer.from([0x30, operation.length]), operation, done])
    }
    answer = answersSearch(entry)
    expect(await open(config()).get('alice', {})).toMatchObject({ secret: 's' })
    let seed = 1
    answer = answersSearch((id) => {
      const bytes = entry(id)
      seed = (seed * 48_271) % 0x7fff_ffff
      const bit = seed % (bytes.length * 8)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      return bytes
    })
    const store = open(config(), 300)
    const outcomes = new Set<string>()
    for (let i = 0; i < 40; i++) {
      const results = await Promise.all(
        Array.from({ length: 50 }, () =>
          store.get('alice', {}).then(
            (account) => (account === undefined ? 'nobody' : 'somebody'),
            (error: unknown) => (error as { code: string }).code,
          ),
        ),
      )
      for (const result of results) outcomes.add(result)
    }
    for (const outcome of outcomes)
      expect(['nobody', 'somebody', 'InternalError']).toContain(outcome)
  })

  test('nothing at all', async () => {
    answer = () => undefined
    const { code, ms } = await timed(open(config(), 700).get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeGreaterThan(600)
    expect(ms).toBeLessThan(SOON_MS)
  })

  test('a byte now and then', async () => {
    answer = (socket) => {
      const timer = setInterval(() => socket.write(Buffer.from([0x30])), 50)
      socket.on('close', () => clearInterval(timer))
    }
    const { code, ms } = await timed(open(config(), 700).get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeLessThan(SOON_MS)
  })

  test('closing at once', async () => {
    answer = (socket) => socket.destroy()
    const { code, ms } = await timed(open(config(), 20_000).get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeLessThan(SOON_MS)
  })

  test('entries without end', async () => {
    const flood = Buffer.concat(
      Array.from({ length: 1000 }, () => Buffer.from([0x30, 9, 2, 1, 3, 0x64, 4, 4, 0, 0x30, 0])),
    )
    answer = (socket, request) => {
      if (request[5] === 0x60) {
        socket.write(bound(request[4] ?? 0))
        return
      }
      const more = (): void => {
        while (!socket.destroyed && socket.write(flood));
      }
      socket.on('drain', more)
      more()
    }
    const before = process.memoryUsage().rss
    const { code, ms } = await timed(open(config(), 3000).get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeLessThan(SOON_MS)
    expect(process.memoryUsage().rss - before).toBeLessThan(1024 ** 3)
  })
})
