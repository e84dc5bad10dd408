import { gunzipSync, gzipSync } from 'node:zlib'
import { goMap, goString, parseObject } from '../../go-json.ts'
import type { AttributeValue, DigestHole, HashKind } from '../../io/io.ts'
import { encodeValue } from '../../io/text.ts'
import type {
  ChecksumAlgorithm,
  ContentHeaders,
  ObjectLock,
  Tags,
  UserMetadata,
} from '../backend.ts'

/**
 * Names and encodings of the extended attributes, as VersityGW writes and reads them. Names are without `user.`, which
 * Linux asks for.
 */
export const ATTRIBUTE = {
  etag: 'etag',
  metadata: 'metadata',
  tags: 'X-Amz-Tagging',
  checksums: 'checksums',
  /** Which upload an object came from, and where its parts end. */
  multipart: 'mp-metadata',
  /** CRC64NVME of a part whose upload declared no checksum. */
  partCrc64nvme: 'part-crc64nvme',
  /** The key of a multipart directory, whose name is the key's hash. */
  objectName: 'objname',
  /** Of an upload's directory: the request that created the upload, as a traceparent. VersityGW does not look at it. */
  createdBy: 'vgw-ts-created-by',
  retention: 'object-retention',
  legalHold: 'object-legal-hold',
  versionId: 'version-id',
  /** Its presence says that the object is deleted, whatever data its file still holds. */
  deleteMarker: 'delete-marker',
  acl: 'acl',
  /** Of a bucket: its object lock configuration, and whether it has versioning. */
  bucketLock: 'bucket-lock',
  versioning: 'versioning',
} as const

export const CONTENT_ATTRIBUTES: readonly (readonly [
  name: string,
  header: keyof ContentHeaders,
])[] = [
  ['content-type', 'contentType'],
  ['content-encoding', 'contentEncoding'],
  ['content-language', 'contentLanguage'],
  ['content-disposition', 'contentDisposition'],
  ['cache-control', 'cacheControl'],
  ['expires', 'expires'],
  ['website-redirect-location', 'websiteRedirectLocation'],
]

/** Older VersityGW stored each entry of the user metadata as an attribute of its own. */
export const LEGACY_METADATA = 'X-Amz-Meta.'

export type Attribute = readonly [name: string, value: AttributeValue]

export interface Description {
  readonly headers: ContentHeaders
  readonly userMetadata: UserMetadata
  readonly tags: Tags | undefined
  readonly lock?: ObjectLock | undefined
}

/** What an upload or an object says of itself, in the form it is stored in. */
export function describingAttributes(
  object: Description,
  defaultType = 'binary/octet-stream',
): Attribute[] {
  const attributes: Attribute[] = []
  for (const [name, header] of CONTENT_ATTRIBUTES) {
    const value = object.headers[header] ?? (header === 'contentType' ? defaultType : undefined)
    if (value !== undefined && value !== '') attributes.push([name, value])
  }
  if (hasEntries(object.userMetadata))
    attributes.push([ATTRIBUTE.metadata, goMap(object.userMetadata)])
  if (object.tags !== undefined && hasEntries(object.tags))
    attributes.push([ATTRIBUTE.tags, goMap(object.tags)])
  if (object.lock !== undefined) attributes.push(...lockAttributes(object.lock))
  return attributes
}

const HELD = Buffer.from([1])

export function* lockAttributes({ retention, legalHold }: ObjectLock): Iterable<Attribute> {
  if (retention !== undefined) {
    const { mode, retainUntil } = retention
    const value = `{"Mode":${goString(mode)},"RetainUntilDate":${goString(retainUntil)}}`
    yield [ATTRIBUTE.retention, value]
  }
  if (legalHold) yield [ATTRIBUTE.legalHold, HELD]
}

function hasEntries(map: Readonly<Record<string, string>>): boolean {
  for (const _ in map) return true
  return false
}

/** In the order in which VersityGW writes the keys. */
const CHECKSUM_KEYS = [
  'CRC32',
  'CRC32C',
  'SHA1',
  'SHA256',
  'CRC64NVME',
  'SHA512',
  'MD5',
  'XXHASH64',
  'XXHASH3',
  'XXHASH128',
] as const

/** The JSON of `checksums` around its one value; `type` is empty for a part. */
function checksumsAround(
  algorithm: string,
  type: string,
): readonly [before: string, after: string] {
  const at = CHECKSUM_KEYS.findIndex((key) => key === algorithm)
  const nulls = (from: number, to: number): string =>
    CHECKSUM_KEYS.slice(from, to)
      .map((key) => `"${key}":null,`)
      .join('')
  const before = `{"Algorithm":"${algorithm}","Type":"${type}",${nulls(0, at)}"${algorithm}":`
  const after = `,${nulls(at + 1, CHECKSUM_KEYS.length)}`
  return [before, `${after.slice(0, -1)}}`]
}

const around = new Map<string, readonly [string, string]>()

function checksumTemplate(algorithm: ChecksumAlgorithm, type: string): readonly [string, string] {
  const id = algorithm + type
  let template = around.get(id)
  if (template === undefined) around.set(id, (template = checksumsAround(algorithm, type)))
  return template
}

/** `checksums` of something whose checksum is known, or computed by the chain that writes it, or still to come (an upload). */
export function checksumsAttribute(
  algorithm: ChecksumAlgorithm,
  type: 'FULL_OBJECT' | 'COMPOSITE' | '',
  value: string | DigestHole | undefined,
): Attribute {
  const [before, after] = checksumTemplate(algorithm, type)
  if (value === undefined) return [ATTRIBUTE.checksums, `${before}null${after}`]
  if (typeof value === 'string') return [ATTRIBUTE.checksums, `${before}"${value}"${after}`]
  return [ATTRIBUTE.checksums, [`${before}"`, value, `"${after}`]]
}

const inChain = new Map<ChecksumAlgorithm, Attribute>()

/** `checksums` of an object whose checksum the chain that writes it computes. */
export function checksumInChain(algorithm: ChecksumAlgorithm): Attribute {
  let attribute = inChain.get(algorithm)
  if (attribute === undefined) {
    const [before, after] = checksumTemplate(algorithm, 'FULL_OBJECT')
    const hole = { hasher: 'job', kind: hashKindOf(algorithm), encoding: 'base64' } as const
    attribute = [ATTRIBUTE.checksums, encodeValue([`${before}"`, hole, `"${after}`])]
    inChain.set(algorithm, attribute)
  }
  return attribute
}

/** `etag`, with the quotes it is stored in; of a digest, maybe still to be computed, and what stands before it. */
export function etagAttribute(etag: string | DigestHole, prefix = ''): Attribute {
  return [
    ATTRIBUTE.etag,
    typeof etag === 'string' ? `"${prefix}${etag}"` : [`"${prefix}`, etag, '"'],
  ]
}

/** Where the parts of an object end, cumulative, and which upload made it. */
export interface MultipartFacts {
  readonly uploadId: string
  readonly parts: readonly number[]
}

export function encodeMultipart(facts: MultipartFacts): Buffer {
  return gzipSync(JSON.stringify({ uploadId: facts.uploadId, parts: facts.parts }))
}

/** 10,000 parts of 5 GiB are 150 KB of JSON; more is not ours. */
const MAX_MULTIPART_BYTES = 1024 * 1024

export function decodeMultipart(value: Buffer | undefined): MultipartFacts | undefined {
  if (value === undefined) return undefined
  try {
    const isGzip = value[0] === 0x1f && value[1] === 0x8b
    const text = isGzip ? gunzipSync(value, { maxOutputLength: MAX_MULTIPART_BYTES }) : value
    const facts = parseObject(text)
    const uploadId = facts?.['uploadId']
    const parts = facts?.['parts']
    if (typeof uploadId !== 'string' || !Array.isArray(parts)) return undefined
    return { uploadId, parts: parts.map(Number) }
  } catch {
    return undefined
  }
}

/** `checksums` as stored; undefined where there is none or its value is null. */
export function decodeChecksums(
  value: Buffer | undefined,
):
  | { readonly algorithm: string; readonly type: string; readonly value: string | undefined }
  | undefined {
  const stored = parseObject(value)
  const algorithm = stored?.['Algorithm']
  if (stored === undefined || typeof algorithm !== 'string' || algorithm === '') return undefined
  const type = stored['Type']
  const sum = stored[algorithm]
  return {
    algorithm,
    type: typeof type === 'string' ? type : '',
    value: typeof sum === 'string' && sum !== '' ? sum : undefined,
  }
}

/** The hash that a checksum algorithm is, in the addon's words. */
export function hashKindOf(algorithm: ChecksumAlgorithm): HashKind {
  return HASH_KINDS[algorithm]
}

const HASH_KINDS: Readonly<Record<ChecksumAlgorithm, HashKind>> = {
  CRC32: 'crc32',
  CRC32C: 'crc32c',
  CRC64NVME: 'crc64nvme',
  SHA1: 'sha1',
  SHA256: 'sha256',
  SHA512: 'sha512',
  MD5: 'md5',
  XXHASH64: 'xxh64',
  XXHASH3: 'xxh3',
  XXHASH128: 'xxh128',
}

export function isComputable(algorithm: string): algorithm is ChecksumAlgorithm {
  return Object.hasOwn(HASH_KINDS, algorithm)
}
