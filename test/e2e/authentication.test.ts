import { beforeAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { isoBasic } from '../support/sigv4.ts'

const at = useGateway()
const MINUTE = 60_000
let bucket = ''

beforeAll(async () => {
  bucket = await at.bucket()
  await at.send('PUT', `/${bucket}/k`, { body: 'content' })
})

/** Signs correctly, then sends another Authorization header. */
async function withAuthorization(change: (authorization: string) => string) {
  const head = at.head('GET', `/${bucket}/k`).toString('latin1')
  const [, authorization = ''] = /^Authorization: (.*)\r$/m.exec(head) ?? []
  return at.send('GET', `/${bucket}/k`, {
    headers: [
      ...headersOf(head).filter(([name]) => name !== 'Authorization'),
      ['Authorization', change(authorization)],
    ],
    sign: false,
  })
}

function headersOf(head: string): [string, string][] {
  return head
    .split('\r\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
}

describe('Signature in the Authorization header (contract 4.2)', () => {
  test('a wrong secret, and all that the answer tells', async () => {
    const credentials = { ...at.credentials, secret: 'not-the-secret' }
    const { status, code, element } = await at.send('GET', `/${bucket}/k`, { credentials })
    expect([status, code]).toEqual([403, 'SignatureDoesNotMatch'])
    expect(element('AWSAccessKeyId')).toBe(at.credentials.access)
    expect(element('SignatureProvided')).toMatch(/^[0-9a-f]{64}$/)
    const canonical = element('CanonicalRequest') ?? ''
    expect(canonical).toMatch(new RegExp(`^GET\\n/${bucket}/k\\n\\nhost:${at.host}\\n`))
    expect(element('StringToSign')).toMatch(
      /^AWS4-HMAC-SHA256\n\d{8}T\d{6}Z\n\d{8}\/us-east-1\/s3\/aws4_request\n[0-9a-f]{64}$/,
    )
    const hex = (text: string): string =>
      (Buffer.from(text).toString('hex').match(/../g) ?? []).join(' ')
    expect(element('CanonicalRequestBytes')).toBe(hex(canonical))
    expect(element('StringToSignBytes')).toBe(hex(element('StringToSign') ?? ''))
  })

  test('an unknown access key', async () => {
    const { status, code, element } = await at.send('GET', `/${bucket}/k`, {
      credentials: { access: 'nobody', secret: 'x' },
    })
    expect([403, 404]).toContain(status)
    if (status === 403)
      expect([code, element('AWSAccessKeyId')]).toEqual(['InvalidAccessKeyId', 'nobody'])
  })

  test('no credentials at all', async () => {
    const { status, code } = await at.send('GET', `/${bucket}/k`, { sign: false })
    expect([status, code]).toEqual([403, 'AccessDenied'])
  })

  test.each([
    [
      'garbage',
      400,
      'InvalidArgument',
      "Authorization header is invalid -- one and only one ' ' (space) required.",
    ],
    [
      'AWS root:abc=',
      400,
      'InvalidRequest',
      'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
    ],
    ['Bearer abc', 400, 'InvalidArgument', 'Unsupported Authorization Type'],
  ])('Authorization: %s', async (authorization, status, code, message) => {
    const answer = await withAuthorization(() => authorization)
    expect([answer.status, answer.code, answer.message]).toEqual([status, code, message])
  })

  test('pieces missing from the credential and the header', async () => {
    const MALFORMED = 'The authorization header is malformed; '
    const scope = (change: (scope: string[]) => string[]) =>
      withAuthorization((text) =>
        text.replace(/Credential=[^,]+/, (all) => change(all.split('/')).join('/')),
      )
    const four = await scope((parts) => parts.slice(0, 4))
    expect([four.status, four.code]).toEqual([400, 'AuthorizationHeaderMalformed'])
    expect(four.message).toBe(
      `${MALFORMED}the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`,
    )
    const service = await scope(([key = '', date = '', region = '']) => [
      key,
      date,
      region,
      'ec2',
      'aws4_request',
    ])
    expect(service.message).toBe(
      `${MALFORMED}incorrect service "ec2". This endpoint belongs to "s3".`,
    )
    const terminal = await scope((parts) => [...parts.slice(0, 4), 'aws5_request'])
    expect(terminal.message).toBe(
      `${MALFORMED}incorrect terminal "aws5_request". This endpoint uses "aws4_request".`,
    )
    const region = await scope(([key = '', date = '']) => [
      key,
      date,
      'eu-west-1',
      's3',
      'aws4_request',
    ])
    expect([region.message, region.element('Region')]).toEqual([
      `${MALFORMED}the region "eu-west-1" is wrong; expecting "us-east-1"`,
      'us-east-1',
    ])
    const two = await withAuthorization((text) => text.replace(/, Signature=.*$/, ''))
    expect(two.message).toBe(
      `${MALFORMED}the authorization header requires three components: Credential, SignedHeaders, and Signature.`,
    )
    const date = await scope(([key = '', , ...rest]) => [key, '20200101', ...rest])
    expect(date.message).toBe(
      `${MALFORMED}${MALFORMED}Invalid credential date. Date is not the same as X-Amz-Date.`,
    )
  })

  test('no space after the commas is fine', async () => {
    expect((await withAuthorization((text) => text.replaceAll(', ', ','))).status).toBe(200)
  })

  test('the clock', async () => {
    const send = (offset: number) =>
      at.send('GET', `/${bucket}/k`, { sign: { date: new Date(Date.now() + offset) } })
    expect((await send(14 * MINUTE)).status).toBe(200)
    expect((await send(-14 * MINUTE)).status).toBe(200)
    for (const offset of [16 * MINUTE, -16 * MINUTE]) {
      const { status, code, element } = await send(offset)
      expect([status, code]).toEqual([403, 'RequestTimeTooSkewed'])
      expect(element('RequestTime')).toMatch(/^\d{8}T\d{6}Z$/)
      expect(element('ServerTime')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      expect(element('MaxAllowedSkewMilliseconds')).toBe('900000')
    }
  })

  test('no date, or one that is none', async () => {
    for (const headers of [
      { 'X-Amz-Date': '' },
      { 'X-Amz-Date': 'yesterday' },
      { 'X-Amz-Date': '20261345T000000Z' },
    ]) {
      const { status, code, message } = await at.send('GET', `/${bucket}/k`, { headers })
      expect([status, code, message]).toEqual([
        403,
        'AccessDenied',
        'AWS authentication requires a valid Date or x-amz-date header.',
      ])
    }
  })

  test('x-amz-content-sha256', async () => {
    const missing = await at.send('GET', `/${bucket}/k`, { payloadHash: undefined })
    expect([missing.status, missing.message]).toEqual([
      400,
      'Missing required header for this request: x-amz-content-sha256',
    ])
    const wrong = await at.send('GET', `/${bucket}/k`, { payloadHash: 'zzz' })
    expect([wrong.status, wrong.code, wrong.element('ArgumentName')]).toEqual([
      400,
      'InvalidArgument',
      'x-amz-content-sha256',
    ])
    const streaming = await at.send('GET', `/${bucket}/k`, {
      payloadHash: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    })
    expect([streaming.status, streaming.message]).toEqual([
      400,
      'The value of x-amz-content-sha256 header is invalid.',
    ])
    expect((await at.send('GET', `/${bucket}/k`, { payloadHash: 'UNSIGNED-PAYLOAD' })).status).toBe(
      200,
    )
  })

  test('headers of S3 that were not signed are refused', async () => {
    const { status, code, message, element } = await at.send('GET', `/${bucket}/k`, {
      headers: { 'x-amz-foo': '1', 'x-amz-meta-a': '2' },
      sign: { signedHeaders: ['host', 'x-amz-content-sha256', 'x-amz-date'] },
    })
    expect([status, code]).toEqual([403, 'AccessDenied'])
    expect(message).toBe('There were headers present in the request which were not signed')
    expect(element('HeadersNotSigned')).toBe('x-amz-foo, x-amz-meta-a')
    const host = await at.send('GET', `/${bucket}/k`, {
      sign: { signedHeaders: ['x-amz-content-sha256', 'x-amz-date'] },
    })
    expect([host.status, host.code]).toEqual([403, 'AccessDenied'])
  })

  test('headers that proxies change need no signature', async () => {
    const { status } = await at.send('GET', `/${bucket}/k`, {
      headers: {
        'User-Agent': 'x',
        'X-Amzn-Trace-Id': 'Root=1-2-3',
        'X-Forwarded-For': '10.0.0.1',
        Range: 'bytes=0-',
      },
      sign: { signedHeaders: ['host', 'x-amz-content-sha256', 'x-amz-date'] },
    })
    expect(status).toBe(206)
  })

  test('header values with runs of spaces, and one that comes twice', async () => {
    const { status } = await at.send('PUT', `/${bucket}/spaces`, {
      headers: { 'x-amz-meta-a': '  two   spaces  ' },
      body: 'x',
    })
    expect(status).toBe(200)
    const twice = await at.send('GET', `/${bucket}/k?attributes`, {
      headers: [
        ['x-amz-object-attributes', 'ETag'],
        ['x-amz-object-attributes', 'ObjectSize'],
      ],
    })
    expect(twice.status).toBe(200)
  })

  test.each([
    '?a=b&A=c',
    '?b&a',
    '?a=%2F',
    '?a=/x/y',
    '?a=1&a=0',
    '?x=a%20b',
    '?%C3%BC=%E6%97%A5',
    '?=',
    '?a=b=c',
  ])('canonical query of %s', async (query) => {
    const { status, text } = await at.send('GET', `/${bucket}/k${query}`)
    expect([query, status, text]).toEqual([query, 200, 'content'])
  })

  test.each([
    "~.-_!*'()",
    'a+b',
    'a%2Bb',
    'sp%20ace',
    '%C3%BC',
    '%e6%97%a5',
    'semi;colon',
    'at@',
    'c:d',
    'q=1&2,3$',
  ])('canonical path of %s: as it was sent', async (path) => {
    const put = await at.send('PUT', `/${bucket}/paths/${path}`, { body: path })
    expect([path, put.status]).toEqual([path, 200])
    expect((await at.send('GET', `/${bucket}/paths/${path}`)).text).toBe(path)
  })

  test('the Date header instead of x-amz-date', async () => {
    const date = new Date()
    const answer = await at.send('GET', `/${bucket}/k`, {
      headers: { 'X-Amz-Date': isoBasic(date) },
    })
    expect(answer.status).toBe(200)
  })

  test('a bad name wins over a bad signature, a bad signature over a missing bucket (contract 4.1)', async () => {
    const credentials = { ...at.credentials, secret: 'wrong' }
    expect((await at.send('GET', '/Bad_Name/k', { credentials })).code).toBe('InvalidBucketName')
    expect((await at.send('GET', '/no-such-bucket/k', { credentials })).code).toBe(
      'SignatureDoesNotMatch',
    )
    expect((await at.send('GET', `/${bucket}/..`, { credentials })).code).toBe('400')
  })
})
