import type { BatchEntry, DirEntries } from '../../../io/io.ts'
import type { ListedPart, PartListing, UploadRef } from '../../backend.ts'
import { ATTRIBUTE, decodeChecksums } from '../attributes.ts'
import { isRegular } from '../file-types.ts'
import { entryName } from '../packed-names.ts'
import type { Task } from '../task.ts'
import { beginUpload } from './upload-dir.ts'

const PART_NUMBER = /^[1-9]\d{0,9}$/

export async function listParts(
  task: Task<UploadRef>,
  page: { partNumberMarker: number; maxParts: number },
): Promise<PartListing> {
  const { chain, dir } = beginUpload(task)
  const declared = chain.steps.readMetadata(dir, [ATTRIBUTE.checksums])
  const entries = chain.steps.listDir(dir)
  await chain.run()
  const numbers = partNumbers(entries.value).filter((number) => number > page.partNumberMarker)
  const listed = numbers.slice(0, page.maxParts)
  const checksum = decodeChecksums(declared.value.get(ATTRIBUTE.checksums))
  return {
    parts: await readParts(task, listed),
    isTruncated: page.maxParts > 0 && numbers.length > listed.length,
    nextPartNumberMarker: listed.at(-1) ?? 0,
    checksum: checksum && { algorithm: checksum.algorithm, type: checksum.type },
  }
}

/** In their order, which is not that of their names. */
function partNumbers(entries: DirEntries): number[] {
  const numbers: number[] = []
  for (let i = 0; i < entries.count; i++) {
    const name = entryName(entries, i)
    if (name !== undefined && PART_NUMBER.test(name)) numbers.push(Number(name))
  }
  return numbers.sort((a, b) => a - b)
}

async function readParts(task: Task<UploadRef>, numbers: readonly number[]): Promise<ListedPart[]> {
  if (numbers.length === 0) return []
  const { chain, dir } = beginUpload(task)
  const batch = chain.steps.statBatch(dir, numbers.map(String), [
    ATTRIBUTE.etag,
    ATTRIBUTE.checksums,
  ])
  await chain.run()
  return batch.value.flatMap((entry, i) => {
    const isThere = entry.errno === 0 && isRegular(entry.stat)
    return isThere ? [listedPart(numbers[i] ?? 0, entry)] : []
  })
}

function listedPart(partNumber: number, { stat, attributes }: BatchEntry): ListedPart {
  const stored = decodeChecksums(attributes.get(ATTRIBUTE.checksums))
  const { algorithm = '', value } = stored ?? {}
  return {
    partNumber,
    etag: attributes.get(ATTRIBUTE.etag)?.toString() ?? '',
    size: stat.size,
    lastModifiedMs: stat.mtimeMs,
    checksum: value === undefined ? undefined : { algorithm, value },
  }
}
