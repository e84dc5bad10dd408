import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { signedChunks, unsignedChunks, type ChunkedOptions } from '../support/aws-chunked.ts'
import { checksum, md5Hex, type ChecksumName } from '../support/checksums.ts'
import { useGateway } from '../support/fixture.ts'
import { eventually } from '../support/process-facts.ts'
import { openConnection, type RawResponse } from '../support/raw-http.ts'
import { signHeaders, type HeaderList } from '../support/sigv4.ts'
import { strayFiles } from '../support/tree.ts'

const at = useGateway()
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
  await eventually(() => strayFiles(at.path(bucket)).length <= 1)
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
