import type { Io } from '../../../io/io.ts'
import type { Checksum, ChecksumAlgorithm, UploadRef } from '../../backend.ts'
import { hashKindOf } from '../attributes.ts'
import type { Task } from '../task.ts'
import { invalidPart, type StoredPart } from './check-parts.ts'

export interface SummedParts {
  readonly algorithm: ChecksumAlgorithm
  readonly isComposite: boolean
  readonly parts: readonly StoredPart[]
}

/**
 * The checksum of a finished object, from those of its parts: FULL_OBJECT by combining CRCs, so that no byte is read again;
 * COMPOSITE as the checksum of the parts' checksums. Undefined where parts have none (older data): then it is computed as
 * the parts are copied.
 */
export async function combineChecksums(
  task: Task<UploadRef>,
  summed: SummedParts,
): Promise<Checksum | undefined> {
  const { algorithm, isComposite, parts } = summed
  if (isComposite) {
    const value = `${await compositeOf(task, summed)}-${parts.length}`
    return { algorithm, type: 'COMPOSITE', value }
  }
  const value = combinedCrc(task.volume.io, summed)
  return value === undefined ? undefined : { algorithm, type: 'FULL_OBJECT', value }
}

function combinedCrc(io: Io, { algorithm, parts }: SummedParts): string | undefined {
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
  task: Task<UploadRef>,
  { algorithm, parts }: SummedParts,
): Promise<string> {
  const kind = hashKindOf(algorithm)
  const sums = parts.map(({ checksum, partNumber }) => {
    if (checksum === undefined) throw invalidPart(task.subject.uploadId, partNumber, '')
    return Buffer.from(checksum, 'base64')
  })
  const chain = task.chain({ record: false })
  chain.hash([Buffer.concat(sums)], 'job', [kind])
  const digest = chain.digest('job', kind)
  await chain.run()
  return digest.value.toString('base64')
}
