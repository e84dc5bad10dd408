import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accountDirectory, accountXml, admin } from '../support/admin.ts'
import { useGateway } from '../support/fixture.ts'
import { freePort, scratch } from '../support/gateway.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import { exchange, openConnection, type RawResponse } from '../support/raw-http.ts'

/** Contract 1.2, 5.4, 7.7. */
const MAX_REQUESTS = 2

const dir = mkdtempSync(join(scratch(), 'vgw-admin-port-'))
const { key, cert } = makeCertificate()
const files = { key: join(dir, 'key.pem'), cert: join(dir, 'cert.pem') }
writeFileSync(files.key, key)
writeFileSync(files.cert, cert)
afterAll(() => rmSync(dir, { recursive: true }))

const ports = { plain: 0, tls: 0 }
beforeAll(async () => {
  ports.plain = await freePort()
  ports.tls = await freePort()
})
const place = (port: number): string => `127.0.0.1:${port}`

const iam = { plain: accountDirectory(), tls: accountDirectory() }
const at = useGateway(() => ({
  flags: [
    '--admin-port',
    place(ports.plain),
    '--admin-max-requests',
    String(MAX_REQUESTS),
    '--iam-dir',
    iam.plain,
    '--health',
    '/health',
  ],
}))
const secure = useGateway(() => ({
  flags: [
    '-ap',
    place(ports.tls),
    '--admin-cert',
    files.cert,
    '--admin-cert-key',
    files.key,
    '--iam-dir',
    iam.tls,
  ],
}))

interface Asked {
  readonly body?: string
  readonly sign?: false
  readonly headers?: Record<string, string>
}

const send = (method: string, target: string, request: Asked = {}): Promise<RawResponse> => {
  const headers = { Host: place(ports.plain), ...request.headers }
  const head = at.head(method, target, { ...request, headers })
  return exchange(ports.plain, Buffer.concat([head, Buffer.from(request.body ?? '')]), {
    head: method === 'HEAD',
  })
}

test('the admin API answers there', async () => {
  const body = accountXml({ access: 'u', secret: 's', role: 'user' })
  expect((await send('PATCH', '/create-user', { body })).status).toBe(201)
  expect((await send('PATCH', '/list-users')).element('Access')).toBe('u')
  const headers = { 'x-vgw-owner': 'u' }
  expect((await send('PATCH', '/for-u/create', { headers })).status).toBe(201)
  expect((await at.send('HEAD', '/for-u')).status).toBe(200)
})

test('and has vanished from the S3 port', async () => {
  const answer = await admin(at, '/list-users')
  expect([answer.status, answer.code]).toEqual([405, 'MethodNotAllowed'])
  const preflight = await at.send('OPTIONS', '/list-users', {
    sign: false,
    headers: { Origin: 'http://x', 'Access-Control-Request-Method': 'PATCH' },
  })
  // It asks about a bucket of that name.
  expect(preflight.code).toBe('NoSuchBucket')
})

test.each([
  ['GET', '/'],
  ['GET', '/for-u'],
  ['PUT', '/for-u/key'],
  ['GET', '/health'],
  ['GET', '/metrics'],
  ['PATCH', '/nothing'],
  ['OPTIONS', '/'],
] as const)('anything else is InternalError: %s %s', async (method, target) => {
  for (const request of [{}, { sign: false }] as const) {
    const { status, code, message } = await send(method, target, request)
    expect([status, code, message]).toEqual([
      500,
      'InternalError',
      'We encountered an internal error, please try again.',
    ])
  }
})

test('preflights of every path are answered, without a word of CORS', async () => {
  for (const target of ['/list-users', '/change-bucket-owner/', '/any/create']) {
    const { status, headers } = await send('OPTIONS', target, { sign: false })
    expect(status).toBe(200)
    expect(headers.filter(([name]) => /^access-control/i.test(name))).toEqual([])
  }
})

test('nobody gets in unsigned', async () => {
  const { status, code, header } = await send('PATCH', '/list-users', { sign: false })
  expect([status, code]).toEqual([403, 'AccessDenied'])
  expect(header('x-trace-id')).toMatch(/^[0-9a-f]{32}$/)
})

test('lines of the access log begin with adm there, with vgw at S3', async () => {
  await send('PATCH', '/list-buckets')
  await at.send('GET', '/')
  await at.gateway.waitFor(
    /^\d\d:\d\d:\d\d \| adm \| 200 \| .* \| PATCH \| \/list-buckets \| - \|/m,
  )
  await at.gateway.waitFor(/^\d\d:\d\d:\d\d \| vgw \| 200 \| .* \| GET \| \/ \| - \|/m)
})

test('start-up lines say where', async () => {
  await at.gateway.waitFor(new RegExp(`listening {3}http://${place(at.gateway.port)}\n`))
  await at.gateway.waitFor(new RegExp(`admin API {3}http://${place(ports.plain)}\n`))
  await secure.gateway.waitFor(new RegExp(`admin API {3}https://${place(ports.tls)}\n`))
})

test('its limit of requests is its own', async () => {
  const body = accountXml({ access: 'slow', secret: 's', role: 'user' })
  const held = await Promise.all(
    Array.from({ length: MAX_REQUESTS }, async () => {
      const connection = await openConnection(ports.plain)
      // The head alone: the request waits for its body.
      const headers = { Host: place(ports.plain) }
      connection.write(at.head('PATCH', '/create-user', { body, headers }))
      return connection
    }),
  )
  const deadline = Date.now() + 5000
  let answer = await send('PATCH', '/list-users')
  while (answer.status !== 503 && Date.now() < deadline) answer = await send('PATCH', '/list-users')
  expect([answer.status, answer.code]).toEqual([503, 'SlowDown'])
  expect((await at.send('GET', '/')).status).toBe(200)
  for (const connection of held) connection.close()
})

describe('TLS', () => {
  test('with a certificate of its own, S3 without', async () => {
    const headers = { Host: place(ports.tls) }
    const head = secure.head('PATCH', '/list-users', { headers })
    const answer = await exchange(ports.tls, head, { tls: true })
    expect(answer.text).toContain('<ListUserAccountsResult>')
    expect((await secure.send('GET', '/')).status).toBe(200)
  })

  test('plain HTTP is not answered', async () => {
    const connection = await openConnection(ports.tls)
    connection.write('PATCH /list-users HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await connection.ended()).toBe(true)
    connection.close()
  })
})
