import type { ChecksumAlgorithm, ChecksumType } from '../backend/backend.ts'
import type { HashKind } from '../io/io.ts'
import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'

interface AlgorithmFacts {
  readonly kind: HashKind
  readonly bytes: number
  /** The types an upload of parts may declare; the first is the default. */
  readonly types: readonly ChecksumType[]
}

/** The checksum algorithms this gateway computes. */
export const CHECKSUMS: Readonly<Record<ChecksumAlgorithm, AlgorithmFacts>> = {
  CRC32: { kind: 'crc32', bytes: 4, types: ['COMPOSITE', 'FULL_OBJECT'] },
  CRC32C: { kind: 'crc32c', bytes: 4, types: ['COMPOSITE', 'FULL_OBJECT'] },
  CRC64NVME: { kind: 'crc64nvme', bytes: 8, types: ['FULL_OBJECT'] },
  SHA1: { kind: 'sha1', bytes: 20, types: ['COMPOSITE'] },
  SHA256: { kind: 'sha256', bytes: 32, types: ['COMPOSITE'] },
  SHA512: { kind: 'sha512', bytes: 64, types: ['COMPOSITE'] },
  MD5: { kind: 'md5', bytes: 16, types: ['COMPOSITE'] },
  XXHASH64: { kind: 'xxh64', bytes: 8, types: ['COMPOSITE'] },
  XXHASH3: { kind: 'xxh3', bytes: 8, types: ['COMPOSITE'] },
  XXHASH128: { kind: 'xxh128', bytes: 16, types: ['COMPOSITE'] },
}

/** What a client declared about the bytes it sends. `value` is undefined while it is still to come, in the trailer. */
export interface DeclaredChecksum {
  readonly algorithm: ChecksumAlgorithm
  /** base64 */
  readonly value: string | undefined
  /** `x-amz-checksum-…` */
  readonly header: string
}

const PREFIX = 'x-amz-checksum-'
export const ALGORITHMS = Object.keys(CHECKSUMS) as ChecksumAlgorithm[]
const PART_COUNT = /-\d{1,5}$/
/** Names that begin like a checksum's value and are none. */
const NOT_VALUES = new Set(['algorithm', 'type', 'mode'])
const UNSUPPORTED =
  'Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]'

/**
 * The one checksum of a request's body: a value in `x-amz-checksum-<algorithm>`, or a trailer announced by `x-amz-trailer`.
 * InvalidRequest where there are several, where a value is malformed, and where `x-amz-sdk-checksum-algorithm` names another.
 */
export function declaredChecksum(request: S3Request): DeclaredChecksum | undefined {
  const { headers } = request
  let declared: DeclaredChecksum | undefined
  for (const name in headers) {
    if (!name.startsWith(PREFIX) || NOT_VALUES.has(name.slice(PREFIX.length))) continue
    if (declared !== undefined) throw severalChecksums()
    declared = fromHeader(name, headers[name])
  }
  const trailer = headers['x-amz-trailer']
  if (trailer !== undefined && trailer !== '') {
    if (declared !== undefined) throw severalChecksums()
    declared = fromTrailer(String(trailer))
  }
  const wanted = parseAlgorithm(single(headers['x-amz-sdk-checksum-algorithm']))
  if (wanted === undefined || wanted === declared?.algorithm) return declared
  throw invalid(
    declared === undefined
      ? 'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.'
      : 'Value for x-amz-sdk-checksum-algorithm header is invalid.',
  )
}

/** An algorithm by its name (`x-amz-checksum-algorithm`, …), in any case; undefined where none is named. */
export function parseAlgorithm(name: string | undefined): ChecksumAlgorithm | undefined {
  if (name === undefined || name === '') return undefined
  const upper = name.toUpperCase()
  if (isAlgorithm(upper)) return upper
  throw invalid(UNSUPPORTED)
}

/** What CreateMultipartUpload declares: algorithm and type, the type defaulting by the algorithm. */
export function parseUploadChecksum(
  request: S3Request,
): { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType } | undefined {
  const algorithm = parseAlgorithm(single(request.headers['x-amz-checksum-algorithm']))
  const type = single(request.headers['x-amz-checksum-type'])
  if (algorithm === undefined) {
    if (type === undefined || type === '') return undefined
    throw invalid(
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    )
  }
  const { types } = CHECKSUMS[algorithm]
  const [usual] = types
  const wanted = type === undefined || type === '' ? usual : type.toUpperCase()
  const chosen = types.find((known) => known === wanted)
  if (chosen !== undefined) return { algorithm, type: chosen }
  if (wanted !== 'COMPOSITE' && wanted !== 'FULL_OBJECT')
    throw invalid('Value for x-amz-checksum-type header is invalid.')
  throw invalid(
    `The ${wanted} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
  )
}

/**
 * The checksum of the object that CompleteMultipartUpload is to make: `x-amz-checksum-<algorithm>`, of a composite one
 * with `-<number of parts>` behind it. InvalidRequest where there are several or a value is malformed.
 */
export function parseObjectChecksum(
  request: S3Request,
): { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined {
  let found: { algorithm: ChecksumAlgorithm; value: string } | undefined
  for (const algorithm of ALGORITHMS) {
    const name = checksumHeader(algorithm)
    const value = single(request.headers[name])
    if (value === undefined) continue
    if (found !== undefined) throw severalChecksums()
    if (!isChecksumValue(algorithm, value.replace(PART_COUNT, '')))
      throw invalid(`Value for ${name} header is invalid.`)
    found = { algorithm, value }
  }
  return found
}

/** Whether base64 `value` is a digest of the algorithm's length. */
export function isChecksumValue(algorithm: ChecksumAlgorithm, value: string): boolean {
  return isBase64Of(CHECKSUMS[algorithm].bytes, value)
}

/** Strict: the alphabet, the padding and the length of `bytes` bytes. */
export function isBase64Of(bytes: number, value: string): boolean {
  const decoded = Buffer.from(value, 'base64')
  return decoded.length === bytes && decoded.toString('base64') === value
}

export function checksumHeader(algorithm: string): string {
  return HEADERS.get(algorithm) ?? PREFIX + algorithm.toLowerCase()
}

const HEADERS: ReadonlyMap<string, string> = new Map(
  ALGORITHMS.map((algorithm) => [algorithm, PREFIX + algorithm.toLowerCase()]),
)

/** The error where the body is not what its checksum says. */
export function checksumMismatch(algorithm: string): S3Error {
  const message = `The ${algorithm} you specified did not match the calculated checksum.`
  return new S3Error('BadDigest', {}, { message })
}

/** The error where `x-amz-trailer` and the form of the body do not go together. */
export function unsupportedTrailer(): S3Error {
  return invalid('The value specified in the x-amz-trailer header is not supported')
}

function fromHeader(name: string, values: string | string[] | undefined): DeclaredChecksum {
  const algorithm = algorithmOfHeader(name)
  if (algorithm === undefined)
    throw invalid('The algorithm type you specified in x-amz-checksum- header is invalid.')
  const value = single(values) ?? ''
  if (!isChecksumValue(algorithm, value)) throw invalid(`Value for ${name} header is invalid.`)
  return { algorithm, value, header: name }
}

function fromTrailer(text: string): DeclaredChecksum {
  const name = text.trim().toLowerCase()
  const algorithm = name.startsWith(PREFIX) ? algorithmOfHeader(name) : undefined
  if (algorithm === undefined) throw unsupportedTrailer()
  return { algorithm, value: undefined, header: name }
}

function algorithmOfHeader(name: string): ChecksumAlgorithm | undefined {
  const upper = name.slice(PREFIX.length).toUpperCase()
  return isAlgorithm(upper) ? upper : undefined
}

function isAlgorithm(name: string): name is ChecksumAlgorithm {
  return Object.hasOwn(CHECKSUMS, name)
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(',') : value
}

function severalChecksums(): S3Error {
  return invalid(
    'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
  )
}

function invalid(message: string): S3Error {
  return new S3Error('InvalidRequest', {}, { message })
}
