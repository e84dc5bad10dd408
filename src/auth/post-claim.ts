import { S3Error } from '../s3/errors.ts'
import { missingField } from '../s3/post-form.ts'
import type { S3Request } from '../s3/request.ts'
import type { Claim } from './claim.ts'
import { parseCredential } from './credential.ts'
import type { HmacKey } from './hmac.ts'
import { PAYLOAD } from './payload-hash.ts'
import { ALGORITHM, equalSignatures } from './sigv4.ts'
import { parseTimestamp } from './timestamp.ts'

type Fields = ReadonlyMap<string, string>

/** In the order in which they are missed. */
const FIELDS = [
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-signature',
  'policy',
] as const

/**
 * What the fields of a form say about its signature; undefined where nobody signed it.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html
 */
export function readPostClaim(fields: Fields, regions: readonly string[]): Claim | undefined {
  if (!FIELDS.some((name) => fields.has(name))) return undefined
  for (const name of FIELDS) if (!fields.has(name)) throw missingField(name)
  const field = (name: (typeof FIELDS)[number]): string => fields.get(name) ?? ''
  const algorithm = field('x-amz-algorithm')
  if (algorithm !== ALGORITHM)
    throw invalid('X-Amz-Algorithm', algorithm, `Only ${ALGORITHM} is supported`)
  const timestamp = field('x-amz-date')
  if (parseTimestamp(timestamp) === undefined)
    throw invalid('X-Amz-Date', timestamp, 'X-Amz-Date must be formated via ISO8601 Long format')
  const credential = parseCredential(field('x-amz-credential'), regions)
  if ('fault' in credential)
    throw invalid('x-amz-credential', field('x-amz-credential'), credential.fault)
  return {
    method: 'post-policy',
    accessKey: credential.accessKey,
    date: credential.date,
    region: credential.region,
    scope: credential.scope,
    timestamp,
    signedHeaders: '',
    signature: field('x-amz-signature'),
    payloadHash: PAYLOAD.unsigned,
    bodyHash: PAYLOAD.unsigned,
    toSign: undefined,
    check: () => {},
  }
}

/** The signature is made over the policy as it was sent. Neither is told again: whoever reads the answer need not have sent them. */
export function verifyPostSignature({ form }: S3Request, claim: Claim, key: HmacKey): void {
  const isOfItsDay = claim.date === claim.timestamp.slice(0, 8)
  const isRight = equalSignatures(key.hex(form?.get('policy') ?? ''), claim.signature)
  if (isRight && isOfItsDay) return
  throw new S3Error('SignatureDoesNotMatch', { AWSAccessKeyId: claim.accessKey })
}

function invalid(name: string, value: string, message: string): S3Error {
  const details: Record<string, string> = { ArgumentName: name }
  if (value !== '') details['ArgumentValue'] = value
  return new S3Error('InvalidArgument', details, { message })
}
