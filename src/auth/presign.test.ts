import { describe, expect, test } from 'vitest'
import {
  ACCESS,
  GET_RANGE,
  NOW,
  PRESIGNED,
  SECRET,
  authenticate,
  presigned,
} from '../../test/support/documented-requests.ts'
import { requestOf } from '../../test/support/requests.ts'
import { errorOf } from '../../test/support/s3-errors.ts'
import { accountOf } from '../../test/support/accounts.ts'
import { createAuthenticator } from './authenticate.ts'

const REFUSED_CREDENTIAL = 'Error parsing the X-Amz-Credential parameter; '
const INCOMPLETE =
  'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.'

describe('contract 4.4: presigned URLs', () => {
  test.each<[string, Record<string, string | undefined>, string]>([
    ...Object.keys(PRESIGNED).map(
      (name) =>
        [`without ${name}`, { [name]: undefined }, INCOMPLETE] as [
          string,
          Record<string, undefined>,
          string,
        ],
    ),
    [
      'ECDSA',
      { 'X-Amz-Algorithm': 'AWS4-ECDSA-P256-SHA256' },
      'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"',
    ],
    [
      'another algorithm',
      { 'X-Amz-Algorithm': 'AWS4-HMAC-SHA1' },
      'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"',
    ],
    [
      'another region',
      { 'X-Amz-Credential': `${ACCESS}/20130524/eu-west-1/s3/aws4_request` },
      `${REFUSED_CREDENTIAL}the region "eu-west-1" is wrong; expecting "us-east-1"`,
    ],
    [
      'another service',
      { 'X-Amz-Credential': `${ACCESS}/20130524/us-east-1/sts/aws4_request` },
      `${REFUSED_CREDENTIAL}incorrect service "sts". This endpoint belongs to "s3".`,
    ],
    [
      'another terminal',
      { 'X-Amz-Credential': `${ACCESS}/20130524/us-east-1/s3/aws4` },
      `${REFUSED_CREDENTIAL}incorrect terminal "aws4". This endpoint uses "aws4_request".`,
    ],
    [
      'a date of another form',
      { 'X-Amz-Date': '2013-05-24' },
      "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
    ],
    [
      'another day than the credential',
      { 'X-Amz-Date': '20130523T235959Z' },
      'Invalid credential date "20130524". This date is not the same as X-Amz-Date: "20130523".',
    ],
    ['Expires no number', { 'X-Amz-Expires': '1e30' }, 'X-Amz-Expires should be a number'],
    ['Expires below 0', { 'X-Amz-Expires': '-1' }, 'X-Amz-Expires must be non-negative'],
    [
      'Expires above a week',
      { 'X-Amz-Expires': '604801' },
      'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds',
    ],
    [
      'a session token',
      { 'X-Amz-Security-Token': 'x' },
      'Authorization with X-Amz-Security-Token is not supported',
    ],
  ])('%s', (_, changes, message) => {
    const error = errorOf(() => authenticate(requestOf(presigned(changes))))
    expect([error.code, error.message]).toEqual(['AuthorizationQueryParametersError', message])
  })

  test('A13: expired by a second', () => {
    const late = createAuthenticator({
      accounts: {
        rootAccess: ACCESS,
        find: () => accountOf(ACCESS, SECRET, { role: 'admin' }),
      },
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
      accounts: {
        rootAccess: ACCESS,
        find: () => accountOf(ACCESS, SECRET, { role: 'admin' }),
      },
      region: 'us-east-1',
      now: () => NOW - 16 * 60_000,
    })
    expect(early(requestOf(presigned()), 'GetObject', {})).toMatchObject({ method: 'presigned' })
  })

  test('signature version 2 is refused', () => {
    const error = errorOf(() =>
      authenticate(requestOf({ target: '/b/k?AWSAccessKeyId=a&Signature=b&Expires=1' })),
    )
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
    const error = errorOf(() =>
      authenticate(requestOf(presigned({}, { [name]: value })), 'PutObject'),
    )
    expect([error.status, error.code, error.details]).toEqual([
      403,
      'AccessDenied',
      { HeadersNotSigned: name },
    ])
  })

  test('A10: a body in chunks under credentials in the query', () => {
    const headers = { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' }
    expect(errorOf(() => authenticate(requestOf(presigned({}, headers)), 'PutObject')).status).toBe(
      403,
    )
  })

  test('A9: an added parameter breaks the signature', () => {
    const head = presigned()
    const error = errorOf(() =>
      authenticate(requestOf({ ...head, target: `${head.target}&versionId=x` })),
    )
    expect(error.code).toBe('SignatureDoesNotMatch')
  })

  test.each(['X-Amz-Expires=604800', 'X-Amz-Signature=00', 'versionId=1&versionId=2'])(
    'A13: repeated: %s',
    (more) => {
      const head = presigned()
      const error = errorOf(() =>
        authenticate(requestOf({ ...head, target: `${head.target}&${more}` })),
      )
      expect(error.code).toBe('AuthorizationQueryParametersError')
    },
  )

  test('A13: signed in the header and in the query', () => {
    const error = errorOf(() =>
      authenticate(requestOf(presigned({}, { Authorization: GET_RANGE.headers.Authorization }))),
    )
    expect([error.status, error.code]).toEqual([400, 'InvalidArgument'])
    expect(JSON.stringify(error.details)).not.toContain('f0e8bdb8')
  })
})
