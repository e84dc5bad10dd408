import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import type { ReceivedSpan } from '../support/otlp-protobuf.ts'
import { exchange, openConnection } from '../support/raw-http.ts'
import { foldedTree, misplaced, spanNamed } from '../support/span-tree.ts'
import { traceIdOf, useTracedGateway } from '../support/traced.ts'

const DOUBLE = /_(ms|us|mbps)$/

/** Every attribute of a span with its type on the wire. */
function types(span: ReceivedSpan): Record<string, string> {
  return Object.fromEntries(
    span.attributes.keys().map((key) => [key, span.attributes.typeOf(key) ?? '']),
  )
}

describe.each(['grpc', 'http'] as const)('OTLP over %s', (protocol) => {
  const at = useTracedGateway({ protocol })

  test('a PutObject as the contract draws it (3.4)', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/first`, { body: 'x' })
    const answer = await at.send('PUT', `/${bucket}/k`, {
      body: 'hello',
      headers: { 'User-Agent': 'tests/1' },
    })
    const spans = await at.trace(answer)
    const names = foldedTree(spans)
      .split('\n')
      .map((line) => line.trim())
    expect(names.filter((name) => !/MakeParents|WriteMetadata|Sync|OpenFile/.test(name))).toEqual([
      'S3.PutObject',
      'Auth.V4Signature',
      'Backend.PutObject',
      'Posix.IO.OpenTmpFile',
      'Posix.IO.WriteData',
      'Posix.IO.LinkFile',
    ])
    expect(misplaced(spans)).toEqual([])
    expect(spans.map(({ kind, name }) => [name, kind])).toEqual(
      spans.map(({ name }) => [name, name.startsWith('S3.') ? 'SERVER' : 'INTERNAL']),
    )
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([traceIdOf(answer)]))
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length)
    expect(spans.every(({ flags }) => (flags & 1) === 1)).toBe(true)
    expect(spans.every(({ status }) => status.code !== 'ERROR')).toBe(true)
  })

  test('the root (3.1)', async () => {
    const bucket = await at.bucket()
    const answer = await at.send('PUT', `/${bucket}/k?x-id=PutObject`, {
      body: 'hello',
      headers: { 'User-Agent': 'tests/1' },
    })
    const root = spanNamed(await at.trace(answer), 'S3.PutObject')
    const { attributes } = root
    expect(attributes.toObject()).toMatchObject({
      'http.method': 'PUT',
      'http.url': `/${bucket}/k`,
      'http.status_code': 200,
      'http.client_ip': '127.0.0.1',
      'http.user_agent': 'tests/1',
      'http.request.method': 'PUT',
      'url.path': `/${bucket}/k`,
      'http.response.status_code': 200,
      'client.address': '127.0.0.1',
      'user_agent.original': 'tests/1',
      'server.address': '127.0.0.1',
      'server.port': at.gateway.port,
      'network.protocol.version': '1.1',
      's3.operation': 'PutObject',
      's3.bucket': bucket,
      's3.key': 'k',
      's3.content_length': 5,
      's3.etag': answer.header('etag'),
      'aws.request_id': answer.header('x-amz-request-id'),
      'vgw.sampling.reason': 'head',
    })
    expect(attributes.typeOf('vgw.ttfb_ms')).toBe('double')
    expect(attributes.typeOf('vgw.client_wait_ms')).toBe('double')
    expect(attributes.get('error.type')).toBeUndefined()
  })

  test('Auth, Backend and the file operations (3.2 to 3.4)', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/warm`, { body: 'x' })
    const spans = await at.trace(await at.send('PUT', `/${bucket}/k`, { body: 'hello' }))
    expect(spanNamed(spans, 'Auth.V4Signature').attributes.toObject()).toEqual({
      'auth.method': 'header',
      'auth.payload': 'signed',
      'auth.access_key': at.credentials.access,
      'auth.role': 'admin',
      'auth.is_root': true,
      duration_ms: expect.any(Number) as number,
    })
    expect(spanNamed(spans, 'Backend.PutObject').attributes.toObject()).toEqual({
      'backend.type': 'posix',
      'backend.operation': 'PutObject',
      's3.bucket': bucket,
      's3.key': 'k',
      's3.content_length': 5,
      duration_ms: expect.any(Number) as number,
    })
    expect(spanNamed(spans, 'Posix.IO.OpenTmpFile').attributes.toObject()).toMatchObject({
      'posix.dir': expect.stringMatching(/\.sgwtmp$/) as string,
      'posix.bucket': bucket,
      'posix.object': 'k',
      'posix.size': 5,
      'posix.tmp_method': 'o_tmpfile',
    })
    expect(spanNamed(spans, 'Posix.IO.WriteData').attributes.toObject()).toMatchObject({
      'posix.bytes_written': 5,
      'posix.throughput_mbps': expect.any(Number) as number,
      'posix.io_ms': expect.any(Number) as number,
      'posix.hash_ms': expect.any(Number) as number,
    })
    expect(spanNamed(spans, 'Posix.IO.LinkFile').attributes.toObject()).toMatchObject({
      'posix.bucket': bucket,
      'posix.object': 'k',
      'posix.link_method': 'linkat',
    })
    for (const span of spans.filter(({ name }) => name.startsWith('Posix.IO.'))) {
      expect([span.name, types(span)]).toEqual([
        span.name,
        expect.objectContaining({ 'posix.duration_ms': 'double', 'posix.queue_ms': 'double' }),
      ])
      const ms = Number(span.endNs - span.startNs) / 1e6
      expect(Number(span.attributes.get('posix.duration_ms'))).toBeCloseTo(ms, 3)
    }
    for (const span of spans) {
      for (const [key, type] of Object.entries(types(span)))
        if (DOUBLE.test(key)) expect([key, type]).toEqual([key, 'double'])
    }
  })

  test('throughput is MiB per second of the span', async () => {
    const bucket = await at.bucket()
    const size = 3 * 1024 * 1024
    const put = spanNamed(
      await at.trace(await at.send('PUT', `/${bucket}/k`, { body: Buffer.alloc(size) })),
      'Posix.IO.WriteData',
    )
    const get = spanNamed(await at.trace(await at.send('GET', `/${bucket}/k`)), 'Posix.IO.SendFile')
    for (const span of [put, get]) {
      const seconds = Number(span.endNs - span.startNs) / 1e9
      expect(Number(span.attributes.get('posix.throughput_mbps')) * seconds).toBeCloseTo(3, 1)
    }
    expect(put.attributes.get('posix.bytes_written')).toBe(size)
    expect([
      get.attributes.get('posix.bytes_read'),
      get.attributes.get('posix.range_start'),
    ]).toEqual([size, 0])
  })

  test('time spent waiting for a slow reader stands at the root (3.1)', async () => {
    const bucket = await at.bucket()
    writeFileSync(at.path(bucket, 'k'), Buffer.alloc(30_000_000))
    const connection = await openConnection(at.gateway.port)
    connection.write(at.head('GET', `/${bucket}/k`))
    connection.socket.pause()
    await delay(3000)
    connection.socket.resume()
    const spans = await at.trace(await connection.response())
    connection.close()
    const [root, sent] = [spanNamed(spans, 'S3.GetObject'), spanNamed(spans, 'Posix.IO.SendFile')]
    expect(Number(sent.attributes.get('posix.client_wait_ms'))).toBeGreaterThan(1000)
    expect(Number(root.attributes.get('vgw.client_wait_ms'))).toBeGreaterThan(1000)
    expect(Number(root.attributes.get('vgw.ttfb_ms'))).toBeLessThan(2500)
  })

  test('a range of a large object', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/k`, { body: Buffer.alloc(3_000_000) })
    const spans = await at.trace(
      await at.send('GET', `/${bucket}/k`, { headers: { Range: 'bytes=1000000-2999999' } }),
    )
    const { attributes } = spanNamed(spans, 'Posix.IO.SendFile')
    expect([attributes.get('posix.range_start'), attributes.get('posix.bytes_read')]).toEqual([
      1_000_000, 2_000_000,
    ])
    expect(spanNamed(spans, 'S3.GetObject').attributes.get('s3.content_length')).toBe(2_000_000)
  })

  test('the resource (section 1)', async () => {
    const [span] = await at.trace(await at.send('GET', '/'))
    expect(span?.resource.toObject()).toMatchObject({
      'service.name': 'versitygw',
      'service.version': expect.any(String) as string,
      'service.instance.id': expect.any(String) as string,
      'host.name': expect.any(String) as string,
      'process.pid': expect.any(Number) as number,
      'deployment.environment.name': 'development',
      'deployment.environment': 'development',
    })
  })

  test("a caller's traceparent is continued, its state too", async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    const answer = await at.send('GET', '/', {
      headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'vendor=value' },
    })
    expect(answer.header('x-trace-id')).toBe(traceId)
    const spans = await at.trace(answer)
    const root = spanNamed(spans, 'S3.ListBuckets')
    expect([root.parentSpanId, root.traceState]).toEqual(['b7ad6b7169203331', 'vendor=value'])
  })

  test.each([
    '00-00000000000000000000000000000000-b7ad6b7169203331-01',
    '00-0af7651916cd43dd8448eb211c80319d-0000000000000000-01',
    'ff-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-01',
    '00-0AF7651916CD43DD8448EB211C80319D-b7ad6b7169203331-01',
    'garbage',
    'x'.repeat(5000),
  ])('the traceparent %s starts a new trace', async (traceparent) => {
    const answer = await at.send('GET', '/', {
      headers: { traceparent, tracestate: 'a=b', baggage: 'k=v' },
    })
    expect(answer.status).toBe(200)
    const [root] = await at.trace(answer)
    expect(root?.traceState).toBe('')
    expect(traceparent).not.toContain(traceIdOf(answer))
  })

  test('4xx leaves the status unset and names the error, 5xx is an error', async () => {
    const bucket = await at.bucket()
    const missing = spanNamed(
      await at.trace(await at.send('GET', `/${bucket}/none`)),
      'S3.GetObject',
    )
    expect([missing.status.code, missing.attributes.get('error.type')]).toEqual([
      'UNSET',
      'NoSuchKey',
    ])
    const refused = await at.trace(await at.send('GET', `/${bucket}/none`, { sign: false }))
    expect(spanNamed(refused, 'S3.GetObject').attributes.get('error.type')).toBe('AccessDenied')
    const broken = spanNamed(
      await at.trace(await at.send('GET', `/${bucket}?lifecycle`)),
      'S3.GetBucketLifecycleConfiguration',
    )
    expect([broken.status.code, broken.attributes.get('error.type')]).toEqual([
      'ERROR',
      'NotImplemented',
    ])
    expect(broken.events.map(({ name }) => name)).toEqual(['exception'])
  })

  test('a file operation that fails tells its errno', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/file`, { body: 'x' })
    const spans = await at.trace(await at.send('PUT', `/${bucket}/file/below`, { body: 'x' }))
    const failed = spans.filter(
      ({ name, status }) => name.startsWith('Posix.IO.') && status.code === 'ERROR',
    )
    expect(failed.map(({ attributes }) => attributes.get('error.type'))).toContain('ENOTDIR')
    expect(failed.every(({ events }) => events.some(({ name }) => name === 'exception'))).toBe(true)
  })
})

describe('X-Trace-ID on every answer (section 2)', () => {
  const traced = useTracedGateway()
  const plain = useGateway()
  test.each([
    ['tracing on', traced],
    ['tracing off', plain],
  ])('%s', async (_, at) => {
    const bucket = await at.bucket()
    const body = 'hello'
    const put = await at.send('PUT', `/${bucket}/k`, { body })
    const etag = put.header('etag') ?? ''
    const chunked = at.head('PUT', `/${bucket}/k`, {
      headers: { 'Transfer-Encoding': 'chunked' },
      body: 'x',
      omitLength: true,
    })
    const answers = [
      [200, put],
      [200, await at.send('HEAD', `/${bucket}/k`)],
      [204, await at.send('DELETE', `/${bucket}/none`)],
      [206, await at.send('GET', `/${bucket}/k`, { headers: { Range: 'bytes=0-1' } })],
      [304, await at.send('GET', `/${bucket}/k`, { headers: { 'If-None-Match': etag } })],
      [400, await at.send('GET', `/${bucket}/..`)],
      [403, await at.send('GET', `/${bucket}/k`, { sign: false })],
      [404, await at.send('GET', `/${bucket}/none`)],
      [404, await at.send('HEAD', `/${bucket}/none`)],
      [405, await at.send('POST', '/')],
      [
        411,
        await exchange(
          at.gateway.port,
          Buffer.concat([chunked, Buffer.from('1\r\nx\r\n0\r\n\r\n')]),
        ),
      ],
      [412, await at.send('GET', `/${bucket}/k`, { headers: { 'If-Match': '"x"' } })],
      [416, await at.send('GET', `/${bucket}/k`, { headers: { Range: 'bytes=9-' } })],
      [431, await at.send('GET', '/', { headers: { 'x-long': 'x'.repeat(70_000) } })],
      [501, await at.send('GET', `/${bucket}?lifecycle`)],
      [
        403,
        await at.send('OPTIONS', `/${bucket}/k`, {
          sign: false,
          headers: { Origin: 'http://x', 'Access-Control-Request-Method': 'GET' },
        }),
      ],
      [400, await exchange(at.gateway.port, 'nonsense\r\n\r\n')],
      [400, await exchange(at.gateway.port, 'GET / HTTP/1.1\r\nHost : x\r\n\r\n')],
    ] as const
    const ids = answers.map(([, answer]) => traceIdOf(answer))
    expect(answers.map(([, { status }]) => status)).toEqual(answers.map(([status]) => status))
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('preflights and what cannot be routed have their names (3.1)', async () => {
    const preflight = await traced.send('OPTIONS', '/some-bucket/k', {
      sign: false,
      headers: { Origin: 'http://x', 'Access-Control-Request-Method': 'GET' },
    })
    expect((await traced.trace(preflight)).map(({ name }) => name)).toContain('S3.PreflightOptions')
    const unknown = await traced.trace(await traced.send('POST', '/'))
    expect(unknown.map(({ name }) => name)).toContain('S3.Unknown')
  })

  test('a request that is refused by its route calls no backend, and shows none', async () => {
    const answer = await traced.send('PUT', '/some-bucket/k?uploadId=x', { body: 'x' })
    expect([answer.status, answer.code]).toEqual([405, 'MethodNotAllowed'])
    expect(foldedTree(await traced.trace(answer))).toBe('S3.Unknown\n  Auth.V4Signature')
  })

  test.each([
    ['PutObject', async (bucket: string) => traced.send('PUT', `/${bucket}/k`, { body: 'x' })],
    [
      'PutObject of a large object',
      async (bucket: string) => traced.send('PUT', `/${bucket}/k`, { body: Buffer.alloc(1 << 20) }),
    ],
  ])('the first %s of a bucket makes .sgwtmp without a failed span', async (_, put) => {
    const answer = await put(await traced.bucket())
    expect(answer.status).toBe(200)
    const spans = await traced.trace(answer)
    expect(spans.map(({ name }) => name)).toContain('Posix.IO.MakeParents')
    for (const { name, status, attributes, events } of spans) {
      expect([name, status.code, attributes.get('error.type'), events]).toEqual([
        name,
        'UNSET',
        undefined,
        [],
      ])
    }
  })

  test('a 500, and what its answer, its log line and its trace have in common', async () => {
    const bucket = await traced.bucket()
    // A file where the directory of temporary files has to be: nobody expects that.
    writeFileSync(traced.path(bucket, '.sgwtmp'), 'in the way')
    const answer = await traced.send('PUT', `/${bucket}/k`, { body: 'x' })
    expect([answer.status, answer.code]).toEqual([500, 'InternalError'])
    expect(answer.text).not.toContain(traced.gateway.dir)
    const root = spanNamed(await traced.trace(answer), 'S3.PutObject')
    expect(root.status.code).toBe('ERROR')
    // Beside it there may be `health.changed`, of a backend that has failed for the first time.
    expect(root.events.filter(({ name }) => name === 'exception')).toHaveLength(1)
    await traced.gateway.waitFor(new RegExp(traceIdOf(answer)))
  })
})
