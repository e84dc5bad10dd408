import { createHash } from 'node:crypto'
import { S3Error } from '../../../s3/errors.ts'
import type { BatchEntry } from '../../../io/io.ts'
import type { ChecksumAlgorithm, CompletedPart, Completion } from '../../backend.ts'
import { ATTRIBUTE, decodeChecksums, isComputable } from '../attributes.ts'
import type { UploadChecksum } from '../volume.ts'

/** Every part but the last has at least this size. */
const MIN_PART_BYTES = 5 * 1024 * 1024

/** A part as it was found, ready to be copied. */
export interface StoredPart {
  readonly partNumber: number
  readonly size: number
  readonly ino: number
  readonly mtimeNsec: number
  /** Stored with it: of the upload's algorithm or, where the upload declared none, CRC64NVME. Base64. */
  readonly checksum: string | undefined
  /** Where it begins in the file of slots; undefined: it has a file of its own. */
  readonly slot: number | undefined
}

/** What is read of each part. */
export const PART_ATTRIBUTES = [ATTRIBUTE.etag, ATTRIBUTE.checksums, ATTRIBUTE.partCrc64nvme]

/** MD5 of the parts' MD5s and their number; undefined where an ETag is none: parts written with `--data-integrity-etag`. */
export function completedEtag(parts: readonly CompletedPart[]): string | undefined {
  const md5 = createHash('md5')
  for (const { etag } of parts) {
    const hex = bare(etag)
    if (!MD5_HEX.test(hex)) return undefined
    md5.update(hex, 'hex')
  }
  return `${md5.digest('hex')}-${parts.length}`
}

/** Tells this list of parts from others, in the name of an upload that is being completed. */
export function completionToken(parts: readonly CompletedPart[]): string {
  const list = parts.map(({ partNumber, etag }) => `${partNumber} ${bare(etag)}\n`).join('')
  return completedEtag(parts) ?? createHash('sha256').update(list).digest('hex')
}

const MD5_HEX = /^[0-9a-fA-F]{32}$/

/** Compares what the client lists with what is there, part by part; the first difference is the answer. */
export function checkParts(
  uploadId: string,
  completion: Completion,
  found: readonly BatchEntry[],
  upload: UploadChecksum | undefined,
): StoredPart[] {
  let before = 0
  return completion.parts.map((part, i): StoredPart => {
    if (part.partNumber < 1) throw badPartNumber(part.partNumber)
    if (part.partNumber <= before) throw new S3Error('InvalidPartOrder')
    before = part.partNumber
    const entry = found[i]
    if (entry === undefined || entry.errno !== 0)
      throw invalidPart(uploadId, part.partNumber, part.etag)
    const { size, ino, mtimeNsec } = entry.stat
    if (size < MIN_PART_BYTES && i < completion.parts.length - 1) {
      throw new S3Error('EntityTooSmall', {
        ProposedSize: String(size),
        MinSizeAllowed: String(MIN_PART_BYTES),
      })
    }
    const stored = entry.attributes.get(ATTRIBUTE.etag)?.toString() ?? ''
    if (bare(stored) !== bare(part.etag)) throw invalidPart(uploadId, part.partNumber, stored)
    const checksum = checkPartChecksum(uploadId, part, entry, upload)
    return { partNumber: part.partNumber, size, ino, mtimeNsec, checksum, slot: undefined }
  })
}

/** The stored checksum, once what the client says of it has been found right. */
function checkPartChecksum(
  uploadId: string,
  part: CompletedPart,
  entry: BatchEntry,
  upload: UploadChecksum | undefined,
): string | undefined {
  const sent = Object.entries(part.checksums)
  if (sent.length > 1) {
    throw new S3Error(
      'InvalidArgument',
      { ArgumentName: 'Checksum', ArgumentValue: '' },
      { message: 'Invalid Base64 or multiple checksums present in request' },
    )
  }
  const [algorithm, value] = sent[0] ?? []
  const stored = decodeChecksums(entry.attributes.get(ATTRIBUTE.checksums))
  if (upload === undefined || stored?.value === undefined) {
    if (algorithm !== undefined) throw invalidPart(uploadId, part.partNumber, part.etag)
    return upload === undefined
      ? entry.attributes.get(ATTRIBUTE.partCrc64nvme)?.toString()
      : undefined
  }
  if (algorithm === undefined) {
    throw invalidRequest(
      `The upload was created using a ${upload.algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${part.partNumber} in the request.`,
    )
  }
  if (algorithm !== stored.algorithm) {
    const message = `The ${algorithm.toLowerCase()} you specified for part ${part.partNumber} did not match what we received.`
    throw new S3Error('BadDigest', {}, { message })
  }
  if (value !== stored.value) throw invalidPart(uploadId, part.partNumber, part.etag)
  return stored.value
}

/** The client's x-amz-checksum-type must be the one the upload was created with. */
export function checkChecksumType(
  completion: Completion,
  upload: UploadChecksum | undefined,
): void {
  const { checksumType } = completion
  if (checksumType === undefined || checksumType === '' || checksumType === upload?.type) return
  throw invalidRequest(
    `The upload was created using the ${upload?.type ?? 'null'} checksum mode. The complete request must use the same checksum mode.`,
  )
}

/** The message's two numbers stand as VersityGW has them: what was computed, then what the header said. */
export function checkObjectSize(completion: Completion, size: number): void {
  const { objectSize } = completion
  if (objectSize === undefined || objectSize === size) return
  throw invalidRequest(
    `The provided 'x-amz-mp-object-size' header value ${size} does not match what was computed: ${objectSize}`,
  )
}

/** The whole object's checksum, as the client sent it: of the right algorithm, with or without the number of parts. */
export function checkObjectChecksum(
  completion: Completion,
  algorithm: ChecksumAlgorithm,
  value: string,
): void {
  const sent = completion.checksum
  if (sent === undefined) return
  const isSame =
    sent.algorithm === algorithm && (sent.value === value || sent.value === value.split('-')[0])
  if (isSame) return
  const message = `The ${sent.algorithm} you specified did not match the calculated checksum.`
  throw new S3Error('BadDigest', {}, { message })
}

/** The algorithm of the finished object; NotImplemented where what stands on the disk is none that S3 has. */
export function objectAlgorithm(upload: UploadChecksum | undefined): ChecksumAlgorithm {
  if (upload === undefined) return 'CRC64NVME'
  if (!isComputable(upload.algorithm)) throw new S3Error('NotImplemented')
  return upload.algorithm
}

export function invalidPart(uploadId: string, partNumber: number, etag: string): S3Error {
  return new S3Error('InvalidPart', {
    UploadId: uploadId,
    PartNumber: String(partNumber),
    ETag: etag,
  })
}

function badPartNumber(partNumber: number): S3Error {
  return new S3Error(
    'InvalidArgument',
    { ArgumentName: 'PartNumber', ArgumentValue: String(partNumber) },
    { message: 'PartNumber must be >= 1' },
  )
}

function invalidRequest(message: string): S3Error {
  return new S3Error('InvalidRequest', {}, { message })
}

function bare(etag: string): string {
  return etag.replaceAll('"', '')
}
