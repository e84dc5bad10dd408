import { HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import aws4 from 'aws4'
import { createHash, createHmac } from 'node:crypto'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { requestOf, type RequestHead } from '../../test/support/requests.ts'
import { S3Error } from '../s3/errors.ts'
import { accountOf } from '../../test/support/accounts.ts'
import { createAuthenticator } from './authenticate.ts'
import { HmacKey } from './hmac.ts'
import { canonicalQuery } from './sigv4.ts'

const ACCESS = 'AKIAIOSFODNN7EXAMPLE'
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const HOST = 'localhost:7070'
const NOW = new Date(Date.UTC(2026, 10, 21, 9, 17, 10))

const authenticator = createAuthenticator({
  accounts: { rootAccess: ACCESS, find: () => accountOf(ACCESS, SECRET, { role: 'admin' }) },
  region: 'us-east-1',
  now: () => NOW.getTime(),
})

function outcome(head: RequestHead): string {
  try {
    void authenticator(requestOf(head), 'GetObject', {})
    return 'verified'
  } catch (error) {
    return error instanceof S3Error
      ? `${error.code} ${error.details['CanonicalRequest']}`
      : String(error)
  }
}

const KEYS = [
  'plain.txt',
  'with space and+plus',
  'a/b//c/../d',
  "!'()*",
  'ünïcödé/日本語/😀',
  '100%/$&,:;=?@#[]',
  '~tilde-_.',
  'back\\slash"quote<tag>',
]
const QUERIES: Record<string, string>[] = [
  {},
  { prefix: 'a b/c+d', delimiter: '/', 'max-keys': '5' },
  { 'list-type': '2', 'continuation-token': 'x=y&z/ü', prefix: '' },
  { uploads: '' },
  { a: '1', 'a-b': '2', 'a.b': '3', a0: '4', A: '5', ab: '6' },
  { versionId: 'null', 'response-content-disposition': 'attachment; filename="a (1)*!\'.txt"' },
]

/** RFC 3986 with `/` left: how S3's clients write keys. */
function escapeKey(key: string): string {
  return key.split('/').map(escape).join('/')
}

function escape(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function escapeQuery(query: Record<string, string>): string {
  return Object.entries(query)
    .map(([name, value]) => `${escape(name)}=${escape(value)}`)
    .join('&')
}

const CASES = KEYS.flatMap((key) => QUERIES.map((query) => [key, query] as const))

describe('what other signers sign is verified', () => {
  test.each(CASES)('aws4: %j %j', (key, query) => {
    const path = `/bucket/${escapeKey(key)}?${escapeQuery(query)}`
    const signed = aws4.sign(
      {
        service: 's3',
        region: 'us-east-1',
        method: 'GET',
        host: HOST,
        path,
        headers: {
          'X-Amz-Date': '20261121T091710Z',
          'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
          'X-Amz-Meta-A': '  two   spaces ',
        },
      },
      { accessKeyId: ACCESS, secretAccessKey: SECRET },
    )
    const headers = Object.entries(signed.headers ?? {}).map(
      ([name, value]) => [name, String(value).trim()] as const,
    )
    expect(outcome({ target: path, headers })).toBe('verified')
  })

  test.each(CASES)('aws4, presigned: %j %j', (key, query) => {
    const path = `/bucket/${escapeKey(key)}?${escapeQuery({ ...query, 'X-Amz-Date': '20261121T091710Z', 'X-Amz-Expires': '900' })}`
    const signed = aws4.sign(
      { service: 's3', region: 'us-east-1', method: 'GET', host: HOST, path, signQuery: true },
      { accessKeyId: ACCESS, secretAccessKey: SECRET },
    )
    expect(outcome({ target: signed.path ?? '', headers: { host: HOST } })).toBe('verified')
  })

  test.each(KEYS.filter((key) => !key.includes('//')))('@aws-sdk/client-s3: %j', async (Key) => {
    const heads: RequestHead[] = []
    const client = new S3Client({
      endpoint: `http://${HOST}`,
      forcePathStyle: true,
      region: 'us-east-1',
      credentials: { accessKeyId: ACCESS, secretAccessKey: SECRET },
      systemClockOffset: NOW.getTime() - Date.now(),
      requestHandler: {
        handle: async ({ method, path, query, headers }: HttpRequest) => {
          heads.push({ method, target: `${path}?${escapeQuery(query)}`, headers })
          return { response: { statusCode: 200, headers: {}, body: Readable.from([]) } }
        },
      },
    })
    await client.send(
      new PutObjectCommand({
        Bucket: 'bucket',
        Key,
        Body: 'data',
        Metadata: { a: 'b', c: '  d  e ' },
      }),
    )
    await client.send(new HeadObjectCommand({ Bucket: 'bucket', Key, VersionId: 'a/b c' }))
    expect(heads.map(outcome)).toEqual(['verified', 'verified'])
  })
})

interface HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: Record<string, string>
  readonly headers: Record<string, string>
}

describe('canonicalisation, by hand', () => {
  test.each([
    ['', ''],
    ['acl', 'acl='],
    ['b=2&a=1&a=0', 'a=0&a=1&b=2'],
    ['a=1&a-b=2&a.b=3&a0=4', 'a=1&a-b=2&a.b=3&a0=4'],
    ['a0=4&a=1', 'a=1&a0=4'],
    ['a=1&a=', 'a=&a=1'],
    ['a=1&a=1&a=10', 'a=1&a=1&a=10'],
    ['a=10&a=1', 'a=1&a=10'],
    ['ab=1&a=2', 'a=2&ab=1'],
    ['a=%7E&a=%2F', 'a=%2F&a=~'],
    ['X-Amz-Signature=0&a=1&b=2', 'a=1&b=2'],
    ['a=1&X-Amz-Signature=0&b=2', 'a=1&b=2'],
    ['a=1&b=2&X-Amz-Signature=0', 'a=1&b=2'],
    ['X-Amz-Signature=0', ''],
    ['aX-Amz-Signature=0&b=1', 'aX-Amz-Signature=0&b=1'],
    ['prefix=a/b', 'prefix=a%2Fb'],
    ['prefix=a+b', 'prefix=a%20b'],
    ['prefix=a%2fb', 'prefix=a%2Fb'],
    ['prefix=%7Etilde%2D', 'prefix=~tilde-'],
    ['a=b=c', 'a=b%3Dc'],
    ['&&a=1&', 'a=1'],
    ['X-Amz-Signature=f00&a=1', 'a=1'],
    ['a=%ff', 'a=%ff'],
    ["a=!'()*", 'a=%21%27%28%29%2A'],
  ])('query %j is %j', (raw, canonical) => {
    expect(canonicalQuery(raw)).toBe(canonical)
  })

  /** A signer that knows nothing but the text it is given. */
  function sign(canonical: string, signedHeaders: string): string {
    const digest = createHash('sha256').update(canonical, 'latin1').digest('hex')
    const toSign = `AWS4-HMAC-SHA256\n20261121T091710Z\n20261121/us-east-1/s3/aws4_request\n${digest}`
    let key: Buffer = Buffer.from(`AWS4${SECRET}`)
    for (const part of ['20261121', 'us-east-1', 's3', 'aws4_request', toSign])
      key = createHmac('sha256', key).update(part).digest()
    return `AWS4-HMAC-SHA256 Credential=${ACCESS}/20261121/us-east-1/s3/aws4_request,SignedHeaders=${signedHeaders},Signature=${key.toString('hex')}`
  }

  const DATE = ['x-amz-date', '20261121T091710Z'] as const
  const HASH = ['x-amz-content-sha256', 'UNSIGNED-PAYLOAD'] as const
  const END = 'x-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:20261121T091710Z\n'
  const LIST = 'host;x-amz-content-sha256;x-amz-date'

  test('a client that signs its query as it sends it', () => {
    const Authorization = sign(
      `GET\n/b\nprefix=a/b\nhost:h\n${END}\n${LIST}\nUNSIGNED-PAYLOAD`,
      LIST,
    )
    const headers = [['Host', 'h'], DATE, HASH, ['Authorization', Authorization]] as const
    expect(outcome({ target: '/b?prefix=a/b', headers })).toBe('verified')
    expect(outcome({ target: '/b?prefix=a/c', headers })).toContain('SignatureDoesNotMatch')
  })

  test('a header that comes twice is joined with a comma, spaces are collapsed', () => {
    const list = 'host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;x-empty;x-not-sent'
    const canonical = `GET\n/b\n\nhost:h\n${END}x-amz-meta-a:one  \ttwo,three\nx-empty:\nx-not-sent:\n\n${list}\nUNSIGNED-PAYLOAD`
    const Authorization = sign(canonical.replace('one  \ttwo', 'one \ttwo'), list)
    const headers = [
      ['Host', 'h'],
      DATE,
      HASH,
      ['x-amz-meta-a', 'one  \ttwo'],
      ['X-Amz-Meta-A', 'three'],
      ['x-empty', ''],
      ['Authorization', Authorization],
    ] as const
    expect(outcome({ target: '/b', headers })).toBe('verified')
  })

  test('a second content-type, which Node drops, is not overlooked', () => {
    const list = 'content-type;host;x-amz-content-sha256;x-amz-date'
    const Authorization = sign(
      `GET\n/b\n\ncontent-type:a\nhost:h\n${END}\n${list}\nUNSIGNED-PAYLOAD`,
      list,
    )
    const headers = [
      ['Host', 'h'],
      DATE,
      HASH,
      ['Content-Type', 'a'],
      ['Authorization', Authorization],
    ] as const
    expect(outcome({ target: '/b', headers })).toBe('verified')
    expect(outcome({ target: '/b', headers: [...headers, ['Content-Type', 'b']] })).toContain(
      'SignatureDoesNotMatch',
    )
  })

  test('bytes above 127 in a header are signed as they are sent', () => {
    const list = 'host;x-amz-content-sha256;x-amz-date;x-amz-meta-a'
    const value = Buffer.from('ünïcödé').toString('latin1')
    const Authorization = sign(
      `GET\n/b\n\nhost:h\n${END}x-amz-meta-a:${value}\n\n${list}\nUNSIGNED-PAYLOAD`,
      list,
    )
    expect(
      outcome({
        target: '/b',
        headers: [
          ['Host', 'h'],
          DATE,
          HASH,
          ['x-amz-meta-a', value],
          ['Authorization', Authorization],
        ],
      }),
    ).toBe('verified')
  })

  test.each([
    '/b/a%2Fb',
    '/b/a%2fb',
    '/b/a/../c',
    '//b//c',
    '/b/%7E',
    "/b/a'(*)!",
    '/b/a b'.replace(' ', '+'),
  ])('path %s is signed as sent', (target) => {
    const Authorization = sign(`GET\n${target}\n\nhost:h\n${END}\n${LIST}\nUNSIGNED-PAYLOAD`, LIST)
    expect(
      outcome({ target, headers: [['Host', 'h'], DATE, HASH, ['Authorization', Authorization]] }),
    ).toBe('verified')
  })
})

test('HmacKey is HMAC-SHA256, for keys and messages of any length', () => {
  for (const keyLength of [0, 1, 32, 63, 64, 65, 200]) {
    const key = Buffer.alloc(keyLength, 0xa7)
    const hmac = new HmacKey(key)
    for (const length of [0, 1, 55, 64, 255, 256, 257, 5000, 3]) {
      const message = 'é'.repeat(length)
      expect(hmac.hex(message)).toBe(
        createHmac('sha256', key).update(message, 'latin1').digest('hex'),
      )
    }
  }
})
