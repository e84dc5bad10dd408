import type { Call, ListedPart, PartListing, UploadRef } from '../../backend.ts'
import type { BatchEntry, DirEntries } from '../../../io/io.ts'
import { ATTRIBUTE, decodeChecksums } from '../attributes.ts'
import { Places } from '../errors.ts'
import { isRegular } from '../file-types.ts'
import { entryName } from '../packed-names.ts'
import { openBucket, type Volume } from '../volume.ts'
import { openUpload } from './upload-dir.ts'

const PART_NUMBER = /^[1-9]\d{0,9}$/

export async function listParts(
  volume: Volume,
  upload: UploadRef,
  page: { partNumberMarker: number; maxParts: number },
  call: Call,
): Promise<PartListing> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const dir = openUpload(chain, openBucket(chain, volume, upload.bucket, places), upload, places)
  const declared = chain.readMetadata(dir, [ATTRIBUTE.checksums])
  const entries = chain.listDir(dir)
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, upload)
  }
  const numbers = partNumbers(entries.value).filter((number) => number > page.partNumberMarker)
  const listed = numbers.slice(0, page.maxParts)
  const checksum = decodeChecksums(declared.value.get(ATTRIBUTE.checksums))
  return {
    parts: await readParts(volume, upload, listed, call),
    isTruncated: page.maxParts > 0 && numbers.length > listed.length,
    nextPartNumberMarker: listed.at(-1) ?? 0,
    checksum: checksum === undefined ? undefined : { algorithm: checksum.algorithm, type: checksum.type },
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

async function readParts(volume: Volume, upload: UploadRef, numbers: readonly number[], call: Call): Promise<ListedPart[]> {
  if (numbers.length === 0) return []
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const dir = openUpload(chain, openBucket(chain, volume, upload.bucket, places), upload, places)
  const batch = chain.statBatch(dir, numbers.map(String), [ATTRIBUTE.etag, ATTRIBUTE.checksums])
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, upload)
  }
  return batch.value.flatMap((entry, i) => (entry.errno === 0 && isRegular(entry.stat) ? [listedPart(numbers[i] ?? 0, entry)] : []))
}

function listedPart(partNumber: number, { stat, attributes }: BatchEntry): ListedPart {
  const stored = decodeChecksums(attributes.get(ATTRIBUTE.checksums))
  return {
    partNumber,
    etag: attributes.get(ATTRIBUTE.etag)?.toString() ?? '',
    size: stat.size,
    lastModifiedMs: stat.mtimeMs,
    checksum: stored?.value === undefined ? undefined : { algorithm: stored.algorithm, value: stored.value },
  }
}
