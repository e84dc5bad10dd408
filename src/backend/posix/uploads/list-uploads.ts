import { constants } from 'node:os'
import type { Call, ListedUpload, UploadListPage, UploadListing } from '../../backend.ts'
import type { BatchEntry, DirEntries, Step } from '../../../io/io.ts'
import { ATTRIBUTE, compareUtf8, decodeChecksums } from '../attributes.ts'
import { Places } from '../errors.ts'
import { isDirectory } from '../file-types.ts'
import { DT_DIR, entryName } from '../packed-names.ts'
import { openBucket, type Volume } from '../volume.ts'
import { MULTIPART_DIR, isUploadId } from './upload-dir.ts'

const { ENOENT, ENOTDIR } = constants.errno

/** Keys whose uploads are read in one job. */
const KEYS_AT_ONCE = 8
const NAMES_AT_ONCE = 1000

interface UploadingKey {
  readonly key: string
  /** The directory of its uploads, beneath `.sgwtmp/multipart`. */
  readonly directory: string
}

/**
 * Uploads in progress, by key and then by the time they were begun. The disk knows keys by their hashes only, so all of
 * them are read and sorted; the uploads themselves only for the keys on the page.
 */
export async function listUploads(volume: Volume, bucket: string, page: UploadListPage, call: Call): Promise<UploadListing> {
  const listing = new PageOfUploads(page)
  const keys = (await uploadingKeys(volume, bucket, call)).filter(({ key }) => listing.mayList(key))
  keys.sort((a, b) => compareUtf8(a.key, b.key))
  for (let i = 0; i < keys.length && !listing.isFull; i += KEYS_AT_ONCE) {
    const some = keys.slice(i, i + KEYS_AT_ONCE)
    const uploads = await uploadsOf(volume, bucket, some, call)
    for (const [j, { key }] of some.entries()) listing.add(key, uploads[j] ?? [])
  }
  return listing.result()
}

/** What goes on the page, in order, until one more would be too many. */
class PageOfUploads {
  readonly #page: UploadListPage
  readonly #uploads: ListedUpload[] = []
  readonly #prefixes: string[] = []
  #lastPrefix: string | undefined
  #next = { key: '', uploadId: '' }
  isFull = false

  constructor(page: UploadListPage) {
    this.#page = page
    this.isFull = page.maxUploads === 0
  }

  mayList(key: string): boolean {
    const { prefix, keyMarker, uploadIdMarker } = this.#page
    if (!key.startsWith(prefix)) return false
    if (keyMarker === '') return true
    const order = compareUtf8(key, keyMarker)
    return order > 0 || (order === 0 && uploadIdMarker !== '')
  }

  add(key: string, uploads: readonly ListedUpload[]): void {
    const { prefix, delimiter, keyMarker } = this.#page
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    if (at < 0) {
      for (const upload of this.#behindMarker(key, uploads)) this.#push(key, upload)
      return
    }
    const common = key.slice(0, at + delimiter.length)
    if (uploads.length === 0 || common === this.#lastPrefix || keyMarker.startsWith(common)) return
    if (!this.#hasRoom()) return
    this.#lastPrefix = common
    this.#prefixes.push(common)
    this.#next = { key: common, uploadId: '' }
  }

  /** Of the marker's own key, those that were begun after the upload it names. */
  #behindMarker(key: string, uploads: readonly ListedUpload[]): readonly ListedUpload[] {
    const { keyMarker, uploadIdMarker } = this.#page
    if (key !== keyMarker) return uploads
    const marker = uploads.findIndex(({ uploadId }) => uploadId === uploadIdMarker)
    return marker < 0 ? [] : uploads.slice(marker + 1)
  }

  #push(key: string, upload: ListedUpload): void {
    if (!this.#hasRoom()) return
    this.#uploads.push(upload)
    this.#next = { key, uploadId: upload.uploadId }
  }

  #hasRoom(): boolean {
    if (this.#uploads.length + this.#prefixes.length >= this.#page.maxUploads) this.isFull = true
    return !this.isFull
  }

  result(): UploadListing {
    const isTruncated = this.isFull && this.#page.maxUploads > 0
    return {
      uploads: this.#uploads,
      commonPrefixes: this.#prefixes,
      isTruncated,
      nextKeyMarker: isTruncated ? this.#next.key : '',
      nextUploadIdMarker: isTruncated ? this.#next.uploadId : '',
    }
  }
}

async function uploadingKeys(volume: Volume, bucket: string, call: Call): Promise<UploadingKey[]> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const dir = chain.openDir(openBucket(chain, volume, bucket, places), MULTIPART_DIR, { readable: true, tolerate: [ENOENT, ENOTDIR] })
  const list = chain.listDir(dir)
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, { bucket })
  }
  if (dir.errno !== 0) return []
  const keys: UploadingKey[] = []
  const directories = directoryNames(list.value)
  for (let i = 0; i < directories.length; i += NAMES_AT_ONCE) {
    const names = directories.slice(i, i + NAMES_AT_ONCE)
    const entries = await statBeneath(volume, bucket, MULTIPART_DIR, names, [ATTRIBUTE.objectName], call)
    for (const [j, directory] of names.entries()) {
      const key = entries[j]?.attributes.get(ATTRIBUTE.objectName)?.toString()
      if (key !== undefined) keys.push({ key, directory })
    }
  }
  return keys
}

/** The uploads of each key, in the order in which they were begun. */
async function uploadsOf(volume: Volume, bucket: string, keys: readonly UploadingKey[], call: Call): Promise<ListedUpload[][]> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const root = openBucket(chain, volume, bucket, places)
  const lists = keys.map(({ directory }): { dir: Step<number>; list: Step<DirEntries> } => {
    const dir = chain.openDir(root, `${MULTIPART_DIR}/${directory}`, { readable: true, tolerate: [ENOENT, ENOTDIR] })
    return { dir, list: chain.listDir(dir) }
  })
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, { bucket })
  }
  const named = keys.flatMap(({ key, directory }, i) => {
    const found = lists[i]
    const ids = found === undefined || found.dir.errno !== 0 ? [] : directoryNames(found.list.value).filter(isUploadId)
    return ids.map((uploadId) => ({ index: i, key, uploadId, path: `${directory}/${uploadId}` }))
  })
  const paths = named.map(({ path }) => path)
  const entries = paths.length === 0 ? [] : await statBeneath(volume, bucket, MULTIPART_DIR, paths, [ATTRIBUTE.checksums], call)
  const uploads = keys.map((): { upload: ListedUpload; order: number }[] => [])
  for (const [j, { index, key, uploadId }] of named.entries()) {
    const entry = entries[j]
    // Completed or aborted meanwhile.
    if (entry === undefined || entry.errno !== 0 || !isDirectory(entry.stat)) continue
    const { mtimeSec, mtimeNsec, mtimeMs } = entry.stat
    const checksum = decodeChecksums(entry.attributes.get(ATTRIBUTE.checksums))
    const upload = { key, uploadId, initiatedMs: mtimeMs, checksum: checksum && { algorithm: checksum.algorithm, type: checksum.type } }
    uploads[index]?.push({ upload, order: mtimeSec + mtimeNsec / 1e9 })
  }
  return uploads.map((some) => some.sort((a, b) => a.order - b.order || compareUtf8(a.upload.uploadId, b.upload.uploadId)).map(({ upload }) => upload))
}

function directoryNames(entries: DirEntries): string[] {
  const names: string[] = []
  for (let i = 0; i < entries.count; i++) {
    const name = entries.types[i] === DT_DIR ? entryName(entries, i) : undefined
    if (name !== undefined) names.push(name)
  }
  return names
}

async function statBeneath(
  volume: Volume,
  bucket: string,
  path: string,
  names: readonly string[],
  attributes: readonly string[],
  call: Call,
): Promise<readonly BatchEntry[]> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const dir = chain.openDir(openBucket(chain, volume, bucket, places), path, { tolerate: [ENOENT, ENOTDIR] })
  const batch = chain.statBatch(dir, names, attributes)
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, { bucket })
  }
  return dir.errno === 0 ? batch.value : []
}
