import {
  DeleteBucketCorsCommand,
  GetBucketCorsCommand,
  PutBucketCorsCommand,
  type CORSRule,
} from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { md5Base64 } from '../support/checksums.ts'
import { failure, useGateway, type Fixture, type RawRequest } from '../support/fixture.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { presignTarget } from '../support/sigv4.ts'
import { setAttribute } from '../support/tree.ts'

const at = useGateway()
const APP = 'https://app.example.com'
const EVIL = 'https://evil.example'
const RULES: CORSRule[] = [
  {
    ID: 'app',
    AllowedOrigins: [APP],
    AllowedMethods: ['GET', 'PUT'],
    AllowedHeaders: ['content-*'],
    ExposeHeaders: ['x-amz-request-id'],
    MaxAgeSeconds: 600,
  },
  { AllowedOrigins: ['*'], AllowedMethods: ['HEAD'] },
]

async function bucketWith(rules: CORSRule[], gateway: Fixture = at): Promise<string> {
  const Bucket = await gateway.bucket()
  const CORSConfiguration = { CORSRules: rules }
  await gateway.s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration }))
  return Bucket
}

const document = (body: string): RawRequest => ({
  body,
  headers: { 'Content-MD5': md5Base64(body) },
})
const from = (Origin: string, more: Record<string, string> = {}): RawRequest => ({
  headers: { Origin, ...more },
})
const preflight = (origin: string, method: string, headers?: string): RawRequest => ({
  sign: false,
  ...from(origin, {
    'Access-Control-Request-Method': method,
    ...(headers !== undefined && { 'Access-Control-Request-Headers': headers }),
  }),
})

/** What a page is told: headers without `access-control-`. */
function told({ headers }: RawResponse): Record<string, string> {
  const found = headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name.startsWith('access-control-') || name === 'vary')
  return Object.fromEntries(
    found.map(([name, value]) => [name.replace('access-control-', ''), value]),
  )
}

describe('The CORS configuration of a bucket', () => {
  test('put, got, deleted (contract 6.2: 200, 200, 204, NoSuchCORSConfiguration)', async () => {
    const Bucket = await bucketWith(RULES)
    expect((await at.s3.send(new GetBucketCorsCommand({ Bucket }))).CORSRules).toEqual(RULES)
    await at.s3.send(new DeleteBucketCorsCommand({ Bucket }))
    const none = await failure(at.s3.send(new GetBucketCorsCommand({ Bucket })))
    expect([none.name, none.status]).toEqual(['NoSuchCORSConfiguration', 404])
  })

  test('contract 2.2: up to what an attribute holds', async () => {
    const bucket = await at.bucket()
    const large = document(`<CORSConfiguration><!--${'x'.repeat(64 * 1024)}--></CORSConfiguration>`)
    const { status, code, element } = await at.send('PUT', `/${bucket}?cors`, large)
    expect([status, code, element('MaxMessageLengthBytes')]).toEqual([
      400,
      'MaxMessageLengthExceeded',
      '65536',
    ])
  })

  test('a document that is refused leaves the one before', async () => {
    const bucket = await bucketWith(RULES)
    const bad = document('<CORSConfiguration><CORSRule/></CORSConfiguration>')
    expect((await at.send('PUT', `/${bucket}?cors`, bad)).code).toBe('MalformedXML')
    expect((await at.send('GET', `/${bucket}?cors`)).text).toContain('<ID>app</ID>')
  })
})

describe('A preflight', () => {
  test('is answered by the first rule that allows all of it (contract 7.5)', async () => {
    const bucket = await bucketWith(RULES)
    const put = await at.send('OPTIONS', `/${bucket}/k`, preflight(APP, 'PUT', 'Content-Type'))
    expect([put.status, put.text, told(put)]).toEqual([
      200,
      '',
      {
        'allow-origin': APP,
        'allow-credentials': 'true',
        'allow-methods': 'GET, PUT',
        'allow-headers': 'content-type',
        'expose-headers': 'x-amz-request-id, ETag',
        'max-age': '600',
        vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
      },
    ])
    const head = await at.send('OPTIONS', `/${bucket}/k`, preflight(APP, 'HEAD'))
    expect(told(head)).toMatchObject({ 'allow-origin': '*', 'allow-credentials': 'false' })
  })

  test('of a presigned URL is not held against the signature, which is for what follows', async () => {
    const bucket = await bucketWith(RULES)
    const url = presignTarget(
      { method: 'PUT', target: `/${bucket}/k`, host: at.host },
      at.credentials,
    )
    const request = { ...preflight(APP, 'PUT', 'Content-Type'), sign: false } as const
    expect(told(await at.send('OPTIONS', url, request))).toMatchObject({ 'allow-origin': APP })
    const expired = url.replace(/X-Amz-Date=\d+/, 'X-Amz-Date=20200101')
    expect((await at.send('OPTIONS', expired, request)).status).toBe(200)
    const put = await at.send('PUT', url, { ...from(APP), sign: false, body: 'x' })
    expect([put.status, told(put)['allow-origin']]).toEqual([200, APP])
  })

  test('of what no rule allows is AccessForbidden, and says nothing a page could use', async () => {
    const bucket = await bucketWith(RULES)
    const asked = [
      preflight(EVIL, 'GET'),
      preflight(APP, 'DELETE'),
      preflight(APP, 'PUT', 'content-type, authorization'),
      preflight(`${APP}.evil.example`, 'GET'),
      preflight('null', 'GET'),
    ]
    for (const request of asked) {
      const answer = await at.send('OPTIONS', `/${bucket}/k`, request)
      expect([answer.status, answer.code, answer.element('ResourceType')]).toEqual([
        403,
        'AccessForbidden',
        'OBJECT',
      ])
      expect(told(answer)).toEqual({})
    }
  })
})

describe('The answer to a page', () => {
  test('tells what it may see of it, metadata too, whether it succeeds or fails', async () => {
    const bucket = await bucketWith(RULES)
    await at.send('PUT', `/${bucket}/k`, { body: 'x', headers: { 'x-amz-meta-color': 'red' } })
    const got = await at.send('GET', `/${bucket}/k`, from(APP))
    expect([got.text, told(got)['expose-headers'], told(got)['allow-origin']]).toEqual([
      'x',
      'x-amz-request-id, ETag, x-amz-storage-class, x-amz-meta-color',
      APP,
    ])
    const none = await at.send('GET', `/${bucket}/nothing`, from(APP))
    expect([none.code, told(none)['allow-origin']]).toEqual(['NoSuchKey', APP])
    const large = await at.send('PUT', `/${bucket}/l`, { ...from(APP), body: 'x'.repeat(1 << 20) })
    expect([large.status, told(large)['allow-origin']]).toEqual([200, APP])
    const sent = await at.send('GET', `/${bucket}/l`, from(APP))
    expect([sent.body.length, told(sent)['allow-origin']]).toEqual([1 << 20, APP])
  })

  test('says nothing to pages that no rule names, and to anybody else', async () => {
    const bucket = await bucketWith(RULES)
    await at.send('PUT', `/${bucket}/k`, { body: 'x' })
    for (const request of [from(EVIL), from(''), {}]) {
      const answer = await at.send('GET', `/${bucket}/k`, request)
      expect([answer.status, told(answer)]).toEqual([200, {}])
    }
  })

  test('who is not let in learns nothing of the rules: no signature, a bad one, another bucket', async () => {
    const bucket = await bucketWith(RULES)
    const anonymous = await at.send('GET', `/${bucket}/k`, { ...from(APP), sign: false })
    expect([anonymous.status, told(anonymous)]).toEqual([403, {}])
    const credentials = { ...at.credentials, secret: 'not the secret' }
    const forged = await at.send('GET', `/${bucket}/k`, { ...from(APP), credentials })
    expect([forged.code, told(forged)]).toEqual(['SignatureDoesNotMatch', {}])
    const other = await at.send('GET', `/${await at.bucket()}`, from(APP))
    expect([other.status, told(other)]).toEqual([200, {}])
  })

  test('A25: origins are reflected with credentials only where a rule names them', async () => {
    const bucket = await bucketWith([{ AllowedOrigins: ['*'], AllowedMethods: ['GET'] }])
    const answer = await at.send('GET', `/${bucket}`, from(EVIL))
    expect(told(answer)).toMatchObject({ 'allow-origin': '*', 'allow-credentials': 'false' })
  })

  test('A20: line ends in ExposeHeader are refused, and make no header where they are stored', async () => {
    const bucket = await at.bucket()
    const config =
      '<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>' +
      '<ExposeHeader>a&#13;&#10;Set-Cookie: stolen</ExposeHeader></CORSRule></CORSConfiguration>'
    const put = await at.send('PUT', `/${bucket}?cors`, document(config))
    expect([put.status, put.code]).toEqual([400, 'InvalidRequest'])
    setAttribute(at.path(bucket), 'cors', config)
    for (const [method, request] of [
      ['GET', from(APP)],
      ['OPTIONS', preflight(APP, 'GET')],
    ] as const) {
      const answer = await at.send(method, `/${bucket}`, request)
      expect([answer.status, answer.header('set-cookie')]).toEqual([200, undefined])
      expect(JSON.stringify(answer.headers)).not.toContain('stolen')
    }
  })
})

describe('--cors-allow-origin', () => {
  const fallback = useGateway({ flags: ['--cors-allow-origin', APP] })

  test('speaks for buckets without a configuration, and for no other', async () => {
    const plain = await fallback.bucket()
    expect(told(await fallback.send('GET', `/${plain}`))['allow-origin']).toBe(APP)
    const missing = await fallback.send('GET', '/no-such-bucket', from(EVIL))
    expect([missing.status, told(missing)['allow-origin']]).toEqual([404, APP])
    const allowed = await fallback.send('OPTIONS', `/${plain}/k`, preflight(EVIL, 'PUT', 'X-A'))
    expect([allowed.status, told(allowed)]).toEqual([
      204,
      {
        'allow-origin': APP,
        'allow-methods': 'PUT',
        'allow-headers': 'X-A',
        vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
      },
    ])
    const ruled = await bucketWith([{ AllowedOrigins: [EVIL], AllowedMethods: ['GET'] }], fallback)
    expect(told(await fallback.send('GET', `/${ruled}`))).toEqual({})
    const refused = await fallback.send('OPTIONS', `/${ruled}`, preflight(APP, 'GET'))
    expect([refused.status, told(refused)]).toEqual([403, {}])
  })

  test('never with credentials, and also for lists of buckets and the admin API', async () => {
    for (const [method, target] of [
      ['GET', '/'],
      ['PATCH', '/list-buckets'],
      ['OPTIONS', '/'],
    ] as const) {
      const answer = await fallback.send(method, target)
      expect([target, told(answer)['allow-origin']]).toEqual([target, APP])
      expect(told(answer)['allow-credentials']).toBeUndefined()
    }
  })
})
