import { describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { exchange, openConnection } from '../support/raw-http.ts'

const at = useGateway({
  flags: ['--health', '/health', '--header-timeout', '2s', '--idle-timeout', '3s'],
})
const UNSUPPORTED = [
  'analytics',
  'encryption',
  'intelligent-tiering',
  'inventory',
  'lifecycle',
  'logging',
  'requestPayment',
  'metrics',
  'replication',
  'publicAccessBlock',
  'notification',
  'accelerate',
]

describe('Operations that are not there', () => {
  test.each(UNSUPPORTED)('GET and PUT ?%s: NotImplemented', async (name) => {
    const bucket = await at.bucket()
    for (const method of ['GET', 'PUT']) {
      const { status, code } = await at.send(method, `/${bucket}?${name}`)
      expect([method, status, code]).toEqual([method, 501, 'NotImplemented'])
    }
    const missing = await at.send('GET', `/no-such-bucket?${name}`)
    expect([missing.status, missing.code]).toEqual([404, 'NoSuchBucket'])
    const anonymous = await at.send('GET', `/${bucket}?${name}`, { sign: false })
    expect([anonymous.status, anonymous.code]).toEqual([403, 'AccessDenied'])
  })

  test('versioning: VersioningNotConfigured, where there is no place for versions', async () => {
    const bucket = await at.bucket()
    const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
    const answers = [
      await at.send('GET', `/${bucket}?versioning`),
      await at.send('PUT', `/${bucket}?versioning`, { body }),
    ]
    for (const { status, code } of answers)
      expect([status, code]).toEqual([501, 'VersioningNotConfigured'])
  })

  test.each(['acl'])('object ?%s: NotImplemented', async (name) => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/k`, { body: 'x' })
    for (const method of ['GET', 'PUT']) {
      const { status, code } = await at.send(method, `/${bucket}/k?${name}`)
      expect([method, status, code]).toEqual([method, 501, 'NotImplemented'])
    }
    // Never taken for the operation without the parameter.
    expect((await at.send('GET', `/${bucket}/k`)).text).toBe('x')
  })

  test('RestoreObject', async () => {
    const bucket = await at.bucket()
    const { status, code } = await at.send('POST', `/${bucket}/k?restore`)
    expect([status, code]).toEqual([501, 'NotImplemented'])
  })

  test('methods that no resource has', async () => {
    const bucket = await at.bucket()
    const service = await at.send('POST', '/')
    expect([
      service.status,
      service.code,
      service.element('Method'),
      service.element('ResourceType'),
    ]).toEqual([405, 'MethodNotAllowed', 'POST', 'SERVICE'])
    for (const [method, target] of [
      ['POST', `/${bucket}/k`],
      ['PATCH', `/${bucket}/k`],
      ['DELETE', '/'],
    ] as const) {
      const { status } = await at.send(method, target)
      expect([method, target, [405, 501].includes(status)]).toEqual([method, target, true])
    }
  })
})

describe('HTTP', () => {
  test('a Content-Length is required with Transfer-Encoding (contract 3.1)', async () => {
    const bucket = await at.bucket()
    const head = at.head('PUT', `/${bucket}/k`, {
      headers: { 'Transfer-Encoding': 'chunked' },
      body: 'x',
      omitLength: true,
    })
    const { status, code } = await exchange(
      at.gateway.port,
      Buffer.concat([head, Buffer.from('1\r\nx\r\n0\r\n\r\n')]),
    )
    expect([status, code]).toEqual([411, 'MissingContentLength'])
  })

  test('a head that is too long', async () => {
    const large = await at.send('GET', '/', { headers: { 'x-long': 'x'.repeat(9000) } })
    expect([large.status, large.code, large.element('MaxSizeAllowed')]).toEqual([
      400,
      'RequestHeaderSectionTooLarge',
      '8192',
    ])
    const huge = await at.send('GET', '/', { headers: { 'x-long': 'x'.repeat(70_000) } })
    expect([400, 431]).toContain(huge.status)
    expect(huge.header('x-trace-id')).toMatch(/^[0-9a-f]{32}$/)
  })

  test('every answer has its frame', async () => {
    const { header } = await at.send('GET', '/')
    expect(header('server')).toBe('VERSITYGW')
    expect(header('date')).toMatch(/ GMT$/)
    expect(header('x-amz-request-id')).toMatch(/^[A-Z0-9]{16}$/)
    expect(header('x-amz-id-2')).toMatch(/^[A-Za-z0-9+/=]{88}$/)
    expect(header('x-trace-id')).toMatch(/^[0-9a-f]{32}$/)
  })

  test('request ids stand in the error document', async () => {
    const { element, header } = await at.send('GET', '/no-such-bucket')
    expect(element('RequestId')).toBe(header('x-amz-request-id'))
    expect(element('HostId')).toBe(header('x-amz-id-2'))
  })

  test('what is no HTTP', async () => {
    const { status, code, header } = await exchange(at.gateway.port, 'garbage\r\n\r\n')
    expect([status, code]).toEqual([400, 'BadRequest'])
    expect(header('x-trace-id')).toMatch(/^[0-9a-f]{32}$/)
    expect(header('connection')).toBe('close')
  })

  test('HTTP/1.0, and Connection: close', async () => {
    const bucket = await at.bucket()
    const old = await openConnection(at.gateway.port)
    old.write(at.head('GET', `/${bucket}`).toString('latin1').replace('HTTP/1.1', 'HTTP/1.0'))
    expect((await old.response()).status).toBe(200)
    expect(await old.ended()).toBe(true)
    const close = await openConnection(at.gateway.port)
    close.write(at.head('GET', `/${bucket}`, { headers: { Connection: 'close' } }))
    expect((await close.response()).header('connection')).toBe('close')
    expect(await close.ended()).toBe(true)
  })

  test('health needs no signature', async () => {
    const { status, text, header } = await at.send('GET', '/health', { sign: false })
    expect([status, text]).toEqual([200, 'OK'])
    expect(header('content-type')).toBe('text/plain; charset=utf-8')
  })

  test('health of HTTP/1.0, which needs no Host: so load balancers ask', async () => {
    const old = await openConnection(at.gateway.port)
    old.write('GET /health HTTP/1.0\r\n\r\n')
    const { status, text } = await old.response()
    expect([status, text]).toEqual([200, 'OK'])
    expect(await old.ended()).toBe(true)
  })

  test('OPTIONS', async () => {
    const bucket = await at.bucket()
    const { status, header } = await at.send('OPTIONS', `/${bucket}/k`, {
      sign: false,
      headers: { Origin: 'http://x', 'Access-Control-Request-Method': 'GET' },
    })
    expect(status).toBe(403)
    expect(header('x-trace-id')).toMatch(/^[0-9a-f]{32}$/)
    expect(header('access-control-allow-origin')).toBeUndefined()
  })

  test('heads that do not come to an end, and connections that do nothing', async () => {
    const slow = await openConnection(at.gateway.port)
    slow.write('GET / HTTP/1.1\r\nHost: x\r\n')
    const idle = await openConnection(at.gateway.port)
    idle.write(at.head('GET', '/'))
    await idle.response()
    expect(await slow.ended(20_000)).toBe(true)
    expect(await idle.ended(20_000)).toBe(true)
  })
})

describe('Keep-alive turned off', () => {
  const off = useGateway({ flags: ['--keep-alive=false'] })
  test('every answer closes its connection (contract 1.2)', async () => {
    const connection = await openConnection(off.gateway.port)
    connection.write(off.head('GET', '/'))
    expect((await connection.response()).header('connection')).toBe('close')
    expect(await connection.ended()).toBe(true)
  })
})

describe('Read-only', () => {
  const readonly = useGateway({ flags: ['--readonly'] })
  test('nothing that writes passes, copies included (contract 9.2, 8)', async () => {
    const bucket = await readonly.bucket()
    for (const [method, target, headers] of [
      ['PUT', `/${bucket}/k`, {}],
      ['PUT', `/${bucket}/k`, { 'x-amz-copy-source': `${bucket}/s` }],
      ['PUT', '/another-bucket', {}],
      ['DELETE', `/${bucket}/k`, {}],
      ['DELETE', `/${bucket}`, {}],
      ['POST', `/${bucket}/k?uploads`, {}],
    ] as const) {
      const { status, code } = await readonly.send(method, target, { headers })
      expect([method, target, status, code]).toEqual([method, target, 403, 'AccessDenied'])
    }
    expect((await readonly.send('GET', `/${bucket}`)).status).toBe(200)
  })
})

describe('Virtual hosts', () => {
  const virtual = useGateway({ flags: ['--virtual-domain', 'example.test'] })
  test('the bucket is in the name of the host (contract 6.1)', async () => {
    const bucket = await virtual.bucket()
    const headers = { Host: `${bucket}.example.test` }
    expect((await virtual.send('PUT', '/a/k', { headers, body: 'x' })).status).toBe(200)
    expect((await virtual.send('GET', '/?list-type=2', { headers })).elements('Key')).toEqual([
      'a/k',
    ])
    expect((await virtual.send('GET', `/${bucket}/a/k`)).text).toBe('x')
  })
})
