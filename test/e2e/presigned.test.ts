import { beforeAll, describe, expect, test } from 'vitest'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { existsSync, readFileSync } from 'node:fs'
import { useGateway } from '../support/fixture.ts'
import { openConnection } from '../support/raw-http.ts'
import { presignTarget, signHeaders, type PresignOptions } from '../support/sigv4.ts'

const at = useGateway()
const MINUTE = 60_000
let bucket = ''

beforeAll(async () => {
  bucket = await at.bucket()
  await at.send('PUT', `/${bucket}/k`, { body: 'content' })
})

const presign = (method: string, target: string, options: PresignOptions = {}): string =>
  presignTarget({ method, target, host: at.host }, at.credentials, options)

async function get(
  options: PresignOptions,
  change: (target: string) => string = (target) => target,
) {
  return at.send('GET', change(presign('GET', `/${bucket}/k`, options)), { sign: false })
}

describe('Presigned URLs (contract 4.4)', () => {
  test('GET, HEAD, PUT, DELETE', async () => {
    expect((await get({})).text).toBe('content')
    expect((await at.send('HEAD', presign('HEAD', `/${bucket}/k`), { sign: false })).status).toBe(
      200,
    )
    const put = await at.send('PUT', presign('PUT', `/${bucket}/put`), {
      sign: false,
      body: 'by url',
    })
    expect(put.status).toBe(200)
    expect(readFileSync(at.path(bucket, 'put'), 'utf8')).toBe('by url')
    expect(
      (await at.send('DELETE', presign('DELETE', `/${bucket}/put`), { sign: false })).status,
    ).toBe(204)
  })

  test('with parameters of the operation', async () => {
    const target = presign('GET', `/${bucket}/k?response-content-type=text%2Fx&versionId=`)
    expect((await at.send('GET', target, { sign: false })).header('content-type')).toBe('text/x')
    const list = await at.send('GET', presign('GET', `/${bucket}?list-type=2&prefix=k`), {
      sign: false,
    })
    expect(list.elements('Key')).toEqual(['k'])
  })

  test('for another method, key or parameter it is worth nothing', async () => {
    const target = presign('GET', `/${bucket}/k`)
    const cases = [
      at.send('DELETE', target, { sign: false }),
      at.send('GET', target.replace('/k?', '/other?'), { sign: false }),
      at.send('GET', `${target}&response-content-type=text%2Fhtml`, { sign: false }),
      at.send('GET', target.replace('Expires=600', 'Expires=60000'), { sign: false }),
    ]
    for (const { status, code } of await Promise.all(cases))
      expect([status, code]).toEqual([403, 'SignatureDoesNotMatch'])
    expect(existsSync(at.path(bucket, 'k'))).toBe(true)
  })

  test('once it has expired', async () => {
    const { status, code, message, element } = await get({
      date: new Date(Date.now() - 3000),
      expires: 2,
    })
    expect([status, code, message]).toEqual([403, 'AccessDenied', 'Request has expired.'])
    expect(element('X-Amz-Expires')).toBe('2')
    expect(element('ServerTime')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(element('Expires')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect((await get({ date: new Date(Date.now() - 3000), expires: 60 })).status).toBe(200)
  })

  test.each(['-1', '604801', '1e30', 'abc', ''])('X-Amz-Expires=%s', async (expires) => {
    const { status, code } = await get({ expires })
    expect([status, code]).toEqual([400, 'AuthorizationQueryParametersError'])
  })

  test('X-Amz-Expires=604800 is the longest', async () => {
    expect((await get({ expires: 604_800 })).status).toBe(200)
  })

  test.each([
    'X-Amz-Algorithm',
    'X-Amz-Credential',
    'X-Amz-Date',
    'X-Amz-Expires',
    'X-Amz-SignedHeaders',
    'X-Amz-Signature',
  ])('without %s', async (name) => {
    const { status, code } = await get({}, (target) =>
      target.replace(new RegExp(`[?&]${name}=[^&]*`), (all) => (all.startsWith('?') ? '?' : '')),
    )
    expect([status, code]).toEqual([400, 'AuthorizationQueryParametersError'])
  })

  test('another algorithm, region, service, terminator, date', async () => {
    const cases: [PresignOptions, (target: string) => string][] = [
      [{}, (target) => target.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256')],
      [{ region: 'eu-west-1' }, (target) => target],
      [{ service: 'ec2' }, (target) => target],
      [{ terminator: 'aws5_request' }, (target) => target],
      [{ scopeDate: '20200101' }, (target) => target],
      [{}, (target) => target.replace(/X-Amz-Date=[^&]*/, 'X-Amz-Date=yesterday')],
    ]
    for (const [options, change] of cases) {
      const { status, code } = await get(options, change)
      expect([JSON.stringify(options), status, code]).toEqual([
        JSON.stringify(options),
        400,
        'AuthorizationQueryParametersError',
      ])
    }
  })

  test('parameters given twice: never the last one wins (A13)', async () => {
    for (const extra of [
      '&X-Amz-Expires=604800',
      `&X-Amz-Signature=${'0'.repeat(64)}`,
      '&X-Amz-Date=20300101T000000Z',
      '&X-Amz-SignedHeaders=host',
    ]) {
      const after = await get(
        { date: new Date(Date.now() - 60 * MINUTE), expires: 1 },
        (target) => target + extra,
      )
      expect([extra, [400, 403].includes(after.status)]).toEqual([extra, true])
      const valid = await get({}, (target) => target + extra)
      expect([extra, [400, 403].includes(valid.status)]).toEqual([extra, true])
    }
  })

  test('both kinds of authentication in one request (A13)', async () => {
    const target = presign('GET', `/${bucket}/k`)
    const { status } = await at.send('GET', target)
    expect([400, 403]).toContain(status)
  })

  test('headers of S3 beside it that were not signed (A9)', async () => {
    await at.send('PUT', `/${bucket}/secret`, { body: 'secret' })
    for (const headers of [
      { 'x-amz-copy-source': `${bucket}/secret` },
      { 'x-amz-meta-a': '1' },
      { 'x-amz-tagging': 'a=1' },
      { 'x-amz-acl': 'public-read' },
    ]) {
      const { status, code, element } = await at.send('PUT', presign('PUT', `/${bucket}/stolen`), {
        sign: false,
        headers,
      })
      expect([status, code, element('HeadersNotSigned')]).toEqual([
        403,
        'AccessDenied',
        Object.keys(headers)[0],
      ])
    }
    expect(existsSync(at.path(bucket, 'stolen'))).toBe(false)
  })

  test('headers that were signed are taken', async () => {
    const target = presign('PUT', `/${bucket}/with-meta`, { extraSigned: [['x-amz-meta-a', '1']] })
    const put = await at.send('PUT', target, {
      sign: false,
      headers: { 'x-amz-meta-a': '1' },
      body: 'x',
    })
    expect(put.status).toBe(200)
    expect((await at.send('HEAD', `/${bucket}/with-meta`)).header('x-amz-meta-a')).toBe('1')
    const without = await at.send('PUT', target, { sign: false, body: 'x' })
    expect([without.status, without.code]).toEqual([403, 'SignatureDoesNotMatch'])
  })

  test('version 2 and session tokens are refused', async () => {
    const v2 = await at.send('GET', `/${bucket}/k?AWSAccessKeyId=x&Expires=1&Signature=y`, {
      sign: false,
    })
    expect([v2.status, v2.code]).toEqual([400, 'InvalidRequest'])
    const token = await get({}, (target) => `${target}&X-Amz-Security-Token=x`)
    expect([400, 403]).toContain(token.status)
  })

  test('chunked uploads may be presigned, their signatures are still checked (A10)', async () => {
    const bad = presign('PUT', `/${bucket}/unsigned-trailer`).replace(
      /Signature=.*/,
      `Signature=${'0'.repeat(64)}`,
    )
    const { status } = await at.send('PUT', bad, {
      sign: false,
      headers: {
        'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        'x-amz-decoded-content-length': '1',
      },
      body: '1\r\nx\r\n0\r\n\r\n',
    })
    expect([400, 403]).toContain(status)
    expect(existsSync(at.path(bucket, 'unsigned-trailer'))).toBe(false)
  })

  test('over one connection with signed requests, each stands for itself', async () => {
    const connection = await openConnection(at.gateway.port)
    connection.write(`GET ${presign('GET', `/${bucket}/k`)} HTTP/1.1\r\nHost: ${at.host}\r\n\r\n`)
    expect((await connection.response()).status).toBe(200)
    connection.write(`GET /${bucket}/k HTTP/1.1\r\nHost: ${at.host}\r\n\r\n`)
    expect((await connection.response()).status).toBe(403)
    connection.close()
  })

  test('the SDK signs with a header what our signer does', async () => {
    const { Body } = await at.s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'k' }))
    expect(await Body?.transformToString()).toBe('content')
    expect(
      signHeaders({ method: 'GET', target: '/', headers: [['Host', 'h']] }, at.credentials, {
        payloadHash: 'x',
      }).signature,
    ).toMatch(/^[0-9a-f]{64}$/)
  })
})
