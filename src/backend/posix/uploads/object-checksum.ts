import type { Io } from '../../../io/io.ts'
import type { Call, Checksum, ChecksumAlgorithm } from '../../backend.ts'
import { hashKindOf } from '../attributes.ts'
import type { UploadChecksum } from '../volume.ts'
import { invalidPart, type StoredPart } from './check-parts.ts'

/**
 * The checksum of a finished object, from those of its parts: FULL_OBJECT by combining CRCs, so that no byte is read again;
 * COMPOSITE as the checksum of the parts' checksums. Undefined where parts have none (older data): then it is computed as
 * the parts are copied.
 */
export async function combineChecksums(
  io: Io,
  uploadId: string,
  algorithm: ChecksumAlgorithm,
  upload: UploadChecksum | undefined,
  parts: readonly StoredPart[],
  call: Call,
): Promise<Checksum | undefined> {
  if (upload?.type === 'COMPOSITE') {
    const value = await compositeOf(io, uploadId, algorithm, parts, call)
    return { algorithm, type: 'COMPOSITE', value: `${value}-${parts.length}` }
  }
  const value = combinedCrc(io, algorithm, parts)
  return value === undefined ? undefined : { algorithm, type: 'FULL_OBJECT', value }
}

function combinedCrc(io: Io, algorithm: ChecksumAlgorithm, parts: readonly StoredPart[]): string | undefined {
  const kind = hashKindOf(algorithm)
  if (kind !== 'crc32' && kind !== 'crc32c' && kind !== 'crc64nvme') return undefined
  let combined: string | undefined
  for (const { checksum, size } of parts) {
    if (checksum === undefined) return undefined
    combined = combined === undefined ? checksum : io.combineCrc(kind, combined, checksum, size)
  }
  return combined
}

async function compositeOf(
  io: Io,
  uploadId: string,
  algorithm: ChecksumAlgorithm,
  parts: readonly StoredPart[],
  call: Call,
): Promise<string> {
  const kind = hashKindOf(algorithm)
  const sums = parts.map(({ checksum, partNumber }) => {
    if (checksum === undefined) throw invalidPart(uploadId, partNumber, '')
    return Buffer.from(checksum, 'base64')
  })
  const chain = io.chain(call.span, { record: false })
  chain.hash([Buffer.concat(sums)], 'job', [kind])
  const digest = chain.digest('job', kind)
  await chain.run()
  return digest.value.toString('base64')
}
