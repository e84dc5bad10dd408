import {
  createAuthenticator,
  type AuthFacts,
  type Authentication,
} from '../../src/auth/authenticate.ts'
import { accountOf } from './accounts.ts'
import type { S3Request } from '../../src/s3/request.ts'

/** The account and the moment of the examples in Amazon's documentation. */
export const ACCESS = 'AKIAIOSFODNN7EXAMPLE'
export const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
export const NOW = Date.UTC(2013, 4, 24)
export const HOST = 'examplebucket.s3.amazonaws.com'
export const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
export const SCOPE = '20130524/us-east-1/s3/aws4_request'

const authenticator = createAuthenticator({
  accounts: {
    rootAccess: ACCESS,
    find: (key) => (key === ACCESS ? accountOf(ACCESS, SECRET, { role: 'admin' }) : undefined),
  },
  region: 'us-east-1',
  now: () => NOW,
})

export function authenticate(
  request: S3Request,
  operation = 'GetObject',
  facts: AuthFacts = {},
): Authentication {
  const found = authenticator(request, operation, facts)
  if (found instanceof Promise) throw new Error('a promise where the account is at hand')
  return found
}

export function authorization(
  signedHeaders: string,
  signature: string,
  credential = `${ACCESS}/${SCOPE}`,
): string {
  return `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`
}

export const GET_RANGE = {
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

export const PRESIGNED: Readonly<Record<string, string>> = {
  'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
  'X-Amz-Credential': `${ACCESS}/${SCOPE}`,
  'X-Amz-Date': '20130524T000000Z',
  'X-Amz-Expires': '86400',
  'X-Amz-SignedHeaders': 'host',
  'X-Amz-Signature': 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
}

export function presigned(
  changes: Record<string, string | undefined> = {},
  headers: Record<string, string> = {},
) {
  const parameters = Object.entries({ ...PRESIGNED, ...changes }).filter(
    ([, value]) => value !== undefined,
  )
  const query = parameters
    .map(([name, value]) => `${name}=${encodeURIComponent(value ?? '')}`)
    .join('&')
  return { target: `/test.txt?${query}`, headers: { Host: HOST, ...headers } }
}

export function withHeaders(
  changes: Record<string, string | undefined>,
  target = GET_RANGE.target,
) {
  const headers = Object.entries({ ...GET_RANGE.headers, ...changes }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  return { ...GET_RANGE, target, headers }
}
