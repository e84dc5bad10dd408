import { S3Error } from '../../../s3/errors.ts'
import type { HashKind } from '../../../io/io.ts'
import type { ChecksumAlgorithm, PartRef, WrittenPart } from '../../backend.ts'
import {
  ATTRIBUTE,
  checksumsAttribute,
  etagAttribute,
  hashKindOf,
  isComputable,
  type Attribute,
} from '../attributes.ts'
import type { DigestReader } from '../collected.ts'
import { etagForm, etagText, type EtagForm } from '../etag-form.ts'
import type { Facts } from '../publish.ts'
import type { Task } from '../task.ts'
import type { UploadChecksum, Volume } from '../volume.ts'

/** Which sums of a part are computed, stored and told. */
export interface PartSums {
  readonly etag: EtagForm
  /** All of them. */
  readonly kinds: readonly HashKind[]
  /** As `checksums`, because the upload declared it; else a CRC64NVME of the gateway's own is stored. */
  readonly declared: ChecksumAlgorithm | undefined
  /** Part of the answer. */
  readonly told: ChecksumAlgorithm | undefined
}

/** Throws where client and upload do not agree. */
export function partSums(
  volume: Volume,
  upload: UploadChecksum | undefined,
  sent: ChecksumAlgorithm | undefined,
): PartSums {
  // Whatever the upload declared, as with VersityGW.
  const etag = etagForm(volume, 'CRC64NVME')
  if (upload === undefined) {
    const kinds = new Set<HashKind>([etag.kind, 'crc64nvme', hashKindOf(sent ?? 'CRC64NVME')])
    return { etag, kinds: [...kinds], declared: undefined, told: sent }
  }
  const { algorithm, type } = upload
  if (sent !== undefined && sent !== algorithm) throw typeMismatch(algorithm, sent)
  if (sent === undefined && type === 'COMPOSITE') throw typeMismatch(algorithm, 'null')
  // What stands on the disk may be of a later version, or anything.
  if (!isComputable(algorithm)) throw new S3Error('NotImplemented')
  const kinds = new Set<HashKind>([etag.kind, hashKindOf(algorithm)])
  return { etag, kinds: [...kinds], declared: algorithm, told: algorithm }
}

function typeMismatch(expected: string, actual: string): S3Error {
  const message = `Checksum Type mismatch occurred, expected checksum Type: ${expected}, actual checksum Type: ${actual}`
  return new S3Error('InvalidRequest', {}, { message })
}

type DigestText<T> = (kind: HashKind, encoding: 'hex' | 'base64') => T

export function partAttributes(
  sums: PartSums,
  digest: DigestText<Parameters<typeof etagAttribute>[0]>,
): Attribute[] {
  const { kind, encoding, prefix } = sums.etag
  const etag = etagAttribute(digest(kind, encoding), prefix)
  if (sums.declared !== undefined) {
    return [
      etag,
      checksumsAttribute(sums.declared, '', digest(hashKindOf(sums.declared), 'base64')),
    ]
  }
  const crc = digest('crc64nvme', 'base64')
  return [etag, [ATTRIBUTE.partCrc64nvme, typeof crc === 'string' ? crc : [crc]]]
}

export function writtenPart({ etag: form, told }: PartSums, digest: DigestReader): WrittenPart {
  const etag = `"${etagText(form, digest)}"`
  if (told === undefined) return { etag, checksum: undefined }
  return { etag, checksum: { algorithm: told, value: digest(hashKindOf(told)).toString('base64') } }
}

export function partFacts({ subject }: Task<PartRef>): Facts {
  const { bucket, key, partNumber } = subject
  return { 'posix.bucket': bucket, 'posix.object': key, 'posix.part_number': partNumber }
}
