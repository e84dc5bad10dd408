import { S3Error } from '../s3/errors.ts'
import { normalizeKey } from '../s3/names.ts'
import type { LengthRange } from '../s3/post-form.ts'
import type { S3Request } from '../s3/request.ts'
import type { Span } from '../trace/recorder.ts'
import type { Claim } from './claim.ts'
import { readHeaderClaim } from './header-claim.ts'
import { createSigningKeys, type HmacKey, type SigningKeys } from './hmac.ts'
import type { Account } from './iam/account-store.ts'
import type { Accounts, Identity } from './identity.ts'
import { PAYLOAD, UNSIGNED, payloadHashOf, payloadUse, type PayloadUse } from './payload-hash.ts'
import { readPostClaim, verifyPostSignature } from './post-claim.ts'
import { checkPostPolicy } from './post-policy.ts'
import { isPresigned, readPresignedClaim } from './presign.ts'
import { FORM_FIELDS, readVersion2Claim, verifyVersion2 } from './sigv2.ts'
import { signatureMismatch, verifySignature } from './sigv4.ts'
import { parseTimestamp } from './timestamp.ts'

/** Who asks, and what the signature says about the body that follows. */
export interface Authentication {
  readonly identity: Identity
  readonly method: 'header' | 'presigned' | 'post-policy' | 'anonymous'
  /** `auth.payload` of the trace contract. */
  readonly payload: 'signed' | 'unsigned' | 'streaming-signed' | 'streaming-unsigned-trailer'
  /** Whether the body ends in a trailer with a checksum. */
  readonly hasTrailer: boolean
  /** The SHA-256 the body must have, where one was signed. */
  readonly declaredSha256: Buffer | undefined
  /** What the signatures of the body's chunks are chained from. */
  readonly streaming: StreamingSeed | undefined
  /** Why an anonymous caller's body cannot be read: to be told once he turns out to be allowed what he asks. */
  readonly payloadFault?: S3Error
  /** How long the policy of a form lets its file be. */
  readonly lengthRange?: LengthRange
}

export interface StreamingSeed {
  readonly seedSignature: string
  readonly signingKey: HmacKey
  readonly scope: string
  readonly timestamp: string
  /** The error where a chunk's signature is not that of `toSign`. */
  mismatch(toSign: string, signature: string): S3Error
}

/** What may be told of a request's credentials, filled in as it becomes known, also when verification fails. */
export interface AuthFacts {
  method?: Authentication['method']
  payload?: Authentication['payload']
  accessKey?: string
}

export interface AuthenticatorOptions {
  readonly accounts: Accounts
  readonly region: string
  /** Signatures of version 2 are taken as well. */
  readonly sigv2?: boolean
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/**
 * Finds out who sent a request, or throws the S3 error that says why not. A promise only where the account store needs
 * one. `operation` is S3's name for what is asked: which payloads may be streamed depends on it.
 */
export type Authenticator = (
  request: S3Request,
  operation: string,
  facts: AuthFacts,
  span?: Span,
) => Authentication | Promise<Authentication>

const ANONYMOUS: Identity = {
  accessKey: undefined,
  role: undefined,
  isRoot: false,
  userId: undefined,
  groupId: undefined,
}
/** Nobody's: what requests with an unknown access key are verified against. */
const NO_SECRET = 'no-such-account'

/**
 * Of a preflight, which no browser signs: what its URL says of a signature is for the request that follows. Nothing of it
 * may be refused for that, or no page could use a presigned URL.
 */
export function preflightAuthentication(facts: AuthFacts): Authentication {
  facts.method = 'anonymous'
  facts.payload = 'unsigned'
  return { identity: ANONYMOUS, method: 'anonymous', ...UNSIGNED, streaming: undefined }
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { accounts, sigv2 = false } = options
  const now = options.now ?? Date.now
  const keys = createSigningKeys()
  const regions = [options.region]
  const listRegions = options.region === 'us-east-1' ? regions : [options.region, 'us-east-1']

  return (request, operation, facts, span) => {
    const claim =
      (sigv2 ? readVersion2Claim(request, now()) : undefined) ??
      readClaim(request, operation, operation === 'ListBuckets' ? listRegions : regions, now())
    facts.method = claim?.method ?? 'anonymous'
    if (claim === undefined) return anonymous(request, operation, facts)
    facts.accessKey = claim.accessKey

    const verify = (account: Account | undefined): Authentication => {
      if (account === undefined) throw unknownKey(request, claim, keys)
      claim.check()
      const use = payloadUse(claim.bodyHash, operation)
      facts.payload = use.payload
      const key = checkSignature(request, claim, account.secret, keys)
      const identity = {
        accessKey: account.access,
        role: account.role,
        isRoot: account.access === accounts.rootAccess,
        userId: account.userId,
        groupId: account.groupId,
      }
      const isChained = key !== undefined && use.payload === 'streaming-signed'
      const streaming = isChained ? seedOf(request, claim, key) : undefined
      const { payload, hasTrailer, declaredSha256 } = use
      const { method } = claim
      const found = { identity, method, payload, hasTrailer, declaredSha256, streaming }
      if (method !== 'post-policy') return found
      return { ...found, lengthRange: allowedLength(request, claim, now()) }
    }
    const account = accounts.find(claim.accessKey, span)
    return account instanceof Promise ? account.then(verify) : verify(account)
  }
}

function readClaim(
  request: S3Request,
  operation: string,
  regions: readonly string[],
  now: number,
): Claim | undefined {
  if (request.form !== undefined) return readPostClaim(request.form, regions)
  // An empty header is no credential, as upstream has it.
  const hasHeader = Boolean(request.headers.authorization)
  if (isPresigned(request)) {
    if (hasHeader) throw twoMechanisms(request)
    return readPresignedClaim(request, regions, now)
  }
  return hasHeader ? readHeaderClaim(request, operation, regions, now) : undefined
}

/** Throws unless this secret made the signature. The key is what chunks are signed with, which version 2 does not know. */
function checkSignature(
  request: S3Request,
  claim: Claim,
  secret: string,
  keys: SigningKeys,
): HmacKey | undefined {
  if (claim.toSign !== undefined) {
    verifyVersion2(claim, claim.toSign, secret)
    return undefined
  }
  const key = keys(secret, claim.date, claim.region)
  if (claim.method === 'post-policy') verifyPostSignature(request, claim, key)
  else verifySignature(request, claim, key)
  return key
}

function anonymous(request: S3Request, operation: string, facts: AuthFacts): Authentication {
  let use: PayloadUse = UNSIGNED
  let payloadFault: S3Error | undefined
  try {
    use = anonymousPayload(payloadHashOf(request), operation)
  } catch (error) {
    if (!(error instanceof S3Error)) throw error
    payloadFault = error
  }
  facts.payload = use.payload
  const authentication = {
    identity: ANONYMOUS,
    method: 'anonymous',
    ...use,
    streaming: undefined,
  } as const
  return payloadFault === undefined ? authentication : { ...authentication, payloadFault }
}

function anonymousPayload(sent: string | undefined, operation: string): PayloadUse {
  if (sent === undefined) return UNSIGNED
  if (!sent.startsWith('STREAMING-') || sent === PAYLOAD.streamingUnsignedTrailer) {
    return payloadUse(sent, operation)
  }
  throw new S3Error(
    'InvalidRequest',
    {},
    {
      message:
        "Anonymous requests don't support this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.",
    },
  )
}

function seedOf(request: S3Request, claim: Claim, signingKey: HmacKey): StreamingSeed {
  return {
    seedSignature: claim.signature,
    signingKey,
    scope: claim.scope,
    timestamp: claim.timestamp,
    mismatch: (toSign, signature) => signatureMismatch(request, claim, { toSign, signature }),
  }
}

function allowedLength(
  { bucket = '', key = '', form = NO_FORM }: S3Request,
  claim: Claim,
  nowMs: number,
): LengthRange {
  // Of version 2 it is not known: its policy's expiration is all there is.
  const isVersion2 = claim.toSign !== undefined
  const signedMs = isVersion2 ? nowMs : (parseTimestamp(claim.timestamp) ?? 0)
  return checkPostPolicy(form.get('policy') ?? '', {
    bucket,
    path: normalizeKey(key),
    fields: isVersion2 ? withoutSignature(form) : form,
    signedMs,
    nowMs,
  })
}

function withoutSignature(form: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...form].filter(([name]) => !FORM_FIELDS.includes(name)))
}

const NO_FORM: ReadonlyMap<string, string> = new Map()

/** Takes as long as a wrong signature does, so that time does not tell which access keys exist. */
function unknownKey(request: S3Request, claim: Claim, keys: SigningKeys): S3Error {
  try {
    checkSignature(request, claim, NO_SECRET, keys)
  } catch {
    // Whatever else is wrong with the request, that its key is unknown comes first.
  }
  return new S3Error('InvalidAccessKeyId', { AWSAccessKeyId: claim.accessKey })
}

function twoMechanisms(request: S3Request): S3Error {
  return new S3Error(
    'InvalidArgument',
    {
      ArgumentName: 'Authorization',
      ArgumentValue: request.headers.authorization?.split(' ')[0] ?? '',
    },
    {
      message:
        'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
    },
  )
}
