import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { signedChunks, unsignedChunks, type ChunkedOptions } from '../support/aws-chunked.ts'
import { checksum, md5Hex, type ChecksumName } from '../support/checksums.ts'
import { useGateway, type RawRequest } from '../support/fixture.ts'
import { openConnection, type RawConnection, type RawResponse } from '../support/raw-http.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import { signHeaders, type HeaderList } from '../support/sigv4.ts'
import { strayFiles } from '../support/tree.ts'
import { findPython, run } from '../support/tools.ts'

const at = useGateway({ flags: ['--stall-timeout', '2s'] })
const body = randomBytes(200_000)
const SIGNED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
const SIGNED_TRAILER = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'
const UNSIGNED_TRAILER = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
let bucket = ''

beforeEach(async () => {
  bucket = await at.bucket()
})

interface Chunked extends ChunkedOptions {
  readonly payloadHash: string
  readonly headers?: Readonly<Record<string, string>>
  /** Claimed in x-amz-decoded-content-length; unless given, the truth. */
  readonly decodedLength?: number
  /** What is sent instead of the framed body. */
  readonly change?: (framed: Buffer) => Buffer
}

/** One aws-chunked upload of `data` to `k`. */
async function putChunked(data: Buffer, options: Chunked): Promise<RawResponse> {
  const {
    payloadHash,
    trailers,
    headers = {},
    decodedLength = data.length,
    change = (framed) => framed,
  } = options
  const build = (length: number) => {
    const list: HeaderList = [
      ['Host', at.host],
      ['Content-Encoding', 'aws-chunked'],
      ['Content-Length', String(length)],
      ['x-amz-decoded-content-length', String(decodedLength)],
      ...(trailers === undefined
        ? []
        : [['x-amz-trailer', trailers.map(([name]) => name).join(',')] as const]),
      ...Object.entries(headers),
    ]
    return signHeaders({ method: 'PUT', target: `/${bucket}/k`, headers: list }, at.credentials, {
      payloadHash,
    })
  }
  const frame = (length: number) => {
    const signed = build(length)
    const isSigned = payloadHash.startsWith('STREAMING-AWS4')
    const framed = isSigned ? signedChunks(data, signed, options) : unsignedChunks(data, options)
    return { signed, framed: change(framed) }
  }
  // Content-Length is not signed, so the length does not change the signatures.
  const { framed } = frame(0)
  const { signed } = frame(framed.length)
  const lines = signed.headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const connection = await openConnection(at.gateway.port)
  connection.write(`PUT /${bucket}/k HTTP/1.1\r\n${lines}\r\n`)
  connection.write(framed)
  const response = await connection.response()
  connection.close()
  return response
}

const stored = (): Buffer => readFileSync(at.path(bucket, 'k'))

/** The object that was there is there still, and nothing else. */
async function expectNothingChanged(): Promise<void> {
  for (let i = 0; strayFiles(at.path(bucket)).length > 1 && i < 40; i++) await delay(50)
  expect(strayFiles(at.path(bucket))).toEqual(['k'])
  expect(readFileSync(at.path(bucket, 'k'), 'utf8')).toBe('old')
}

describe('Payloads that are right', () => {
  test('signed and UNSIGNED-PAYLOAD', async () => {
    expect((await at.send('PUT', `/${bucket}/k`, { body })).status).toBe(200)
    expect(
      (await at.send('PUT', `/${bucket}/k`, { body, payloadHash: 'UNSIGNED-PAYLOAD' })).status,
    ).toBe(200)
    expect(Buffer.compare(stored(), body)).toBe(0)
  })

  test.each([8192, 65_536, 100_000, 1_000_000])('signed chunks of %i bytes', async (chunkSize) => {
    const { status, header } = await putChunked(body, { payloadHash: SIGNED, chunkSize })
    expect([status, header('etag')]).toEqual([200, `"${md5Hex(body)}"`])
    expect(Buffer.compare(stored(), body)).toBe(0)
    expect((await at.send('HEAD', `/${bucket}/k`)).header('content-encoding')).toBeUndefined()
  })

  test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)(
    'trailers with %s',
    async (algorithm: ChecksumName) => {
      const name = `x-amz-checksum-${algorithm.toLowerCase()}`
      const trailers = [[name, checksum(algorithm, body)]] as const
      for (const payloadHash of [SIGNED_TRAILER, UNSIGNED_TRAILER]) {
        const { status, header } = await putChunked(body, { payloadHash, trailers })
        expect([payloadHash, status, header(name)]).toEqual([
          payloadHash,
          200,
          checksum(algorithm, body),
        ])
        expect(Buffer.compare(stored(), body)).toBe(0)
      }
    },
  )

  test('an empty one, and one that is a single small chunk', async () => {
    for (const data of [Buffer.alloc(0), Buffer.from('x')]) {
      expect((await putChunked(data, { payloadHash: SIGNED })).status).toBe(200)
      expect(Buffer.compare(stored(), data)).toBe(0)
    }
  })
})

describe('Chunked bodies that lie (A11)', () => {
  beforeEach(async () => {
    await at.send('PUT', `/${bucket}/k`, { body: 'old' })
  })
  const flip = (signature: string): string =>
    (signature.startsWith('0') ? '1' : '0') + signature.slice(1)
  const crc = [['x-amz-checksum-crc32', checksum('CRC32', body)]] as const
  const cases: [name: string, options: Chunked, status: number, codes: string[]][] = [
    [
      'signature of the first chunk',
      { payloadHash: SIGNED, mangle: (s, n) => (n === 0 ? flip(s) : s) },
      403,
      ['SignatureDoesNotMatch'],
    ],
    [
      'signature of a middle chunk',
      { payloadHash: SIGNED, mangle: (s, n) => (n === 2 ? flip(s) : s) },
      403,
      ['SignatureDoesNotMatch'],
    ],
    [
      'signature of the last, empty chunk',
      { payloadHash: SIGNED, mangle: (s, n) => (n === 4 ? flip(s) : s) },
      403,
      ['SignatureDoesNotMatch'],
    ],
    [
      'signature of the trailer',
      {
        payloadHash: SIGNED_TRAILER,
        trailers: crc,
        mangle: (s, n) => (n === 'trailer' ? flip(s) : s),
      },
      403,
      ['SignatureDoesNotMatch'],
    ],
    [
      'a byte changed',
      { payloadHash: SIGNED, change: (f) => (f.writeUInt8(f.readUInt8(100_000) ^ 1, 100_000), f) },
      403,
      ['SignatureDoesNotMatch'],
    ],
    [
      'decoded length one more',
      { payloadHash: SIGNED, decodedLength: body.length + 1 },
      400,
      ['IncompleteBody'],
    ],
    [
      'decoded length one less',
      { payloadHash: SIGNED, decodedLength: body.length - 1 },
      400,
      ['IncompleteBody'],
    ],
    [
      'a small chunk that is not the last',
      { payloadHash: SIGNED, chunkSize: 5000 },
      400,
      ['InvalidChunkSizeError'],
    ],
    [
      'no last chunk',
      {
        payloadHash: UNSIGNED_TRAILER,
        trailers: crc,
        change: (f) => f.subarray(0, f.lastIndexOf('0\r\nx-amz')),
      },
      400,
      ['IncompleteBody'],
    ],
    [
      'cut off in a chunk',
      { payloadHash: UNSIGNED_TRAILER, trailers: crc, change: (f) => f.subarray(0, 100_000) },
      400,
      ['IncompleteBody'],
    ],
    [
      'a trailer with the wrong sum',
      {
        payloadHash: UNSIGNED_TRAILER,
        trailers: [['x-amz-checksum-crc32', checksum('CRC32', 'x')]],
      },
      400,
      ['BadDigest'],
    ],
    [
      'a trailer that is no sum',
      { payloadHash: UNSIGNED_TRAILER, trailers: [['x-amz-checksum-crc32', 'zzz']] },
      400,
      ['InvalidRequest'],
    ],
    [
      'a trailer that was announced and does not come',
      { payloadHash: UNSIGNED_TRAILER, headers: { 'x-amz-trailer': 'x-amz-checksum-crc32' } },
      400,
      ['MalformedTrailerError'],
    ],
    [
      'a trailer that was not announced',
      {
        payloadHash: UNSIGNED_TRAILER,
        trailers: crc,
        change: (f) =>
          Buffer.from(
            f.toString('latin1').replace('x-amz-checksum-crc32', 'x-amz-checksum-crc64'),
            'latin1',
          ),
      },
      400,
      ['MalformedTrailerError'],
    ],
    [
      'the trailer twice',
      {
        payloadHash: UNSIGNED_TRAILER,
        trailers: crc,
        change: (f) =>
          Buffer.concat([
            f.subarray(0, -2),
            Buffer.from(`x-amz-checksum-crc32:${checksum('CRC32', 'x')}\r\n\r\n`),
          ]),
      },
      400,
      ['MalformedTrailerError', 'BadDigest'],
    ],
    [
      'a trailer that is no checksum',
      { payloadHash: UNSIGNED_TRAILER, trailers: [['x-amz-meta-a', '1']] },
      400,
      ['InvalidRequest'],
    ],
    [
      'data after the end',
      {
        payloadHash: UNSIGNED_TRAILER,
        trailers: crc,
        change: (f) => Buffer.concat([f, Buffer.from('more')]),
      },
      400,
      ['IncompleteBody', 'MalformedTrailerError'],
    ],
  ]
  test.each(cases)('%s', async (_, options, status, codes) => {
    const answer = await putChunked(body, options)
    expect([answer.status, codes.includes(answer.code ?? ''), answer.code]).toEqual([
      status,
      true,
      answer.code,
    ])
    await expectNothingChanged()
  })

  test.each([
    '7fffffffffffffff',
    '-1',
    '+5',
    '0x5',
    'fffffffffffffffff',
    '',
    ' 5',
    '5 ',
    'zz',
    '5;'.padEnd(2000, 'x'),
  ])('a chunk size of %s', async (size) => {
    const frame = Buffer.from(`${size}\r\nhello\r\n0\r\n\r\n`)
    const { status, code } = await putChunked(Buffer.from('hello'), {
      payloadHash: UNSIGNED_TRAILER,
      headers: { 'x-amz-trailer': 'x-amz-checksum-crc32' },
      change: () => frame,
    })
    expect([status, code]).toEqual([400, 'IncompleteBody'])
    await expectNothingChanged()
  })

  test('no decoded length, and the elliptic-curve kinds', async () => {
    const none = await at.send('PUT', `/${bucket}/k`, { body, payloadHash: SIGNED })
    expect([none.status, none.code]).toEqual([411, 'MissingContentLength'])
    for (const kind of ['PAYLOAD', 'PAYLOAD-TRAILER']) {
      // VersityGW stores the raw body here; the contract (4.2) says 501.
      const ecdsa = await putChunked(body, {
        payloadHash: `STREAMING-AWS4-ECDSA-P256-SHA256-${kind}`,
      })
      expect([ecdsa.status, ecdsa.code]).toEqual([501, 'NotImplemented'])
    }
    await expectNothingChanged()
  })

  test('framing without its signature (A10)', async () => {
    const answer = await at.send('PUT', `/${bucket}/k`, {
      sign: false,
      headers: { 'x-amz-content-sha256': UNSIGNED_TRAILER, 'x-amz-decoded-content-length': '5' },
      body: '5\r\nhello\r\n0\r\n\r\n',
    })
    expect(answer.status).toBe(403)
    const unknown = await at.send('PUT', `/${bucket}/k`, {
      credentials: { access: at.credentials.access, secret: 'wrong' },
      payloadHash: UNSIGNED_TRAILER,
      headers: { 'x-amz-decoded-content-length': '5' },
      body: '5\r\nhello\r\n0\r\n\r\n',
    })
    expect([unknown.status, unknown.code]).toEqual([403, 'SignatureDoesNotMatch'])
    await expectNothingChanged()
  })
})

describe('Bodies that end too early, too late or never', () => {
  beforeEach(async () => {
    await at.send('PUT', `/${bucket}/k`, { body: 'old' })
  })

  async function begin(request: RawRequest, target = `/${bucket}/k`): Promise<RawConnection> {
    const connection = await openConnection(at.gateway.port)
    connection.write(at.head('PUT', target, request))
    return connection
  }

  test.each(['UNSIGNED-PAYLOAD', 'a'.repeat(64)])(
    'abandoned half-way, %s (contract 9.2, 1)',
    async (payloadHash) => {
      const connection = await begin({ headers: { 'Content-Length': '1000000' }, payloadHash })
      connection.write(body)
      await delay(200)
      connection.close()
      await delay(300)
      await expectNothingChanged()
    },
  )

  test('half-closed half-way', async () => {
    const connection = await begin({
      headers: { 'Content-Length': '1000000' },
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    connection.socket.end(body)
    expect(await connection.ended(5000)).toBe(true)
    await expectNothingChanged()
  })

  test('a part abandoned half-way', async () => {
    const { element } = await at.send('POST', `/${bucket}/mp?uploads`)
    const target = `/${bucket}/mp?partNumber=1&uploadId=${element('UploadId') ?? ''}`
    const connection = await begin(
      { headers: { 'Content-Length': '1000000' }, payloadHash: 'UNSIGNED-PAYLOAD' },
      target,
    )
    connection.write(body)
    await delay(200)
    connection.close()
    await delay(300)
    expect(strayFiles(at.path(bucket)).filter((path) => !path.endsWith('/'))).toEqual(['k'])
  })

  test('more bytes than were announced are another request, never this object', async () => {
    const connection = await begin({
      headers: { 'Content-Length': '3' },
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    connection.write('newGARBAGE\r\n\r\n')
    // What follows is refused, perhaps before the upload has been answered.
    const { status } = await connection.response()
    if (status === 200) expect((await connection.response()).status).toBe(400)
    else expect(status).toBe(400)
    expect(await connection.ended()).toBe(true)
    await delay(200)
    expect(['new', 'old']).toContain(stored().toString())
  })

  test('a body that stalls is ended', async () => {
    const started = Date.now()
    const connection = await begin({
      headers: { 'Content-Length': '1000000' },
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    connection.write(body)
    const { status, code } = await connection.response({ timeoutMs: 15_000 })
    expect([status, code]).toEqual([400, 'RequestTimeout'])
    expect(Date.now() - started).toBeGreaterThan(1500)
    connection.close()
    await expectNothingChanged()
  })

  test('a slow one that never stalls is not', async () => {
    const data = randomBytes(4000)
    const connection = await begin({
      headers: { 'Content-Length': '4000' },
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    for (let i = 0; i < 8; i++) {
      connection.write(data.subarray(i * 500, (i + 1) * 500))
      await delay(700)
    }
    expect((await connection.response()).status).toBe(200)
    connection.close()
    expect(Buffer.compare(stored(), data)).toBe(0)
  })

  test('a corrupted body of every size', async () => {
    for (const size of [1, 70_000, 3_000_000]) {
      const answer = await at.send('PUT', `/${bucket}/k`, {
        body: randomBytes(size),
        payloadHash: 'b'.repeat(64),
      })
      expect([answer.status, answer.code]).toEqual([400, 'XAmzContentSHA256Mismatch'])
    }
    await expectNothingChanged()
  })
})

describe('Expect: 100-continue', () => {
  const request: RawRequest = {
    headers: { Expect: '100-continue', 'Content-Length': '5' },
    payloadHash: 'UNSIGNED-PAYLOAD',
  }

  test('is answered once the request is known to be wanted', async () => {
    const connection = await openConnection(at.gateway.port)
    connection.write(at.head('PUT', `/${bucket}/k`, request))
    for (let i = 0; connection.pending().length === 0 && i < 100; i++) await delay(20)
    expect(connection.pending().toString()).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
    connection.write('hello')
    const { status, interim } = await connection.response()
    expect([status, interim]).toEqual([200, ['HTTP/1.1 100 Continue']])
    connection.close()
  })

  test.each([
    ['a wrong signature', { credentials: { access: 'VGWTESTACCESS', secret: 'wrong' } }, 403],
    ['no signature', { sign: false as const }, 403],
    [
      'a condition that cannot hold',
      { headers: { ...(request.headers as object), 'If-None-Match': '"x"' } },
      501,
    ],
  ])('%s: the answer comes without it', async (_, more, expected) => {
    const connection = await openConnection(at.gateway.port)
    connection.write(at.head('PUT', `/${bucket}/k`, { ...request, ...more }))
    const { status, interim, header } = await connection.response()
    expect([status, interim]).toEqual([expected, []])
    expect(header('connection')).toBe('close')
    expect(await connection.ended()).toBe(true)
  })
})

describe('TLS', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vgw-tls-'))
  const { key, cert } = makeCertificate()
  const files = { key: join(dir, 'key.pem'), cert: join(dir, 'cert.pem') }
  writeFileSync(files.key, key)
  writeFileSync(files.cert, cert)
  const tls = useGateway({ tls: files })
  afterAll(() => rmSync(dir, { recursive: true }))

  test('the SDK sends trailers over TLS, and they are verified', async () => {
    const { NodeHttpHandler } = await import('@smithy/node-http-handler')
    const { Agent } = await import('node:https')
    const s3: S3Client = tls.client({
      requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca: cert }) }),
    })
    const where = { Bucket: await tls.bucket(), Key: 'k' }
    const { ChecksumCRC32 } = await s3.send(new PutObjectCommand({ ...where, Body: body }))
    expect(ChecksumCRC32).toBe(checksum('CRC32', body))
    const { Body } = await s3.send(new GetObjectCommand(where))
    expect(Buffer.compare(Buffer.from((await Body?.transformToByteArray()) ?? []), body)).toBe(0)
  })

  const python = findPython('boto3')
  test.skipIf(python === undefined)('boto3 with its default trailing checksum', async () => {
    const name = await tls.bucket()
    const script = `
import boto3, os, sys
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1')
sent = []
s3.meta.events.register('before-send.s3.PutObject', lambda request, **_: sent.append(dict(request.headers)))
data = os.urandom(3_000_000)
s3.put_object(Bucket=sys.argv[2], Key='k', Body=data)
assert s3.get_object(Bucket=sys.argv[2], Key='k')['Body'].read() == data
print({k.lower(): v for k, v in sent[0].items()}['x-amz-content-sha256'])
`
    const { stdout } = await run(python ?? '', ['-c', script, tls.gateway.endpoint, name], {
      env: {
        AWS_ACCESS_KEY_ID: tls.credentials.access,
        AWS_SECRET_ACCESS_KEY: tls.credentials.secret,
        AWS_CA_BUNDLE: files.cert,
      },
    })
    expect(stdout).toContain(UNSIGNED_TRAILER)
  })

  test('a large object both ways', async () => {
    const where = await tls.bucket()
    const large = randomBytes(12_000_000)
    expect(
      (await tls.send('PUT', `/${where}/large`, { body: large, payloadHash: 'UNSIGNED-PAYLOAD' }))
        .status,
    ).toBe(200)
    const got = await tls.send('GET', `/${where}/large`)
    expect(Buffer.compare(got.body, large)).toBe(0)
    const range = await tls.send('GET', `/${where}/large`, {
      headers: { Range: 'bytes=5000000-9000000' },
    })
    expect(Buffer.compare(range.body, large.subarray(5_000_000, 9_000_001))).toBe(0)
  })

  test('plain HTTP is not answered', async () => {
    const connection = await openConnection(tls.gateway.port)
    connection.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await connection.ended()).toBe(true)
    connection.close()
  })
})

test('an SDK with an HTTP server between that cuts the connection leaves nothing', async () => {
  // A proxy that passes the head and half of the body on, then goes away.
  const proxy = createServer((request, response) => {
    const upstream = openConnection(at.gateway.port)
    void upstream.then((connection) => {
      const lines = request.rawHeaders.flatMap((text, i, all) =>
        i % 2 === 0 ? [`${text}: ${all[i + 1] ?? ''}\r\n`] : [],
      )
      connection.write(
        `${request.method ?? ''} ${request.url ?? ''} HTTP/1.1\r\n${lines.join('')}\r\n`,
      )
      request.once('data', (piece: Buffer) => {
        connection.write(piece)
        setTimeout(() => {
          connection.close()
          response.destroy()
        }, 100)
      })
    })
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const { port } = proxy.address() as AddressInfo
  const s3 = at.client({ endpoint: `http://127.0.0.1:${port}` })
  await expect(
    s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'k', Body: randomBytes(5_000_000) })),
  ).rejects.toThrow()
  proxy.closeAllConnections()
  proxy.close()
  await delay(300)
  expect(strayFiles(at.path(bucket))).toEqual([])
})
