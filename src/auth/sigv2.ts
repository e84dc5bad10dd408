import { createHmac, timingSafeEqual } from 'node:crypto'
import { S3Error } from '../s3/errors.ts'
import { formatXmlDate, parseHttpDate } from '../s3/http-date.ts'
import { missingField } from '../s3/post-form.ts'
import type { S3Request } from '../s3/request.ts'
import type { Claim } from './claim.ts'
import { checkSkew, noDate } from './header-claim.ts'
import { PAYLOAD, payloadHashOf } from './payload-hash.ts'
import { isPresigned } from './presign.ts'

/**
 * AWS Signature Version 2, HMAC-SHA1 under the secret itself, for clients that know no other; only where the operator
 * asked for it (`--sigv2`): https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
 *
 * It covers the method, the path, every `x-amz-*` header and what chooses an operation (`SIGNED_PARAMETERS`), but neither
 * other parameters (`prefix`) nor the body, unless x-amz-content-sha256 or Content-MD5 came with it.
 */
export function readVersion2Claim(request: S3Request, now: number): Claim | undefined {
  if (request.form !== undefined) return readForm(request.form)
  const { authorization = '' } = request.headers
  // Who signs in two ways at once is refused where version 4 is read.
  if (isPresigned(request))
    return authorization === '' && !isVersion4(request) ? readQuery(request, now) : undefined
  if (!authorization.startsWith('AWS ')) return undefined
  return readHeader(request, authorization.slice('AWS '.length), now)
}

/** Throws unless this secret made the signature. */
export function verifyVersion2(claim: Claim, spellings: readonly string[], secret: string): void {
  const given = Buffer.from(claim.signature, 'base64')
  for (const toSign of spellings) {
    const expected = createHmac('sha1', secret).update(toSign, 'latin1').digest()
    if (given.length === expected.length && timingSafeEqual(given, expected)) return
  }
  throw new S3Error('SignatureDoesNotMatch', { AWSAccessKeyId: claim.accessKey })
}

/** Fields of a signed form that its policy need not allow. */
export const FORM_FIELDS: readonly string[] = ['awsaccesskeyid', 'signature']

const QUERY = ['AWSAccessKeyId', 'Signature', 'Expires']
const MAX_EXPIRES_MS = 604_800_000

/**
 * Parameters that are signed: all that choose an operation or change what it answers, more of them than S3 lists, so that
 * whoever holds a URL cannot make another request of it. A client that does not sign one of these cannot use it.
 */
const SIGNED_PARAMETERS: ReadonlySet<string> = new Set(
  [
    'accelerate acl analytics attributes cors delete encryption id intelligent-tiering inventory',
    'legal-hold lifecycle location logging metrics notification object-lock ownershipControls',
    'partNumber policy policyStatus publicAccessBlock replication requestPayment restore',
    'response-cache-control response-content-disposition response-content-encoding',
    'response-content-language response-content-type response-expires retention select',
    'select-type tagging torrent uploadId uploads versionId versioning versions website',
  ].flatMap((names) => names.split(' ')),
)

function readHeader(request: S3Request, credential: string, now: number): Claim {
  const { headers } = request
  const amzDate = headers['x-amz-date']
  const text = amzDate ?? headers.date
  const time =
    typeof text === 'string' ? parseHttpDate(text.replace(/ \+0000$/, ' GMT')) : undefined
  // What lies before 1970 is no date to S3.
  if (typeof text !== 'string' || time === undefined || time < 0) throw noDate()
  checkSkew(text, time, now)
  const colon = credential.lastIndexOf(':')
  if (colon < 1) {
    const message = 'AWS authorization header is invalid.  Expected AwsAccessKeyId:signature'
    throw new S3Error('InvalidArgument', { ArgumentName: 'Authorization' }, { message })
  }
  const date = amzDate === undefined ? text : ''
  return claimOf('header', {
    accessKey: credential.slice(0, colon),
    signature: credential.slice(colon + 1),
    toSign: stringsToSign(request, date),
    bodyHash: payloadHashOf(request),
  })
}

function readQuery(request: S3Request, now: number): Claim {
  const [accessKey, signature, expires] = QUERY.map((name) => request.query.get(name) ?? '')
  if (!accessKey || !signature || !expires || request.repeatedQuery !== undefined) {
    const names = 'the Signature, Expires and AWSAccessKeyId parameters'
    throw denied(`Query-string authentication requires ${names}`)
  }
  if (!/^\d{1,12}$/.test(expires))
    throw denied(`Invalid date (should be seconds since epoch): ${expires}`)
  const end = Number(expires) * 1000
  if (end <= now) {
    const details = { Expires: formatXmlDate(end), ServerTime: formatXmlDate(now) }
    throw denied('Request has expired.', details)
  }
  // S3 has no limit; one as for version 4 bounds what a URL that leaked is worth.
  if (end - now > MAX_EXPIRES_MS) throw denied('Expires must be less than a week ahead.')
  return claimOf('presigned', {
    accessKey,
    signature,
    toSign: stringsToSign(request, expires),
    bodyHash: payloadHashOf(request),
  })
}

/** A form is signed by its policy; undefined where it is not signed so. */
function readForm(fields: ReadonlyMap<string, string>): Claim | undefined {
  const isSigned = FORM_FIELDS.some((name) => fields.has(name))
  if (!isSigned || fields.has('x-amz-algorithm') || fields.has('x-amz-credential')) return undefined
  for (const name of ['awsaccesskeyid', 'signature', 'policy'])
    if (!fields.get(name)) throw missingField(name)
  return claimOf('post-policy', {
    accessKey: fields.get('awsaccesskeyid') ?? '',
    signature: fields.get('signature') ?? '',
    toSign: [fields.get('policy') ?? ''],
    bodyHash: undefined,
  })
}

interface Version2 {
  readonly accessKey: string
  readonly signature: string
  readonly toSign: readonly string[]
  readonly bodyHash: string | undefined
}

function claimOf(
  method: Claim['method'],
  { bodyHash = PAYLOAD.unsigned, ...found }: Version2,
): Claim {
  return {
    ...found,
    method,
    date: '',
    region: '',
    scope: '',
    timestamp: '',
    signedHeaders: '',
    payloadHash: PAYLOAD.unsigned,
    bodyHash,
    check() {
      // There is no signature of this version that the chunks' could be chained from.
      const isSigned = bodyHash.startsWith('STREAMING-') && bodyHash !== UNSIGNED_CHUNKS
      if (isSigned) throw new S3Error('AccessDenied')
    },
  }
}

const UNSIGNED_CHUNKS = PAYLOAD.streamingUnsignedTrailer

/** `date` is the Date header, empty where x-amz-date stands in for it, or when a URL expires. */
function stringsToSign(request: S3Request, date: string): readonly string[] {
  const { method, headers } = request
  const md5 = String(headers['content-md5'] ?? '')
  const type = headers['content-type'] ?? ''
  const head = `${method}\n${md5}\n${type}\n${date}\n${amzHeaders(request)}`
  const { bucket, key, rawPath, hostStyle } = request
  const path = hostStyle ? `/${bucket}${rawPath}` : rawPath
  // A bucket is signed with a slash behind it, which boto3 does not send.
  const isBare = bucket !== undefined && key === undefined && !path.endsWith('/')
  const paths = isBare ? [path, `${path}/`] : [path]
  return paths.map((path) => head + path + parameters(request))
}

/** Every `x-amz-*` header, sorted, as `name:value\n`; repeated ones joined by commas. */
function amzHeaders({ rawHeaders }: S3Request): string {
  const values = new Map<string, string>()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? ''
    if (!name.startsWith('x-amz-')) continue
    const value = rawHeaders[i + 1]?.trim() ?? ''
    const earlier = values.get(name)
    values.set(name, earlier === undefined ? value : `${earlier},${value}`)
  }
  const names = [...values.keys()].toSorted()
  return names.map((name) => `${name}:${values.get(name)}\n`).join('')
}

/** The signed ones, sorted and decoded, with the mark before them. */
function parameters({ query }: S3Request): string {
  const pairs = [...query].filter(([name]) => SIGNED_PARAMETERS.has(name)).toSorted(byName)
  const text = pairs.map(([name, value]) => (value === '' ? name : `${name}=${bytesOf(value)}`))
  return text.length === 0 ? '' : `?${text.join('&')}`
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1
}

/** One character a byte, as heads are. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}

function isVersion4({ query }: S3Request): boolean {
  return [...query.keys()].some((name) => name.startsWith('X-Amz-'))
}

function denied(message: string, details: Record<string, string> = {}): S3Error {
  return new S3Error('AccessDenied', details, { message })
}
