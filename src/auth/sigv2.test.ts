import { describe, expect, test } from 'vitest'
import { accountOf } from '../../test/support/accounts.ts'
import { requestOf, type RequestHead } from '../../test/support/requests.ts'
import { createAuthenticator, type Authentication } from './authenticate.ts'

const ACCESS = 'AKIAIOSFODNN7EXAMPLE'
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const HOST = 'johnsmith.s3.amazonaws.com'
const NOW = Date.UTC(2007, 2, 27, 19, 40)

function authenticate(head: RequestHead, now = NOW, sigv2 = true): Authentication {
  const account = accountOf(ACCESS, SECRET)
  const accounts = {
    rootAccess: 'root',
    find: (key: string) => (key === ACCESS ? account : undefined),
  }
  const authenticator = createAuthenticator({
    accounts,
    region: 'us-east-1',
    sigv2,
    now: () => now,
  })
  const found = authenticator(
    requestOf({ virtualDomain: 's3.amazonaws.com', ...head }),
    'GetObject',
    {},
  )
  if (found instanceof Promise) throw new Error('a promise where the account is at hand')
  return found
}

const signedBy = (signature: string, access = ACCESS) => `AWS ${access}:${signature}`
const GET = {
  target: '/photos/puppy.jpg',
  headers: {
    Host: HOST,
    Date: 'Tue, 27 Mar 2007 19:36:42 +0000',
    Authorization: signedBy('bWq2s1WEIj+Ydj0vQ697zp+IXMU='),
  },
}

describe('Amazon S3 User Guide, "Signing and authenticating REST requests"', () => {
  test('an object is read', () => {
    expect(authenticate(GET)).toMatchObject({
      method: 'header',
      payload: 'unsigned',
      identity: { accessKey: ACCESS },
    })
  })

  test.each([
    {
      method: 'PUT',
      target: '/photos/puppy.jpg',
      headers: {
        Host: HOST,
        Date: 'Tue, 27 Mar 2007 21:15:45 +0000',
        'Content-Type': 'image/jpeg',
        'Content-Length': '94328',
        Authorization: signedBy('MyyxeRY7whkBe+bq8fHCL/2kKUg='),
      },
    },
    {
      target: '/?prefix=photos&max-keys=50&marker=puppy',
      headers: {
        Host: HOST,
        Date: 'Tue, 27 Mar 2007 19:42:41 +0000',
        Authorization: signedBy('htDYFYduRNen8P9ZfE/s9SuKy0U='),
      },
    },
    {
      target: '/?acl',
      headers: {
        Host: HOST,
        Date: 'Tue, 27 Mar 2007 19:44:46 +0000',
        Authorization: signedBy('c2WLPFtWHVgbEmeEG93a4cG37dM='),
      },
    },
    {
      method: 'PUT',
      target: '/db-backup.dat.gz',
      headers: [
        ['Host', 'static.johnsmith.net.s3.amazonaws.com'],
        ['Date', 'Tue, 27 Mar 2007 21:06:08 +0000'],
        ['x-amz-acl', 'public-read'],
        ['content-type', 'application/x-download'],
        ['Content-MD5', '4gJE4saaMU4BqNR0kLY+lw=='],
        ['X-Amz-Meta-ReviewedBy', 'joe@johnsmith.net'],
        ['X-Amz-Meta-ReviewedBy', 'jane@johnsmith.net'],
        ['X-Amz-Meta-FileChecksum', '0x02661779'],
        ['X-Amz-Meta-ChecksumAlgorithm', 'crc32'],
        ['Content-Length', '5913339'],
        ['Authorization', signedBy('ilyl83RwaSoYIEdixDQcA4OnAnc=')],
      ],
    },
  ] satisfies RequestHead[])('$method $target', (head) => {
    const date = new Headers(head.headers).get('date')
    expect(authenticate(head, Date.parse(date ?? '')).identity.accessKey).toBe(ACCESS)
  })

  test('a URL', () => {
    const target =
      '/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620'
    const head = { target, headers: { Host: HOST } }
    expect(authenticate(head)).toMatchObject({ method: 'presigned' })
    expect(() => authenticate(head, 1175139620_000)).toThrow('Request has expired.')
    expect(() => authenticate(head, 1174000000_000)).toThrow('less than a week ahead')
    const other = { ...head, target: `${target}&tagging` }
    expect(() => authenticate(other)).toThrow('signature we calculated does not match')
    const twice = { ...head, target: `${target}&Expires=1175139621` }
    expect(() => authenticate(twice)).toThrow('Query-string authentication requires')
    const both = { target, headers: { ...GET.headers } }
    expect(() => authenticate(both)).toThrow('Only one auth mechanism allowed')
  })
})

describe('what is not as it was signed', () => {
  test.each([
    ['another method', { ...GET, method: 'DELETE' }],
    ['another key', { ...GET, target: '/photos/puppy.jpeg' }],
    ['a sub-resource', { ...GET, target: `${GET.target}?acl` }],
    ['a version', { ...GET, target: `${GET.target}?versionId=1` }],
    ['a header about it', { ...GET, headers: { ...GET.headers, 'x-amz-acl': 'public-read' } }],
    ['a type', { ...GET, headers: { ...GET.headers, 'Content-Type': 'text/html' } }],
    ['another bucket', { ...GET, headers: { ...GET.headers, Host: 'jo.s3.amazonaws.com' } }],
  ])('%s', (_, head) => {
    expect(() => authenticate(head)).toThrow('signature we calculated does not match')
  })

  test('the secret is not told, nor what would have been right', () => {
    const headers = { ...GET.headers, Authorization: signedBy('AAAA') }
    try {
      authenticate({ ...GET, headers })
    } catch (error) {
      expect(error).toMatchObject({
        code: 'SignatureDoesNotMatch',
        details: { AWSAccessKeyId: ACCESS },
      })
      return
    }
    throw new Error('it was let in')
  })

  test('an unknown access key', () => {
    const headers = { ...GET.headers, Authorization: signedBy('AAAA', 'nobody') }
    expect(() => authenticate({ ...GET, headers })).toThrow('does not exist in our records')
  })

  test.each([
    ['late', 'Tue, 27 Mar 2007 19:20:00 GMT', 'difference between the request time'],
    ['no date', 'yesterday', 'requires a valid Date'],
    ['before 1970', 'Fri, 07 Jul 1950 21:53:04 GMT', 'requires a valid Date'],
  ])('%s', (_, date, message) => {
    expect(() => authenticate({ ...GET, headers: { ...GET.headers, Date: date } })).toThrow(message)
  })

  test('chunks that claim to be signed', () => {
    const headers = {
      ...GET.headers,
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    }
    expect(() => authenticate({ ...GET, headers })).toThrow('Access Denied')
  })
})

test('without --sigv2 it is no way to sign', () => {
  const headers = { ...GET.headers, 'x-amz-date': '20070327T193642Z' }
  expect(() => authenticate({ ...GET, headers }, NOW, false)).toThrow(
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
  )
})
