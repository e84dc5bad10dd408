import type { ChecksumAlgorithm, PartRef, WrittenPart } from '../../backend.ts'
import type { Payload } from '../../payload.ts'
import { COLLECTED_BYTES, collectedFill, type DigestReader } from '../collected.ts'
import { publish, type Facts } from '../publish.ts'
import { receive } from '../receive.ts'
import type { Task } from '../task.ts'
import { filledFrom, withTemporaryFile } from '../temporary-file.ts'
import type { Target } from '../tmp-dir.ts'
import { partAttributes, partFacts, partSums, writtenPart, type PartSums } from './part-sums.ts'
import { storeInSlot } from './slots.ts'
import { uploadChecksum, uploadDir } from './upload-dir.ts'

/** Stores a part under its number, in the upload's directory. A part that is sent again replaces the earlier one. */
export async function uploadPart(
  task: Task<PartRef>,
  payload: Payload,
  checksum: ChecksumAlgorithm | undefined,
): Promise<WrittenPart> {
  const sums = partSums(task.volume, await uploadChecksum(task), checksum)
  const slotted = task.volume.slotSizes && (await storeInSlot(task, payload, sums))
  if (slotted !== undefined) return writtenPart(sums, slotted)
  const isSmall = payload.length <= COLLECTED_BYTES
  const digest = await (isSmall ? storeCollected : storeStreamed)(task, payload, sums)
  return writtenPart(sums, digest)
}

async function storeCollected(
  task: Task<PartRef>,
  payload: Payload,
  sums: PartSums,
): Promise<DigestReader> {
  const pieces = await payload.collect()
  const { fill, explain, digest } = collectedFill(pieces, payload, sums.kinds, partNumber(task))
  const attributes = partAttributes(sums, (kind, encoding) => ({ hasher: 'job', kind, encoding }))
  const target = partTarget(task)
  await publish(task, {
    target,
    size: payload.length,
    attributes,
    fill,
    explain,
    facts: partFacts(task),
  })
  return digest
}

/**
 * Write-back starts as the bytes are written: Complete may then share the part's extents at once, where sharing pages that
 * are still dirty would have to wait for them.
 */
async function storeStreamed(
  task: Task<PartRef>,
  payload: Payload,
  sums: PartSums,
): Promise<DigestReader> {
  const target = partTarget(task)
  const facts = partFacts(task)
  const size = payload.length
  return withTemporaryFile(task, { target, facts, size, preallocate: true }, async (file) => {
    const { digest } = await receive(task, payload, {
      fd: file.fd,
      startWriteback: true,
      kinds: sums.kinds,
      facts: partNumber(task),
    })
    const attributes = partAttributes(sums, (kind, encoding) => digest(kind).toString(encoding))
    await publish(task, { target, attributes, facts, ...filledFrom(task, file, size) })
    return digest
  })
}

const partNumber = ({ subject }: Task<PartRef>): Facts => ({
  'posix.part_number': subject.partNumber,
})

export function partTarget({ subject }: Task<PartRef>): Target {
  return {
    directory: uploadDir(subject),
    name: String(subject.partNumber),
    makeParents: false,
    replace: true,
  }
}
