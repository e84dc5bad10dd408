import { describe, expect, test } from 'vitest'
import { requestOf } from '../../test/support/requests.ts'
import { errorOf } from '../../test/support/s3-errors.ts'
import type { S3Request } from '../s3/request.ts'
import { createAuthenticator, type AuthFacts, type Authentication } from './authenticate.ts'

/** The account and the moment of the examples in Amazon's documentation. */
const ACCESS = 'AKIAIOSFODNN7EXAMPLE'
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const NOW = Date.UTC(2013, 4, 24)
const HOST = 'examplebucket.s3.amazonaws.com'
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const SCOPE = '20130524/us-east-1/s3/aws4_request'

const authenticator = createAuthenticator({
  accounts: {
    rootAccess: ACCESS,
    find: (key) => (key === ACCESS ? { access: ACCESS, secret: SECRET, role: 'admin' } : undefined),
  },
  region: 'us-east-1',
  now: () => NOW,
})

function authenticate(request: S3Request, operation = 'GetObject', facts: AuthFacts = {}): Authentication {
  const found = authenticator(request, operation, facts)
  if (found instanceof Promise) throw new Error('a promise where the account is at hand')
  return found
}


function authorization(signedHeaders: string, signature: string, credential = `${ACCESS}/${SCOPE}`): string {
  return `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`
}

const GET_RANGE = {
  method: 'GET',
  target: '/test.txt',
  headers: {
    Host: HOST,
    Range: 'bytes=0-9',
    'x-amz-content-sha256': EMPTY,
    'x-amz-date': '20130524T000000Z',
    Authorization: authorization(
      'host;range;x-amz-content-sha256;x-amz-date',
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ),
  },
}

describe('Amazon S3 API reference, "Examples: Signature Calculations in AWS Signature Version 4"', () => {
  test('GET object with a range', () => {
    const facts: AuthFacts = {}
    const { identity, method, payload } = authenticate(requestOf(GET_RANGE), 'GetObject', facts)
    expect(identity).toEqual({ accessKey: ACCESS, role: 'admin', isRoot: true })
    expect({ method, payload }).toEqual({ method: 'header', payload: 'signed' })
    expect(facts).toEqual({ method: 'header', payload: 'signed', accessKey: ACCESS })
  })

  test('PUT object with an escaped key', () => {
    const sha256 = '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072'
    const found = authenticate(
      requestOf({
        method: 'PUT',
        target: '/test%24file.text',
        headers: {
          Host: HOST,
          Date: 'Fri, 24 May 2013 00:00:00 GMT',
          'x-amz-date': '20130524T000000Z',
          'x-amz-storage-class': 'REDUCED_REDUNDANCY',
          'x-amz-content-sha256': sha256,
          Authorization: authorization(
            'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
            '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
          ),
        },
      }),
      'PutObject',
    )
    expect(found.declaredSha256?.toString('hex')).toBe(sha256)
  })

  test.each([
    ['/?lifecycle', 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
    ['/?max-keys=2&prefix=J', '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
    ['/?prefix=J&max-keys=2', '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
  ])('GET bucket %s', (target, signature) => {
    authenticate(
      requestOf({
        target,
        headers: {
          Host: HOST,
          'x-amz-date': '20130524T000000Z',
          'x-amz-content-sha256': EMPTY,
          Authorization: authorization('host;x-amz-content-sha256;x-amz-date', signature),
        },
      }),
      'ListObjects',
    )
  })

  test('presigned GET', () => {
    const { method, payload } = authenticate(requestOf(presigned()))
    expect({ method, payload }).toEqual({ method: 'presigned', payload: 'unsigned' })
  })
})

const PRESIGNED: Readonly<Record<string, string>> = {
  'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
  'X-Amz-Credential': `${ACCESS}/${SCOPE}`,
  'X-Amz-Date': '20130524T000000Z',
  'X-Amz-Expires': '86400',
  'X-Amz-SignedHeaders': 'host',
  'X-Amz-Signature': 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
}

function presigned(changes: Record<string, string | undefined> = {}, headers: Record<string, string> = {}) {
  const parameters = Object.entries({ ...PRESIGNED, ...changes }).filter(([, value]) => value !== undefined)
  const query = parameters.map(([name, value]) => `${name}=${encodeURIComponent(value ?? '')}`).join('&')
  return { target: `/test.txt?${query}`, headers: { Host: HOST, ...headers } }
}

function withHeaders(changes: Record<string, string | undefined>, target = GET_RANGE.target) {
  const headers = Object.entries({ ...GET_RANGE.headers, ...changes })
    .flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  return { ...GET_RANGE, target, headers }
}

const SIGNED = 'host;range;x-amz-content-sha256;x-amz-date'
const MALFORMED = 'The authorization header is malformed; '

describe('contract 4.2: header, its errors in their order', () => {
  test.each<[string, Record<string, string | undefined>, string, string | undefined]>([
    ['no date', { 'x-amz-date': undefined }, 'AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header.'],
    ['a date of another form', { 'x-amz-date': 'Fri, 24 May 2013 00:00:00 GMT' }, 'AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header.'],
    ['a day that is none', { 'x-amz-date': '20130230T000000Z' }, 'AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header.'],
    ['16 minutes behind', { 'x-amz-date': '20130523T234400Z' }, 'RequestTimeTooSkewed', undefined],
    ['16 minutes ahead', { 'x-amz-date': '20130524T001600Z' }, 'RequestTimeTooSkewed', undefined],
    ['no space', { Authorization: 'AWS4-HMAC-SHA256' }, 'InvalidArgument', "Authorization header is invalid -- one and only one ' ' (space) required."],
    ['empty', { Authorization: '' }, 'InvalidArgument', "Authorization header is invalid -- one and only one ' ' (space) required."],
    ['version 2', { Authorization: 'AWS AK:sig' }, 'InvalidRequest', 'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.'],
    ['another scheme', { Authorization: 'Basic abc' }, 'InvalidArgument', 'Unsupported Authorization Type'],
    ['two components', { Authorization: 'AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b' }, 'AuthorizationHeaderMalformed', `${MALFORMED}the authorization header requires three components: Credential, SignedHeaders, and Signature.`],
    ['a component without value', { Authorization: 'AWS4-HMAC-SHA256 Credential,SignedHeaders=b,Signature=c' }, 'AuthorizationHeaderMalformed', `${MALFORMED}the authorization component "Credential" is malformed.`],
    ['another order', { Authorization: 'AWS4-HMAC-SHA256 SignedHeaders=b,Credential=a,Signature=c' }, 'AuthorizationHeaderMalformed', `${MALFORMED}missing Credential.`],
    ['no signed headers', { Authorization: `AWS4-HMAC-SHA256 Credential=${ACCESS}/${SCOPE},Foo=b,Signature=c` }, 'AuthorizationHeaderMalformed', `${MALFORMED}missing SignedHeaders.`],
    ['no signature', { Authorization: `AWS4-HMAC-SHA256 Credential=${ACCESS}/${SCOPE},SignedHeaders=b,Foo=c` }, 'AuthorizationHeaderMalformed', `${MALFORMED}missing Signature.`],
    ['a credential of four fields', { Authorization: authorization(SIGNED, 'x', `${ACCESS}/20130524/us-east-1/s3`) }, 'AuthorizationHeaderMalformed', `${MALFORMED}the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`],
    ['an access key with a slash', { Authorization: authorization(SIGNED, 'x', `a/${ACCESS}/${SCOPE}`) }, 'AuthorizationHeaderMalformed', `${MALFORMED}the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`],
    ['an empty access key', { Authorization: authorization(SIGNED, 'x', `/${SCOPE}`) }, 'AuthorizationHeaderMalformed', `${MALFORMED}the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`],
    ['a credential date of another form', { Authorization: authorization(SIGNED, 'x', `${ACCESS}/2013-05-24/us-east-1/s3/aws4_request`) }, 'AuthorizationHeaderMalformed', `${MALFORMED}incorrect date format "2013-05-24". This date in the credential must be in the format "yyyyMMdd".`],
    ['another region', { Authorization: authorization(SIGNED, 'x', `${ACCESS}/20130524/eu-west-1/s3/aws4_request`) }, 'AuthorizationHeaderMalformed', `${MALFORMED}the region "eu-west-1" is wrong; expecting "us-east-1"`],
    ['another service', { Authorization: authorization(SIGNED, 'x', `${ACCESS}/20130524/us-east-1/ec2/aws4_request`) }, 'AuthorizationHeaderMalformed', `${MALFORMED}incorrect service "ec2". This endpoint belongs to "s3".`],
    ['another terminal', { Authorization: authorization(SIGNED, 'x', `${ACCESS}/20130524/us-east-1/s3/aws5_request`) }, 'AuthorizationHeaderMalformed', `${MALFORMED}incorrect terminal "aws5_request". This endpoint uses "aws4_request".`],
    ['an unknown access key', { Authorization: authorization(SIGNED, 'x', `nobody/${SCOPE}`) }, 'InvalidAccessKeyId', undefined],
    ['credential of another day', { Authorization: authorization(SIGNED, 'x', `${ACCESS}/20130523/us-east-1/s3/aws4_request`) }, 'AuthorizationHeaderMalformed', `${MALFORMED}${MALFORMED}Invalid credential date. Date is not the same as X-Amz-Date.`],
    ['no payload hash', { 'x-amz-content-sha256': undefined }, 'InvalidRequest', 'Missing required header for this request: x-amz-content-sha256'],
    ['a payload hash that is none', { 'x-amz-content-sha256': 'abc' }, 'InvalidArgument', undefined],
    ['a streamed payload for a read', { 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' }, 'InvalidRequest', 'The value of x-amz-content-sha256 header is invalid.'],
    ['an unsigned x-amz- header', { 'x-amz-meta-a': 'b' }, 'AccessDenied', 'There were headers present in the request which were not signed'],
    ['the host unsigned', { Authorization: authorization('range;x-amz-content-sha256;x-amz-date', 'x') }, 'AccessDenied', 'There were headers present in the request which were not signed'],
    ['a wrong signature', { Range: 'bytes=0-10' }, 'SignatureDoesNotMatch', undefined],
    ['a signature in capitals', { Authorization: GET_RANGE.headers.Authorization.replace(/[a-f0-9]{64}$/, (s) => s.toUpperCase()) }, 'SignatureDoesNotMatch', undefined],
    ['an empty signature', { Authorization: authorization(SIGNED, '') }, 'SignatureDoesNotMatch', undefined],
  ])('%s', (_, changes, code, message) => {
    const error = errorOf(() => authenticate(requestOf(withHeaders(changes))))
    expect(error.code).toBe(code)
    if (message !== undefined) expect(error.message).toBe(message)
  })

  test('RequestTimeTooSkewed tells both times', () => {
    const { details } = errorOf(() => authenticate(requestOf(withHeaders({ 'x-amz-date': '20130524T001600Z' }))))
    expect(details).toEqual({
      RequestTime: '20130524T001600Z',
      ServerTime: '2013-05-24T00:00:00Z',
      MaxAllowedSkewMilliseconds: '900000',
    })
  })

  test('15 minutes are no skew: the signature is what is wrong', () => {
    const error = errorOf(() => authenticate(requestOf(withHeaders({ 'x-amz-date': '20130524T001500Z' }))))
    expect(error.code).toBe('SignatureDoesNotMatch')
  })

  test('a wrong region is told with the right one; ListBuckets accepts us-east-1 as well', () => {
    const elsewhere = createAuthenticator({
      accounts: { rootAccess: 'r', find: () => undefined },
      region: 'eu-north-1',
      now: () => NOW,
    })
    const request = requestOf(withHeaders({}))
    expect(errorOf(() => elsewhere(request, 'GetObject', {})).details).toEqual({ Region: 'eu-north-1' })
    expect(errorOf(() => elsewhere(request, 'ListBuckets', {})).code).toBe('InvalidAccessKeyId')
  })

  test.each(['HeadBucket', 'HeadObject', 'GetBucketAcl'])('%s needs no payload hash', (operation) => {
    const error = errorOf(() => authenticate(requestOf(withHeaders({ 'x-amz-content-sha256': undefined })), operation))
    expect(error.code).toBe('SignatureDoesNotMatch')
  })

  test('SignatureDoesNotMatch tells what was hashed, and not the secret', () => {
    const { details } = errorOf(() => authenticate(requestOf(withHeaders({ Range: 'bytes=0-10' }))))
    expect(Object.keys(details)).toEqual([
      'AWSAccessKeyId', 'StringToSign', 'SignatureProvided', 'StringToSignBytes', 'CanonicalRequest', 'CanonicalRequestBytes',
    ])
    expect(details['CanonicalRequest']).toBe(
      `GET\n/test.txt\n\nhost:${HOST}\nrange:bytes=0-10\nx-amz-content-sha256:${EMPTY}\nx-amz-date:20130524T000000Z\n\n${SIGNED}\n${EMPTY}`,
    )
    expect(details['StringToSignBytes']).toMatch(/^41 57 53 34 2d( [0-9a-f]{2})+$/)
    expect(JSON.stringify(details)).not.toContain(SECRET)
  })

  test('ECDSA is known and not implemented', () => {
    const value = 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD'
    const error = errorOf(() => authenticate(requestOf(withHeaders({ 'x-amz-content-sha256': value })), 'PutObject'))
    expect(error.status).toBe(501)
    expect(error.message).toBe(`The chunk encoding algorithm ${value} is not supported.`)
  })

  test('a promise where the account store needs one', async () => {
    const slow = createAuthenticator({
      accounts: { rootAccess: 'root', find: async () => ({ access: ACCESS, secret: SECRET, role: 'user' }) },
      region: 'us-east-1',
      now: () => NOW,
    })
    const { identity } = await slow(requestOf(GET_RANGE), 'GetObject', {})
    expect(identity).toEqual({ accessKey: ACCESS, role: 'user', isRoot: false })
  })
})

const REFUSED_CREDENTIAL = 'Error parsing the X-Amz-Credential parameter; '
const INCOMPLETE =
  'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.'

describe('contract 4.4: presigned URLs', () => {
  test.each<[string, Record<string, string | undefined>, string]>([
    ...Object.keys(PRESIGNED).map((name) => [`without ${name}`, { [name]: undefined }, INCOMPLETE] as [string, Record<string, undefined>, string]),
    ['ECDSA', { 'X-Amz-Algorithm': 'AWS4-ECDSA-P256-SHA256' }, 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"'],
    ['another algorithm', { 'X-Amz-Algorithm': 'AWS4-HMAC-SHA1' }, 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'],
    ['another region', { 'X-Amz-Credential': `${ACCESS}/20130524/eu-west-1/s3/aws4_request` }, `${REFUSED_CREDENTIAL}the region "eu-west-1" is wrong; expecting "us-east-1"`],
    ['another service', { 'X-Amz-Credential': `${ACCESS}/20130524/us-east-1/sts/aws4_request` }, `${REFUSED_CREDENTIAL}incorrect service "sts". This endpoint belongs to "s3".`],
    ['another terminal', { 'X-Amz-Credential': `${ACCESS}/20130524/us-east-1/s3/aws4` }, `${REFUSED_CREDENTIAL}incorrect terminal "aws4". This endpoint uses "aws4_request".`],
    ['a date of another form', { 'X-Amz-Date': '2013-05-24' }, 'X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd\'T\'HHmmss\'Z\'"'],
    ['another day than the credential', { 'X-Amz-Date': '20130523T235959Z' }, 'Invalid credential date "20130524". This date is not the same as X-Amz-Date: "20130523".'],
    ['Expires no number', { 'X-Amz-Expires': '1e30' }, 'X-Amz-Expires should be a number'],
    ['Expires below 0', { 'X-Amz-Expires': '-1' }, 'X-Amz-Expires must be non-negative'],
    ['Expires above a week', { 'X-Amz-Expires': '604801' }, 'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds'],
    ['a session token', { 'X-Amz-Security-Token': 'x' }, 'Authorization with X-Amz-Security-Token is not supported'],
  ])('%s', (_, changes, message) => {
    const error = errorOf(() => authenticate(requestOf(presigned(changes))))
    expect([error.code, error.message]).toEqual(['AuthorizationQueryParametersError', message])
  })

  test('A13: expired by a second', () => {
    const late = createAuthenticator({
      accounts: { rootAccess: ACCESS, find: () => ({ access: ACCESS, secret: SECRET, role: 'admin' }) },
      region: 'us-east-1',
      now: () => NOW + 86_401_000,
    })
    const error = errorOf(() => late(requestOf(presigned()), 'GetObject', {}))
    expect([error.code, error.message]).toEqual(['AccessDenied', 'Request has expired.'])
    expect(error.details).toEqual({
      ServerTime: '2013-05-25T00:00:01Z',
      'X-Amz-Expires': '86400',
      Expires: '2013-05-25T00:00:00Z',
    })
  })

  test('a date ahead is accepted', () => {
    const early = createAuthenticator({
      accounts: { rootAccess: ACCESS, find: () => ({ access: ACCESS, secret: SECRET, role: 'admin' }) },
      region: 'us-east-1',
      now: () => NOW - 16 * 60_000,
    })
    expect(early(requestOf(presigned()), 'GetObject', {})).toMatchObject({ method: 'presigned' })
  })

  test('signature version 2 is refused', () => {
    const error = errorOf(() => authenticate(requestOf({ target: '/b/k?AWSAccessKeyId=a&Signature=b&Expires=1' })))
    expect([error.code, error.message]).toEqual([
      'InvalidRequest',
      'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
    ])
  })

  test.each([
    ['x-amz-copy-source', '/other/secret'],
    ['x-amz-tagging', 'a=b'],
    ['x-amz-acl', 'public-read'],
    ['x-amz-meta-a', 'b'],
    ['x-amz-content-sha256', 'UNSIGNED-PAYLOAD'],
  ])('A9: an added %s is AccessDenied with HeadersNotSigned', (name, value) => {
    const error = errorOf(() => authenticate(requestOf(presigned({}, { [name]: value })), 'PutObject'))
    expect([error.status, error.code, error.details]).toEqual([403, 'AccessDenied', { HeadersNotSigned: name }])
  })

  test('A10: a body in chunks under credentials in the query', () => {
    const headers = { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' }
    expect(errorOf(() => authenticate(requestOf(presigned({}, headers)), 'PutObject')).status).toBe(403)
  })

  test('A9: an added parameter breaks the signature', () => {
    const head = presigned()
    const error = errorOf(() => authenticate(requestOf({ ...head, target: `${head.target}&versionId=x` })))
    expect(error.code).toBe('SignatureDoesNotMatch')
  })

  test.each(['X-Amz-Expires=604800', 'X-Amz-Signature=00', 'versionId=1&versionId=2'])('A13: repeated: %s', (more) => {
    const head = presigned()
    const error = errorOf(() => authenticate(requestOf({ ...head, target: `${head.target}&${more}` })))
    expect(error.code).toBe('AuthorizationQueryParametersError')
  })

  test('A13: signed in the header and in the query', () => {
    const error = errorOf(() => authenticate(requestOf(presigned({}, { Authorization: GET_RANGE.headers.Authorization }))))
    expect([error.status, error.code]).toEqual([400, 'InvalidArgument'])
    expect(JSON.stringify(error.details)).not.toContain('f0e8bdb8')
  })
})

describe('anonymous callers', () => {
  test.each([
    [undefined, 'unsigned'],
    ['UNSIGNED-PAYLOAD', 'unsigned'],
    [EMPTY, 'signed'],
    ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'streaming-unsigned-trailer'],
  ])('contract 4.6: payload hash %s', (value, payload) => {
    const headers: Record<string, string> = value === undefined ? {} : { 'x-amz-content-sha256': value }
    const found = authenticate(requestOf({ method: 'PUT', target: '/b/k', headers }), 'PutObject')
    expect(found).toMatchObject({ method: 'anonymous', payload, identity: { accessKey: undefined, isRoot: false } })
  })

  test('a body signed in chunks has no one who signed it', () => {
    const headers = { 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' }
    const error = errorOf(() => authenticate(requestOf({ method: 'PUT', target: '/b/k', headers }), 'PutObject'))
    expect(error.code).toBe('InvalidRequest')
  })

  test('A10: an unsigned trailer is for uploads only', () => {
    const headers = { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' }
    for (const operation of ['CreateBucket', 'DeleteObjects', 'CompleteMultipartUpload', 'CopyObject']) {
      expect(errorOf(() => authenticate(requestOf({ headers }), operation)).code).toBe('InvalidRequest')
    }
  })
})
