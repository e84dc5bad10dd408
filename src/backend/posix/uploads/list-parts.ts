import type { BatchEntry, DirEntries } from '../../../io/io.ts'
import type { ListedPart, PartListing, UploadRef } from '../../backend.ts'
import { ATTRIBUTE, decodeChecksums } from '../attributes.ts'
import { isRegular } from '../file-types.ts'
import { entryName } from '../packed-names.ts'
import type { Task } from '../task.ts'
import { beginUpload } from './upload-dir.ts'

/** A file of its own, or a slot: then it is a part once it has an etag. */
const PART_NAME = /^([1-9]\d{0,9})(\.slot)?$/

export async function listParts(
  task: Task<UploadRef>,
  page: { partNumberMarker: number; maxParts: number },
): Promise<PartListing> {
  const { chain, dir } = beginUpload(task)
  const declared = chain.steps.readMetadata(dir, [ATTRIBUTE.checksums])
  const entries = chain.steps.listDir(dir)
  await chain.run()
  const names = [...partNames(entries.value)].filter(([number]) => number > page.partNumberMarker)
  const listed = names.sort(([a], [b]) => a - b).slice(0, page.maxParts)
  const checksum = decodeChecksums(declared.value.get(ATTRIBUTE.checksums))
  return {
    parts: await readParts(task, listed),
    isTruncated: page.maxParts > 0 && names.length > listed.length,
    nextPartNumberMarker: listed.at(-1)?.[0] ?? 0,
    checksum: checksum && { algorithm: checksum.algorithm, type: checksum.type },
  }
}

/** What describes each part: its own file where there is one, else its slot. */
function partNames(entries: DirEntries): Map<number, string> {
  const names = new Map<number, string>()
  for (let i = 0; i < entries.count; i++) {
    const [name, digits, slot] = PART_NAME.exec(entryName(entries, i) ?? '') ?? []
    if (name === undefined) continue
    const number = Number(digits)
    if (slot === undefined || !names.has(number)) names.set(number, name)
  }
  return names
}

/** In their order, which is not that of their names. */
async function readParts(
  task: Task<UploadRef>,
  names: readonly (readonly [number: number, name: string])[],
): Promise<ListedPart[]> {
  if (names.length === 0) return []
  const { chain, dir } = beginUpload(task)
  const batch = chain.steps.statBatch(
    dir,
    names.map(([, name]) => name),
    [ATTRIBUTE.etag, ATTRIBUTE.checksums],
  )
  await chain.run()
  return batch.value.flatMap((entry, i) => {
    const [number = 0, name = ''] = names[i] ?? []
    const isThere = entry.errno === 0 && isRegular(entry.stat)
    const isUnfinished = name.endsWith('.slot') && !entry.attributes.has(ATTRIBUTE.etag)
    return isThere && !isUnfinished ? [listedPart(number, entry)] : []
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
