import { S3Error } from '../s3/errors.ts'
import type { S3Request } from '../s3/request.ts'
import type { Claim } from './claim.ts'
import { parseCredential, type Credential } from './credential.ts'
import { PAYLOAD, payloadHashOf } from './payload-hash.ts'
import { ALGORITHM } from './sigv4.ts'
import { formatXmlDate } from '../s3/http-date.ts'
import { parseTimestamp } from './timestamp.ts'

const MAX_EXPIRES_SECONDS = 604_800
const CREDENTIAL = 'Error parsing the X-Amz-Credential parameter; '
const SIGNS_OF_V4 = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Signature',
  'X-Amz-SignedHeaders',
  'X-Amz-Expires',
]
const SIGNS_OF_V2 = ['AWSAccessKeyId', 'Signature', 'Expires']
const WHOLE_NUMBER = /^[+-]?\d{1,18}$/

/** Whether a request carries its signature in the query, or tries to. */
export function isPresigned({ query }: S3Request): boolean {
  return query.size > 0 && (hasAny(query, SIGNS_OF_V4) || hasAny(query, SIGNS_OF_V2))
}

function hasAny(query: S3Request['query'], names: readonly string[]): boolean {
  for (const name of names) if (query.has(name)) return true
  return false
}

/**
 * Reads the query of a presigned URL; throws what the contract says, in its order. A date ahead of ours is accepted: such
 * a URL only lives longer. A repeated parameter is refused: which of the two was meant must never be a matter of taste.
 */
export function readPresignedClaim(
  request: S3Request,
  regions: readonly string[],
  now: number,
): Claim {
  const { query } = request
  if (!hasAny(query, SIGNS_OF_V4)) {
    throw new S3Error(
      'InvalidRequest',
      {},
      {
        message:
          'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
      },
    )
  }
  if (request.repeatedQuery !== undefined) throw incomplete()
  if (query.has('X-Amz-Security-Token'))
    throw refused('Authorization with X-Amz-Security-Token is not supported')
  checkAlgorithm(query.get('X-Amz-Algorithm'))
  const credential = readCredential(query.get('X-Amz-Credential'), regions)
  const timestamp = query.get('X-Amz-Date') ?? ''
  const time = readDate(timestamp, credential)
  const signature = required(query.get('X-Amz-Signature'))
  const signedHeaders = required(query.get('X-Amz-SignedHeaders'))
  checkExpiry(query.get('X-Amz-Expires'), time, now)
  return {
    method: 'presigned',
    accessKey: credential.accessKey,
    date: credential.date,
    region: credential.region,
    scope: credential.scope,
    timestamp,
    signedHeaders,
    signature,
    payloadHash: PAYLOAD.unsigned,
    bodyHash: payloadHashOf(request) ?? PAYLOAD.unsigned,
    toSign: undefined,
    check() {
      // Chunk signatures would be chained from a signature that everybody holding the URL knows.
      if (payloadHashOf(request)?.startsWith('STREAMING-') === true)
        throw new S3Error('AccessDenied')
    },
  }
}

function checkAlgorithm(algorithm: string | undefined): void {
  const text = required(algorithm)
  if (text === ALGORITHM) return
  if (text === 'AWS4-ECDSA-P256-SHA256')
    throw refused('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"')
  throw refused('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"')
}

function readCredential(text: string | undefined, regions: readonly string[]): Credential {
  const credential = parseCredential(required(text), regions)
  if ('fault' in credential) throw refused(CREDENTIAL + credential.fault)
  return credential
}

function readDate(text: string, credential: Credential): number {
  const time = parseTimestamp(required(text))
  if (time === undefined)
    throw refused("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
  if (text.startsWith(credential.date)) return time
  throw refused(
    `Invalid credential date "${credential.date}". This date is not the same as X-Amz-Date: "${text.slice(0, 8)}".`,
  )
}

function checkExpiry(text: string | undefined, time: number, now: number): void {
  const expires = required(text)
  if (!WHOLE_NUMBER.test(expires)) throw refused('X-Amz-Expires should be a number')
  const seconds = Number(expires)
  if (seconds < 0) throw refused('X-Amz-Expires must be non-negative')
  if (seconds > MAX_EXPIRES_SECONDS) {
    throw refused(
      'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds',
    )
  }
  const end = time + seconds * 1000
  if (now <= end) return
  const details = {
    ServerTime: formatXmlDate(now),
    'X-Amz-Expires': expires,
    Expires: formatXmlDate(end),
  }
  throw new S3Error('AccessDenied', details, { message: 'Request has expired.' })
}

function required(value: string | undefined): string {
  if (value === undefined || value === '') throw incomplete()
  return value
}

function incomplete(): S3Error {
  return new S3Error('AuthorizationQueryParametersError')
}

function refused(message: string): S3Error {
  return new S3Error('AuthorizationQueryParametersError', {}, { message })
}
