import { describe, expect, test } from 'vitest'
import {
  ACCESS,
  EMPTY,
  GET_RANGE,
  HOST,
  NOW,
  SCOPE,
  SECRET,
  authenticate,
  authorization,
  withHeaders,
} from '../../test/support/documented-requests.ts'
import { requestOf } from '../../test/support/requests.ts'
import { errorOf } from '../../test/support/s3-errors.ts'
import { accountOf } from '../../test/support/accounts.ts'
import { createAuthenticator } from './authenticate.ts'

const SIGNED = 'host;range;x-amz-content-sha256;x-amz-date'
const MALFORMED = 'The authorization header is malformed; '

describe('contract 4.2: header, its errors in their order', () => {
  test.each<[string, Record<string, string | undefined>, string, string | undefined]>([
    [
      'no date',
      { 'x-amz-date': undefined },
      'AccessDenied',
      'AWS authentication requires a valid Date or x-amz-date header.',
    ],
    [
      'a date of another form',
      { 'x-amz-date': 'Fri, 24 May 2013 00:00:00 GMT' },
      'AccessDenied',
      'AWS authentication requires a valid Date or x-amz-date header.',
    ],
    [
      'a day that is none',
      { 'x-amz-date': '20130230T000000Z' },
      'AccessDenied',
      'AWS authentication requires a valid Date or x-amz-date header.',
    ],
    ['16 minutes behind', { 'x-amz-date': '20130523T234400Z' }, 'RequestTimeTooSkewed', undefined],
    ['16 minutes ahead', { 'x-amz-date': '20130524T001600Z' }, 'RequestTimeTooSkewed', undefined],
    [
      'no space',
      { Authorization: 'AWS4-HMAC-SHA256' },
      'InvalidArgument',
      "Authorization header is invalid -- one and only one ' ' (space) required.",
    ],
    [
      'version 2',
      { Authorization: 'AWS AK:sig' },
      'InvalidRequest',
      'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
    ],
    [
      'another scheme',
      { Authorization: 'Basic abc' },
      'InvalidArgument',
      'Unsupported Authorization Type',
    ],
    [
      'two components',
      { Authorization: 'AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b' },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}the authorization header requires three components: Credential, SignedHeaders, and Signature.`,
    ],
    [
      'a component without value',
      { Authorization: 'AWS4-HMAC-SHA256 Credential,SignedHeaders=b,Signature=c' },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}the authorization component "Credential" is malformed.`,
    ],
    [
      'another order',
      { Authorization: 'AWS4-HMAC-SHA256 SignedHeaders=b,Credential=a,Signature=c' },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}missing Credential.`,
    ],
    [
      'no signed headers',
      { Authorization: `AWS4-HMAC-SHA256 Credential=${ACCESS}/${SCOPE},Foo=b,Signature=c` },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}missing SignedHeaders.`,
    ],
    [
      'no signature',
      { Authorization: `AWS4-HMAC-SHA256 Credential=${ACCESS}/${SCOPE},SignedHeaders=b,Foo=c` },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}missing Signature.`,
    ],
    [
      'a credential of four fields',
      { Authorization: authorization(SIGNED, 'x', `${ACCESS}/20130524/us-east-1/s3`) },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`,
    ],
    [
      'an access key with a slash',
      { Authorization: authorization(SIGNED, 'x', `a/${ACCESS}/${SCOPE}`) },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`,
    ],
    [
      'A14: an empty access key',
      { Authorization: authorization(SIGNED, 'x', `/${SCOPE}`) },
      'InvalidAccessKeyId',
      undefined,
    ],
    [
      'an unknown access key that signed nothing',
      { Authorization: authorization('', 'x', `nobody/${SCOPE}`) },
      'InvalidAccessKeyId',
      undefined,
    ],
    [
      'a component with two values',
      { Authorization: authorization(SIGNED, 'x', `a=b/${SCOPE}`) },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}the authorization component "Credential=a=b/${SCOPE}" is malformed.`,
    ],
    [
      'everything wrong: the service first',
      { Authorization: authorization(SIGNED, 'x', `${ACCESS}/bad/eu/ec2/x`) },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}incorrect service "ec2". This endpoint belongs to "s3".`,
    ],
    [
      'then the terminal',
      { Authorization: authorization(SIGNED, 'x', `${ACCESS}/bad/eu/s3/x`) },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}incorrect terminal "x". This endpoint uses "aws4_request".`,
    ],
    [
      'then the date',
      { Authorization: authorization(SIGNED, 'x', `${ACCESS}/bad/eu/s3/aws4_request`) },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}incorrect date format "bad". This date in the credential must be in the format "yyyyMMdd".`,
    ],
    [
      'a credential date of another form',
      {
        Authorization: authorization(SIGNED, 'x', `${ACCESS}/2013-05-24/us-east-1/s3/aws4_request`),
      },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}incorrect date format "2013-05-24". This date in the credential must be in the format "yyyyMMdd".`,
    ],
    [
      'another region',
      { Authorization: authorization(SIGNED, 'x', `${ACCESS}/20130524/eu-west-1/s3/aws4_request`) },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}the region "eu-west-1" is wrong; expecting "us-east-1"`,
    ],
    [
      'another service',
      {
        Authorization: authorization(SIGNED, 'x', `${ACCESS}/20130524/us-east-1/ec2/aws4_request`),
      },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}incorrect service "ec2". This endpoint belongs to "s3".`,
    ],
    [
      'another terminal',
      { Authorization: authorization(SIGNED, 'x', `${ACCESS}/20130524/us-east-1/s3/aws5_request`) },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}incorrect terminal "aws5_request". This endpoint uses "aws4_request".`,
    ],
    [
      'an unknown access key',
      { Authorization: authorization(SIGNED, 'x', `nobody/${SCOPE}`) },
      'InvalidAccessKeyId',
      undefined,
    ],
    [
      'credential of another day',
      { Authorization: authorization(SIGNED, 'x', `${ACCESS}/20130523/us-east-1/s3/aws4_request`) },
      'AuthorizationHeaderMalformed',
      `${MALFORMED}${MALFORMED}Invalid credential date. Date is not the same as X-Amz-Date.`,
    ],
    [
      'no payload hash',
      { 'x-amz-content-sha256': undefined },
      'InvalidRequest',
      'Missing required header for this request: x-amz-content-sha256',
    ],
    [
      'a payload hash that is none',
      { 'x-amz-content-sha256': 'abc' },
      'InvalidArgument',
      undefined,
    ],
    [
      'a streamed payload for a read',
      { 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' },
      'InvalidRequest',
      'The value of x-amz-content-sha256 header is invalid.',
    ],
    [
      'an unsigned x-amz- header',
      { 'x-amz-meta-a': 'b' },
      'AccessDenied',
      'There were headers present in the request which were not signed',
    ],
    [
      'the host unsigned',
      { Authorization: authorization('range;x-amz-content-sha256;x-amz-date', 'x') },
      'AccessDenied',
      'There were headers present in the request which were not signed',
    ],
    ['a wrong signature', { Range: 'bytes=0-10' }, 'SignatureDoesNotMatch', undefined],
    [
      'a signature in capitals',
      {
        Authorization: GET_RANGE.headers.Authorization.replace(/[a-f0-9]{64}$/, (s) =>
          s.toUpperCase(),
        ),
      },
      'SignatureDoesNotMatch',
      undefined,
    ],
    [
      'an empty signature',
      { Authorization: authorization(SIGNED, '') },
      'SignatureDoesNotMatch',
      undefined,
    ],
  ])('%s', (_, changes, code, message) => {
    const error = errorOf(() => authenticate(requestOf(withHeaders(changes))))
    expect(error.code).toBe(code)
    expect(error.message).toBe(message ?? error.message)
  })

  test('RequestTimeTooSkewed tells both times', () => {
    const { details } = errorOf(() =>
      authenticate(requestOf(withHeaders({ 'x-amz-date': '20130524T001600Z' }))),
    )
    expect(details).toEqual({
      RequestTime: '20130524T001600Z',
      ServerTime: '2013-05-24T00:00:00Z',
      MaxAllowedSkewMilliseconds: '900000',
    })
  })

  test('15 minutes are no skew: the signature is what is wrong', () => {
    const error = errorOf(() =>
      authenticate(requestOf(withHeaders({ 'x-amz-date': '20130524T001500Z' }))),
    )
    expect(error.code).toBe('SignatureDoesNotMatch')
  })

  test('a wrong region is told with the right one; ListBuckets accepts us-east-1 as well', () => {
    const elsewhere = createAuthenticator({
      accounts: { rootAccess: 'r', find: () => undefined },
      region: 'eu-north-1',
      now: () => NOW,
    })
    const request = requestOf(withHeaders({}))
    expect(errorOf(() => elsewhere(request, 'GetObject', {})).details).toEqual({
      Region: 'eu-north-1',
    })
    expect(errorOf(() => elsewhere(request, 'ListBuckets', {})).code).toBe('InvalidAccessKeyId')
    expect(errorOf(() => elsewhere(request, 'GetObject', {})).code).toBe(
      'AuthorizationHeaderMalformed',
    )
  })

  test.each([
    ['x'.repeat(64), 'SignatureDoesNotMatch'],
    [`${'0'.repeat(63)}=`, 'AuthorizationHeaderMalformed'],
    [`${'0'.repeat(30)},${'0'.repeat(33)}`, 'AuthorizationHeaderMalformed'],
  ])('what was read before is read no other way with the signature %s', (signature, code) => {
    const signed = (text: string) =>
      requestOf(withHeaders({ Authorization: authorization(SIGNED, text) }))
    authenticate(requestOf(GET_RANGE))
    expect(errorOf(() => authenticate(signed(signature))).code).toBe(code)
    // Spaces are of no meaning anywhere behind the first.
    const right = authorization(SIGNED, '').length
    const { Authorization } = GET_RANGE.headers
    const spaced = `${Authorization.slice(0, right + 32)} ${Authorization.slice(right + 32)}`
    authenticate(requestOf(withHeaders({ Authorization: spaced })))
  })

  test.each(['HeadBucket', 'HeadObject', 'GetBucketAcl'])(
    '%s needs no payload hash',
    (operation) => {
      const error = errorOf(() =>
        authenticate(requestOf(withHeaders({ 'x-amz-content-sha256': undefined })), operation),
      )
      expect(error.code).toBe('SignatureDoesNotMatch')
    },
  )

  test('SignatureDoesNotMatch tells what was hashed, and not the secret', () => {
    const { details } = errorOf(() => authenticate(requestOf(withHeaders({ Range: 'bytes=0-10' }))))
    expect(Object.keys(details)).toEqual([
      'AWSAccessKeyId',
      'StringToSign',
      'SignatureProvided',
      'StringToSignBytes',
      'CanonicalRequest',
      'CanonicalRequestBytes',
    ])
    expect(details['CanonicalRequest']).toBe(
      `GET\n/test.txt\n\nhost:${HOST}\nrange:bytes=0-10\nx-amz-content-sha256:${EMPTY}\nx-amz-date:20130524T000000Z\n\n${SIGNED}\n${EMPTY}`,
    )
    expect(details['StringToSignBytes']).toMatch(/^41 57 53 34 2d( [0-9a-f]{2})+$/)
    expect(JSON.stringify(details)).not.toContain(SECRET)
  })

  test('ECDSA is known and not implemented', () => {
    const value = 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD'
    const error = errorOf(() =>
      authenticate(requestOf(withHeaders({ 'x-amz-content-sha256': value })), 'PutObject'),
    )
    expect(error.status).toBe(501)
    expect(error.message).toBe(`The chunk encoding algorithm ${value} is not supported.`)
  })

  test('a promise where the account store needs one', async () => {
    const slow = createAuthenticator({
      accounts: {
        rootAccess: 'root',
        find: async () => accountOf(ACCESS, SECRET, { userId: 7, groupId: 8 }),
      },
      region: 'us-east-1',
      now: () => NOW,
    })
    const { identity } = await slow(requestOf(GET_RANGE), 'GetObject', {})
    expect(identity).toEqual({
      accessKey: ACCESS,
      role: 'user',
      isRoot: false,
      userId: 7,
      groupId: 8,
    })
  })
})
