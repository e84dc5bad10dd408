import { S3Error } from '../s3/errors.ts'
import type { S3Request } from '../s3/request.ts'

/** Values of `x-amz-content-sha256` beside a digest. */
export const PAYLOAD = {
  unsigned: 'UNSIGNED-PAYLOAD',
  streamingUnsignedTrailer: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  streamingSigned: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  streamingSignedTrailer: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
} as const

/** What the payload hash says about the body. */
export interface PayloadUse {
  readonly payload: 'signed' | 'unsigned' | 'streaming-signed' | 'streaming-unsigned-trailer'
  readonly hasTrailer: boolean
  readonly declaredSha256: Buffer | undefined
}

export const UNSIGNED: PayloadUse = {
  payload: 'unsigned',
  hasTrailer: false,
  declaredSha256: undefined,
}
const STREAMING: Readonly<Record<string, PayloadUse>> = {
  [PAYLOAD.streamingUnsignedTrailer]: {
    ...UNSIGNED,
    payload: 'streaming-unsigned-trailer',
    hasTrailer: true,
  },
  [PAYLOAD.streamingSigned]: { ...UNSIGNED, payload: 'streaming-signed' },
  [PAYLOAD.streamingSignedTrailer]: { ...UNSIGNED, payload: 'streaming-signed', hasTrailer: true },
}
const ECDSA = /^STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD(-TRAILER)?$/
const DIGEST = /^[0-9a-fA-F]{64}$/
/** Only these bodies are objects, and only objects are sent in chunks. */
const STREAMABLE = new Set(['PutObject', 'UploadPart'])

export function payloadHashOf(request: S3Request): string | undefined {
  const value = request.headers['x-amz-content-sha256']
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Reads a payload hash; throws where it is none, or one this operation cannot have. */
export function payloadUse(value: string, operation: string): PayloadUse {
  if (value === PAYLOAD.unsigned) return UNSIGNED
  if (DIGEST.test(value))
    return { payload: 'signed', hasTrailer: false, declaredSha256: Buffer.from(value, 'hex') }
  const streaming = STREAMING[value]
  if (streaming === undefined && !ECDSA.test(value)) throw notAPayloadHash(value)
  if (!STREAMABLE.has(operation)) {
    throw new S3Error(
      'InvalidRequest',
      {},
      { message: 'The value of x-amz-content-sha256 header is invalid.' },
    )
  }
  if (streaming !== undefined) return streaming
  throw new S3Error(
    'NotImplemented',
    {},
    { message: `The chunk encoding algorithm ${value} is not supported.` },
  )
}

function notAPayloadHash(value: string): S3Error {
  return new S3Error(
    'InvalidArgument',
    { ArgumentName: 'x-amz-content-sha256', ArgumentValue: value },
    {
      message:
        'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.',
    },
  )
}
