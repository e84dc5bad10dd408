import { childText, childrenOf, type XmlElement } from '../../http/xml-reader.ts'
import { element, optional, xmlDocument } from '../../http/xml.ts'
import type { ChecksumAlgorithm, CompletedPart, CompletedUpload } from '../../backend/backend.ts'
import { onObject } from '../access-rules.ts'
import { ALGORITHMS, isChecksumValue, parseObjectChecksum } from '../checksum.ts'
import { writePrecondition } from '../conditions.ts'
import { S3Error } from '../errors.ts'
import { document, header, headers, label, operation, query } from '../operation.ts'
import { encodeQueryText } from '../query-text.ts'
import type { S3Request } from '../request.ts'
import { tell } from '../trace-facts.ts'

/** Ten thousand parts with their checksums, however a client lays them out. */
const MAX_BODY_BYTES = 4 * 1024 * 1024

export const CompleteMultipartUpload = operation(
  {
    name: 'CompleteMultipartUpload',
    http: { method: 'POST', target: 'object', query: 'uploadId' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      uploadId: query('uploadId'),
      parts: document('CompleteMultipartUpload', parseCompletion, {
        maxBytes: MAX_BODY_BYTES,
        checksumOf: 'object',
      }),
      precondition: headers(writePrecondition),
      checksum: headers(parseObjectChecksum),
      checksumType: header('x-amz-checksum-type'),
      objectSize: header('x-amz-mp-object-size', parseObjectSize),
    },
  },
  {
    access: onObject('s3:PutObject', 'WRITE'),
    async handle(input, { backend, call, request, settings }) {
      const {
        bucket,
        key,
        uploadId = '',
        parts,
        precondition,
        checksum,
        checksumType,
        objectSize,
      } = input
      tell(call, 's3.upload_id', uploadId)
      tell(call, 's3.part_count', parts.length)
      if (parts.length > settings.maxPartNumber) throw new S3Error('MalformedXML')
      const completion = { parts, checksumType, checksum, objectSize, precondition }
      const completed = await backend.completeUpload({ bucket, key, uploadId }, completion, call)
      tell(call, 's3.etag', completed.etag)
      tell(call, 's3.version_id', completed.versionId)
      const { versionId } = completed
      return {
        status: 200,
        headers: versionId === undefined ? [] : ['x-amz-version-id', versionId],
        body: renderCompleted(completed, {
          bucket,
          key,
          location: locationOf(request, bucket, key),
        }),
      }
    },
  },
)

/** The parts as listed, each with a number and an ETag. Whether they make an object, the backend knows. */
export function parseCompletion(root: XmlElement | undefined): readonly CompletedPart[] {
  const elements = childrenOf(root, 'Part')
  if (elements.length === 0) throw new S3Error('MalformedXML')
  return elements.map((part) => parsePart(part))
}

function parsePart(part: XmlElement): CompletedPart {
  const number = childText(part, 'PartNumber')?.trim() ?? ''
  const etag = childText(part, 'ETag')?.trim() ?? ''
  if (!INTEGER.test(number) || etag === '') throw new S3Error('MalformedXML')
  return { partNumber: Number(number), etag, checksums: parseChecksums(part) }
}

const INTEGER = /^-?\d{1,9}$/

function parseChecksums(part: XmlElement): Partial<Record<ChecksumAlgorithm, string>> {
  const checksums: Partial<Record<ChecksumAlgorithm, string>> = {}
  const told: string[] = []
  let count = 0
  for (const algorithm of ALGORITHMS) {
    const value = childText(part, `Checksum${algorithm}`)?.trim()
    if (value === undefined || value === '') continue
    if (!isChecksumValue(algorithm, value)) throw badChecksum(value)
    count++
    if (TOLD_OF_SEVERAL.has(algorithm)) told.push(`${algorithm}:${value};`)
    checksums[algorithm] = value
  }
  if (count > 1) throw badChecksum(told.join(''))
  return checksums
}

/** The algorithms that VersityGW names where a part has several checksums; the younger ones it leaves out. */
const TOLD_OF_SEVERAL: ReadonlySet<string> = new Set([
  'CRC32',
  'CRC32C',
  'CRC64NVME',
  'SHA1',
  'SHA256',
])

function badChecksum(value: string): S3Error {
  return new S3Error(
    'InvalidArgument',
    { ArgumentName: 'Checksum', ...(value !== '' && { ArgumentValue: value }) },
    { message: 'Invalid Base64 or multiple checksums present in request' },
  )
}

/** `x-amz-mp-object-size`: how many bytes the client believes all parts to have. */
export function parseObjectSize(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  const size = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (size >= 0) return size
  const fault = size < 0 ? 'less than zero' : 'invalid'
  throw new S3Error(
    'InvalidRequest',
    {},
    { message: `Value for x-amz-mp-object-size header is ${fault}: '${text}'` },
  )
}

/** Where the object is found from now on, in the style the client used; slashes of the key are escaped. */
export function locationOf(
  { scheme, host, hostStyle }: S3Request,
  bucket: string,
  key: string,
): string {
  const path = encodeQueryText(key).replace(LEFT_IN_PATHS, decodeURIComponent)
  return hostStyle ? `${scheme}://${host}/${path}` : `${scheme}://${host}/${bucket}/${path}`
}

/** `$ & + : = @` need no escape in a segment of a path: upstream leaves them. */
const LEFT_IN_PATHS = /%(?:24|26|2B|3A|3D|40)/g

interface Place {
  readonly bucket: string
  readonly key: string
  readonly location: string
}

export function renderCompleted(
  { etag, checksum }: CompletedUpload,
  { bucket, key, location }: Place,
): string {
  const sum =
    checksum === undefined
      ? ''
      : element(`Checksum${checksum.algorithm}`, checksum.value) +
        element('ChecksumType', checksum.type)
  return xmlDocument(
    'CompleteMultipartUploadResult',
    element('Location', location) +
      element('Bucket', bucket) +
      element('Key', key) +
      optional('ETag', etag) +
      sum,
  )
}
