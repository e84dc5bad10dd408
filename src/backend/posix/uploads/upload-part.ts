import { S3Error } from '../../../s3/errors.ts'
import type { HashKind } from '../../../io/io.ts'
import type { Call, ChecksumAlgorithm, PartRef, WrittenPart } from '../../backend.ts'
import type { Payload } from '../../payload.ts'
import {
  ATTRIBUTE,
  checksumsAttribute,
  etagAttribute,
  hashKindOf,
  isComputable,
  type Attribute,
} from '../attributes.ts'
import { COLLECTED_BYTES, collectedFill } from '../collected.ts'
import { publish, type Facts } from '../publish.ts'
import { receive } from '../receive.ts'
import { filledFrom, withTemporaryFile } from '../temporary-file.ts'
import type { Target } from '../tmp-dir.ts'
import type { UploadChecksum, Volume } from '../volume.ts'
import { uploadChecksum, uploadDir } from './upload-dir.ts'

/**
 * Stores a part under its number, in the upload's directory. A part that is sent again replaces the earlier one.
 *
 * Write-back starts as the bytes are written: Complete may then share the part's extents at once, where sharing pages that
 * are still dirty would have to wait for them.
 */
export async function uploadPart(
  volume: Volume,
  part: PartRef,
  payload: Payload,
  checksum: ChecksumAlgorithm | undefined,
  call: Call,
): Promise<WrittenPart> {
  const sums = partSums(await uploadChecksum(volume, part, call), checksum)
  const target = partTarget(part)
  const facts = partFacts(part)
  if (payload.length <= COLLECTED_BYTES) {
    const collected = collectedFill(await payload.collect(), payload, sums.kinds)
    const attributes = partAttributes(sums, (kind, encoding) => ({ hasher: 'job', kind, encoding }))
    const { fill, explain } = collected
    await publish(volume, { subject: part, target, size: payload.length, attributes, fill, explain, facts }, call)
    return writtenPart(sums, collected.digest)
  }
  const size = payload.length
  return withTemporaryFile(volume, { subject: part, target, facts, size, preallocate: true }, call, async (file) => {
    const into = { fd: file.fd, subject: part, startWriteback: true }
    const digest = await receive(volume, into, payload, ['md5', ...sums.kinds], call)
    const attributes = partAttributes(sums, (kind, encoding) => digest(kind).toString(encoding))
    await publish(volume, { subject: part, target, attributes, facts, ...filledFrom(volume, file, size) }, call)
    return writtenPart(sums, digest)
  })
}

/** Which sums of a part are computed, stored and told. */
export interface PartSums {
  readonly kinds: readonly HashKind[]
  /** As `checksums`, because the upload declared it; else a CRC64NVME of the gateway's own is stored. */
  readonly declared: ChecksumAlgorithm | undefined
  /** Part of the answer. */
  readonly told: ChecksumAlgorithm | undefined
}

/** Throws where client and upload do not agree. */
export function partSums(upload: UploadChecksum | undefined, sent: ChecksumAlgorithm | undefined): PartSums {
  if (upload === undefined) {
    const kinds: HashKind[] = sent === undefined || sent === 'CRC64NVME' ? ['crc64nvme'] : ['crc64nvme', hashKindOf(sent)]
    return { kinds, declared: undefined, told: sent }
  }
  const { algorithm, type } = upload
  if (sent !== undefined && sent !== algorithm) throw typeMismatch(algorithm, sent)
  if (sent === undefined && type === 'COMPOSITE') throw typeMismatch(algorithm, 'null')
  // An upload that VersityGW began with an algorithm that this gateway has yet to learn.
  if (!isComputable(algorithm)) throw new S3Error('NotImplemented')
  return { kinds: [hashKindOf(algorithm)], declared: algorithm, told: algorithm }
}

function typeMismatch(expected: string, actual: string): S3Error {
  const message = `Checksum Type mismatch occurred, expected checksum Type: ${expected}, actual checksum Type: ${actual}`
  return new S3Error('InvalidRequest', {}, { message })
}

type DigestText<T> = (kind: HashKind, encoding: 'hex' | 'base64') => T

export function partAttributes(sums: PartSums, digest: DigestText<Parameters<typeof etagAttribute>[0]>): Attribute[] {
  const etag = etagAttribute(digest('md5', 'hex'))
  if (sums.declared !== undefined) {
    return [etag, checksumsAttribute(sums.declared, '', digest(hashKindOf(sums.declared), 'base64'))]
  }
  const crc = digest('crc64nvme', 'base64')
  return [etag, [ATTRIBUTE.partCrc64nvme, typeof crc === 'string' ? crc : [crc]]]
}

export function writtenPart(sums: PartSums, digest: (kind: HashKind) => Buffer): WrittenPart {
  const { told } = sums
  return {
    etag: `"${digest('md5').toString('hex')}"`,
    checksum: told === undefined ? undefined : { algorithm: told, value: digest(hashKindOf(told)).toString('base64') },
  }
}

export function partTarget(part: PartRef): Target {
  return { directory: uploadDir(part), name: String(part.partNumber), makeParents: false, replace: true }
}

export function partFacts(part: PartRef): Facts {
  return { 'posix.bucket': part.bucket, 'posix.object': part.key, 'posix.part_number': part.partNumber }
}
