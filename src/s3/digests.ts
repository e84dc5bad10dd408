import type { PayloadCheck } from '../backend/payload.ts'
import type { HashKind } from '../io/io.ts'
import {
  CHECKSUMS,
  checksumMismatch,
  declaredChecksum,
  isBase64Of,
  type DeclaredChecksum,
} from './checksum.ts'
import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'

/** All a client declared about the bytes of its body. */
export interface DeclaredDigests {
  /** `Content-MD5` */
  readonly md5: Buffer | undefined
  /** A digest in `x-amz-content-sha256`. */
  readonly sha256: Buffer | undefined
  readonly checksum: DeclaredChecksum | undefined
}

/** Throws where a declaration is malformed or contradicts another. */
export function declaredDigests(request: S3Request, sha256: Buffer | undefined): DeclaredDigests {
  return { md5: contentMd5(request), sha256, checksum: declaredChecksum(request) }
}

/** The same where x-amz-checksum headers speak of something else than the body. */
export function digestsButChecksum(
  request: S3Request,
  sha256: Buffer | undefined,
): DeclaredDigests {
  return { md5: contentMd5(request), sha256, checksum: undefined }
}

/** What has to be computed over the body. */
export function digestKinds({ md5, sha256, checksum }: DeclaredDigests): readonly HashKind[] {
  const kinds: HashKind[] = []
  if (md5 !== undefined) kinds.push('md5')
  if (sha256 !== undefined) kinds.push('sha256')
  const kind = checksum && CHECKSUMS[checksum.algorithm].kind
  if (kind !== undefined && !kinds.includes(kind)) kinds.push(kind)
  return kinds
}

/** What has to hold, the first that does not being what the client is told; `trailer` is the value that came after the body, where one was announced. */
export function digestChecks(
  digests: DeclaredDigests,
  trailer: string | undefined,
): readonly PayloadCheck[] {
  const { md5, sha256, checksum } = digests
  const checks: PayloadCheck[] = []
  if (sha256 !== undefined) {
    checks.push({
      kind: 'sha256',
      expected: sha256,
      mismatch: (actual) => badSha256(sha256, actual),
    })
  }
  if (md5 !== undefined) {
    checks.push({ kind: 'md5', expected: md5, mismatch: (actual) => badMd5(md5, actual) })
  }
  const value = checksum?.value ?? trailer
  if (checksum !== undefined && value !== undefined) {
    const { algorithm } = checksum
    const expected = Buffer.from(value, 'base64')
    checks.push({
      kind: CHECKSUMS[algorithm].kind,
      expected,
      mismatch: () => checksumMismatch(algorithm),
    })
  }
  return checks
}

function contentMd5(request: S3Request): Buffer | undefined {
  const value = request.headers['content-md5']
  if (value === undefined) return undefined
  if (typeof value === 'string' && isBase64Of(16, value)) return Buffer.from(value, 'base64')
  throw new S3Error('InvalidDigest', { 'Content-MD5': String(value) })
}

/** One in base64, the other in hex: VersityGW's answer, which test suites compare. */
function badMd5(expected: Buffer, actual: Buffer): S3Error {
  const details = {
    CalculatedDigest: actual.toString('base64'),
    ExpectedDigest: expected.toString('hex'),
  }
  return new S3Error('BadDigest', details)
}

function badSha256(expected: Buffer, actual: Buffer): S3Error {
  return new S3Error('XAmzContentSHA256Mismatch', {
    ClientComputedContentSHA256: expected.toString('hex'),
    S3ComputedContentSHA256: actual.toString('hex'),
  })
}
