import { S3Error } from '../s3/errors.ts'
import type { S3Request } from '../s3/request.ts'
import type { Claim } from './claim.ts'
import { parseCredential, type Credential } from './credential.ts'
import { payloadHashOf } from './payload-hash.ts'
import { ALGORITHM } from './sigv4.ts'
import { formatXmlDate } from '../s3/http-date.ts'
import { parseTimestamp } from './timestamp.ts'

const MAX_SKEW_MS = 15 * 60 * 1000
const PREFIX = 'The authorization header is malformed; '
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
/** Operations that older clients send without a payload hash. */
const HASH_OPTIONAL = new Set(['HeadBucket', 'HeadObject', 'GetBucketAcl'])

/** Reads the Authorization header and what belongs to it; throws what the contract says, in its order. */
export function readHeaderClaim(
  request: S3Request,
  operation: string,
  regions: readonly string[],
  now: number,
): Claim {
  const timestamp = readTimestamp(request, now)
  const { credential, signedHeaders, signature } = readAuthorization(
    request.headers.authorization ?? '',
    regions,
  )
  const sent = payloadHashOf(request)
  const payloadHash = sent ?? EMPTY_SHA256
  return {
    method: 'header',
    accessKey: credential.accessKey,
    date: credential.date,
    region: credential.region,
    scope: credential.scope,
    timestamp,
    signedHeaders,
    signature,
    payloadHash,
    bodyHash: payloadHash,
    toSign: undefined,
    check() {
      if (credential.date !== timestamp.slice(0, 8)) {
        throw malformed(`${PREFIX}Invalid credential date. Date is not the same as X-Amz-Date.`)
      }
      if (sent !== undefined || HASH_OPTIONAL.has(operation)) return
      const message = 'Missing required header for this request: x-amz-content-sha256'
      throw new S3Error('InvalidRequest', {}, { message })
    },
  }
}

function readTimestamp(request: S3Request, now: number): string {
  const text = request.headers['x-amz-date'] ?? request.headers.date
  const time = typeof text === 'string' ? parseTimestamp(text) : undefined
  if (typeof text !== 'string' || time === undefined) throw noDate()
  checkSkew(text, time, now)
  return text
}

export function noDate(): S3Error {
  const message = 'AWS authentication requires a valid Date or x-amz-date header.'
  return new S3Error('AccessDenied', {}, { message })
}

/** A head that was read off the wire is worth nothing a quarter of an hour later. */
export function checkSkew(text: string, time: number, now: number): void {
  if (Math.abs(now - time) <= MAX_SKEW_MS) return
  throw new S3Error('RequestTimeTooSkewed', {
    RequestTime: text,
    ServerTime: formatXmlDate(now),
    MaxAllowedSkewMilliseconds: String(MAX_SKEW_MS),
  })
}

interface Authorization {
  readonly credential: Credential
  readonly signedHeaders: string
  readonly signature: string
}

/**
 * What stands before the signature, which comes last, is the same all day wherever a client asks for the same: it is read
 * once. Kept by its text, up to a number and a length, since clients choose it.
 */
const known = new Map<string, KnownAuthorization>()
const MAX_KNOWN = 256
const LONGEST_KNOWN = 1024
const SIGNATURE = 'Signature='
/** Hexadecimal digits of a SHA-256. */
const SIGNATURE_LENGTH = 64

interface KnownAuthorization extends Authorization {
  readonly regions: readonly string[]
}

function readAuthorization(header: string, regions: readonly string[]): Authorization {
  const end = header.length - SIGNATURE_LENGTH
  const isUsual = header.startsWith(SIGNATURE, end - SIGNATURE.length) && end <= LONGEST_KNOWN
  if (!isUsual) return parseAuthorization(header, regions)
  const before = header.slice(0, end)
  const signature = header.slice(end)
  const found = known.get(before)
  if (found?.regions === regions && !DELIMITERS.some((text) => signature.includes(text)))
    return { credential: found.credential, signedHeaders: found.signedHeaders, signature }
  const authorization = parseAuthorization(header, regions)
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(before, { ...authorization, regions })
  return authorization
}

/** Where one of them is in its last 64 characters a header means something else, or nothing. */
const DELIMITERS = [',', '=', ' ']

function parseAuthorization(header: string, regions: readonly string[]): Authorization {
  const space = header.indexOf(' ')
  if (space < 0) {
    throw badHeader(
      "Authorization header is invalid -- one and only one ' ' (space) required.",
      header,
    )
  }
  const scheme = header.slice(0, space)
  if (scheme === 'AWS') {
    throw new S3Error(
      'InvalidRequest',
      {},
      {
        message:
          'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
      },
    )
  }
  if (scheme !== ALGORITHM) throw badHeader('Unsupported Authorization Type', scheme)
  const components = header
    .slice(space + 1)
    .replaceAll(' ', '')
    .split(',')
  if (components.length !== 3) {
    throw malformed(
      'the authorization header requires three components: Credential, SignedHeaders, and Signature.',
    )
  }
  const [credential = '', signedHeaders = '', signature = ''] = components
  return {
    credential: readCredential(valueOf(credential, 'Credential'), regions),
    signedHeaders: valueOf(signedHeaders, 'SignedHeaders'),
    signature: valueOf(signature, 'Signature'),
  }
}

function valueOf(component: string, name: string): string {
  const equals = component.indexOf('=')
  if (equals < 0 || component.includes('=', equals + 1)) {
    throw malformed(`the authorization component "${component}" is malformed.`)
  }
  if (component.slice(0, equals) !== name) throw malformed(`missing ${name}.`)
  return component.slice(equals + 1)
}

function readCredential(text: string, regions: readonly string[]): Credential {
  const credential = parseCredential(text, regions)
  if ('fault' in credential) throw malformed(credential.fault, credential.region)
  return credential
}

function malformed(fault: string, region?: string): S3Error {
  const details: Record<string, string> = region === undefined ? {} : { Region: region }
  return new S3Error('AuthorizationHeaderMalformed', details, { message: PREFIX + fault })
}

/** The value told is never the whole header: it may hold a signature. */
function badHeader(message: string, value: string): S3Error {
  const details = { ArgumentName: 'Authorization', ArgumentValue: value }
  return new S3Error('InvalidArgument', details, { message })
}
