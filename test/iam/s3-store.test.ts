import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { AccountStore } from '../../src/auth/iam/account-store.ts'
import { createS3Store } from '../../src/auth/iam/s3-store.ts'
import type { S3StoreConfig } from '../../src/auth/iam/store-config.ts'
import { accountOf } from '../support/accounts.ts'
import { useGateway } from '../support/fixture.ts'
import {
  closeAll,
  everythingOf,
  HOSTILE_NAMES,
  SOON_MS,
  storeError,
  timed,
} from '../support/stores.ts'

const stores: AccountStore[] = []

function open(config: S3StoreConfig, timeoutMs = 10_000): AccountStore {
  const store = createS3Store(config, { timeoutMs })
  stores.push(store)
  return store
}

afterEach(async () => {
  await closeAll(stores.splice(0))
})

describe('S3 store on a gateway', () => {
  const fixture = useGateway()
  let config: S3StoreConfig
  const text = async (): Promise<string> => {
    const object = await fixture.s3.send(
      new GetObjectCommand({ Bucket: config.bucket, Key: 'users.json' }),
    )
    return (await object.Body?.transformToString()) ?? ''
  }
  const fresh = async (): Promise<AccountStore> => {
    const { endpoint, access, secret } = fixture.gateway
    const bucket = await fixture.bucket()
    config = { endpoint, bucket, access, secret, region: 'us-east-1', verifyTls: true }
    return open(config)
  }

  test('create, get, update, delete, list', async () => {
    const store = await fresh()
    const alice = accountOf('alice', 's1', { role: 'userplus', userId: 7 })
    expect(await store.get('alice', {})).toBeUndefined()
    expect(await store.list({})).toEqual([])
    await store.delete('alice', {})
    await store.create(alice, {})
    await store.create(accountOf('Bob', 's2'), {})
    expect((await storeError(store.create(alice, {}))).code).toBe('XAdminUserExists')
    expect(await store.update('alice', { groupId: 8 }, {})).toEqual({ ...alice, groupId: 8 })
    expect(await store.get('alice', {})).toEqual({ ...alice, groupId: 8 })
    expect((await store.list({})).map(({ access }) => access)).toEqual(['Bob', 'alice'])
    await store.delete('alice', {})
    expect(await store.get('alice', {})).toBeUndefined()
    const missing = await storeError(store.update('alice', { secret: 'x' }, {}))
    expect(missing.code).toBe('XAdminUserNotFound')
  })

  test('contract 5.3: object `users.json` of the same schema', async () => {
    const store = await fresh()
    await store.create(accountOf('u1', 's1'), {})
    expect(await text()).toBe(
      '{"accessAccounts":{"u1":{"access":"u1","secret":"s1","role":"user","userID":0,"groupID":0,"projectID":0}}}',
    )
  })

  test('names with a meaning elsewhere are names', async () => {
    const store = await fresh()
    const names = HOSTILE_NAMES.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const name of names) await store.create(accountOf(name, 's'), {})
    expect((await store.list({})).map(({ access }) => access)).toEqual(names)
    for (const name of names) await store.delete(name, {})
    expect(await text()).toBe('{"accessAccounts":{}}')
  })

  test('two gateways that change it at once lose nothing', async () => {
    const one = await fresh()
    const other = open(config)
    const names = Array.from({ length: 20 }, (_, i) => `user${String(i).padStart(2, '0')}`)
    await Promise.all(
      names.map((name, i) => (i % 2 === 0 ? one : other).create(accountOf(name, 's'), {})),
    )
    expect((await one.list({})).map(({ access }) => access)).toEqual(names)
    const both = await Promise.allSettled([
      one.create(accountOf('same', 'one'), {}),
      other.create(accountOf('same', 'other'), {}),
    ])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })

  test('a bucket that is not there is InternalError, not an empty store', async () => {
    await fresh()
    const store = open({ ...config, bucket: 'nowhere' })
    expect((await storeError(store.get('alice', {}))).code).toBe('InternalError')
    expect((await storeError(store.create(accountOf('a', 's'), {}))).code).toBe('InternalError')
  })

  test('wrong keys are InternalError, and the secret appears nowhere', async () => {
    await fresh()
    const error = await storeError(open({ ...config, secret: 'hunter2' }).get('alice', {}))
    expect(String(error.cause)).toContain('403')
    expect(everythingOf(error)).not.toContain('hunter2')
  })

  test('what is no such document is InternalError and is not quoted', async () => {
    const store = await fresh()
    for (const Body of ['["hunter2', '[]', 'null', '{"accessAccounts":"hunter2"}']) {
      await fixture.s3.send(
        new PutObjectCommand({ Bucket: config.bucket, Key: 'users.json', Body }),
      )
      const error = await storeError(store.create(accountOf('a', 's'), {}))
      expect(error.code).toBe('InternalError')
      expect(everythingOf(error)).not.toContain('hunter2')
      expect(await text()).toBe(Body)
    }
  })
})

describe('S3 store on other endpoints', () => {
  let server: Server
  let serve: (request: IncomingMessage, response: ServerResponse, body: string) => void
  const requests: IncomingMessage[] = []
  const config = (): S3StoreConfig => ({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bucket: 'iam',
    access: 'AK',
    secret: 'SK',
    region: 'us-east-1',
    verifyTls: true,
  })
  const refuse = (response: ServerResponse, status: number, code: string): void => {
    response.writeHead(status, { 'content-type': 'application/xml' })
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`)
  }

  beforeAll(async () => {
    server = createServer((request, response) => {
      requests.push(request)
      let body = ''
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      request.on('end', () => serve(request, response, body))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  /** A bucket without conditional writes; `onPut` may play a rival. */
  const unconditional = (onPut: (body: string) => string) => {
    let object: string | undefined
    serve = (request, response, body) => {
      if (request.method === 'PUT') {
        const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers
        if (ifMatch !== undefined || ifNoneMatch !== undefined)
          return refuse(response, 501, 'NotImplemented')
        object = onPut(body)
        response.writeHead(200, { etag: '"x"' }).end()
        return
      }
      if (object === undefined) return refuse(response, 404, 'NoSuchKey')
      response.writeHead(200, { etag: '"x"' }).end(object)
    }
    return { content: () => object }
  }

  test('without conditional writes it writes plainly', async () => {
    const bucket = unconditional((body) => body)
    const store = open(config())
    await store.create(accountOf('alice', 's'), {})
    expect(await store.update('alice', { userId: 3 }, {})).toMatchObject({ userId: 3 })
    await store.create(accountOf('bob', 's'), {})
    await store.delete('alice', {})
    expect(bucket.content()).toContain('"bob"')
    expect(bucket.content()).not.toContain('"alice"')
  })

  test('without conditional writes a change that a rival overwrote is made again', async () => {
    let puts = 0
    const bucket = unconditional((body) => {
      puts += 1
      const rival = '{"accessAccounts":{"rival":{"access":"rival","secret":"r","role":"user"}}}'
      return puts === 1 ? rival : body
    })
    await open(config()).create(accountOf('alice', 's'), {})
    expect(puts).toBe(2)
    expect(bucket.content()).toMatch(/"alice".*"rival"/)
  })

  test('the trace context goes with the request, outside of its signature', async () => {
    serve = (_, response) => refuse(response, 404, 'NoSuchKey')
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    requests.length = 0
    await open(config()).get('alice', { traceHeaders: { traceparent } })
    expect(requests[0]?.headers['traceparent']).toBe(traceparent)
    expect(requests[0]?.headers.authorization).toContain('SignedHeaders=host;')
    expect(requests[0]?.headers.authorization).not.toContain('traceparent')
  })

  test.each([
    ['an error', 500, 'oops'],
    ['a redirect', 301, ''],
    ['a forbidden', 403, '<Error><Code>AccessDenied</Code></Error>'],
    ['a 404 that is not about the key', 404, '<Error><Code>NoSuchBucket</Code></Error>'],
    ['a page', 200, '<html>'],
  ])('%s is InternalError', async (_, status, body) => {
    serve = (_request, response) => response.writeHead(status, { location: '/' }).end(body)
    expect((await timed(open(config()).get('alice', {}))).code).toBe('InternalError')
  })

  test('a silent endpoint', async () => {
    serve = () => undefined
    const { code, ms } = await timed(open(config(), 500).get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeGreaterThan(400)
    expect(ms).toBeLessThan(SOON_MS)
  })

  test('an answer that drips', async () => {
    serve = (_, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(timer))
    }
    const { code, ms } = await timed(open(config(), 500).get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeLessThan(SOON_MS)
  })

  test('a conflict that never ends, ends with the time of the call', async () => {
    serve = (request, response) =>
      request.method === 'PUT'
        ? refuse(response, 412, 'PreconditionFailed')
        : refuse(response, 404, 'NoSuchKey')
    const { code, ms } = await timed(open(config(), 700).create(accountOf('a', 's'), {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeLessThan(SOON_MS)
  })

  test('nobody there', async () => {
    const store = open({ ...config(), endpoint: 'http://127.0.0.1:1' })
    const { code, ms } = await timed(store.get('alice', {}))
    expect(code).toBe('InternalError')
    expect(ms).toBeLessThan(SOON_MS)
  })
})
