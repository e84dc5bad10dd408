import { constants } from 'node:os'
import type { BatchEntry, DirEntries, FileStat, Step } from '../../io/io.ts'
import type { Call, ListPage, ListedObject, ObjectListing } from '../backend.ts'
import { ATTRIBUTE, decodeChecksums } from './attributes.ts'
import { headBucket } from './buckets.ts'
import { Places } from './errors.ts'
import { isRegular } from './file-types.ts'
import { openBucket, type Volume } from './volume.ts'
import { Walk, type DirectoryReader, type Found, type ReadDirectory } from './walk.ts'

/** What a listing tells of an object beyond its file's size and time. */
const LISTED_ATTRIBUTES = [ATTRIBUTE.etag, ATTRIBUTE.checksums]

export async function listObjects(volume: Volume, bucket: string, page: ListPage, call: Call): Promise<ObjectListing> {
  if (page.maxKeys === 0) {
    await headBucket(volume, bucket, call)
    return { objects: [], commonPrefixes: [], isTruncated: false, next: undefined }
  }
  const read: DirectoryReader = (paths) => readDirectories(volume, bucket, call, paths)
  // One more than asked for tells whether there is more.
  const found = await new Walk(read, page).collect(page.maxKeys + 1)
  const isTruncated = found.length > page.maxKeys
  if (isTruncated) found.length = page.maxKeys
  const files = await statFiles(volume, bucket, found, call)
  const objects: ListedObject[] = []
  const commonPrefixes: string[] = []
  let file = 0
  for (const item of found) {
    if (item.kind === 'prefix') commonPrefixes.push(item.key)
    else if (item.kind === 'directory') objects.push(listed(volume, item.key, 0, item.directory.stat, item.directory.attributes))
    else {
      const entry = files[file++]
      // Deleted since its directory was read, or no longer what it was: it is not listed.
      if (entry === undefined || entry.errno !== 0 || !isRegular(entry.stat)) continue
      objects.push(listed(volume, item.key, entry.stat.size, entry.stat, entry.attributes))
    }
  }
  return { objects, commonPrefixes, isTruncated, next: isTruncated ? found.at(-1)?.key : undefined }
}

function listed(volume: Volume, key: string, size: number, stat: FileStat, attributes: ReadonlyMap<string, Buffer>): ListedObject {
  const checksum = decodeChecksums(attributes.get(ATTRIBUTE.checksums))
  return {
    key,
    size,
    lastModifiedMs: stat.mtimeMs,
    etag: attributes.get(ATTRIBUTE.etag)?.toString() ?? volume.defaultEtag,
    checksumAlgorithm: checksum?.algorithm ?? '',
    checksumType: checksum?.type ?? '',
  }
}

/** So many files are looked at by one job; a longer page is several, side by side. */
const FILES_AT_ONCE = 250

/** Size, time and attributes of the files on the page. */
async function statFiles(volume: Volume, bucket: string, found: readonly Found[], call: Call): Promise<readonly BatchEntry[]> {
  const paths: string[] = []
  for (const item of found) if (item.kind === 'file') paths.push(item.key)
  if (paths.length <= FILES_AT_ONCE) return statSome(volume, bucket, paths, call)
  const batches: Promise<readonly BatchEntry[]>[] = []
  for (let i = 0; i < paths.length; i += FILES_AT_ONCE) {
    batches.push(statSome(volume, bucket, paths.slice(i, i + FILES_AT_ONCE), call))
  }
  return (await Promise.all(batches)).flat()
}

async function statSome(volume: Volume, bucket: string, paths: readonly string[], call: Call): Promise<readonly BatchEntry[]> {
  if (paths.length === 0) return []
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const dir = openBucket(chain, volume, bucket, places)
  const batch = chain.statBatch(dir, paths, LISTED_ATTRIBUTES)
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, { bucket })
  }
  return batch.value
}

const { ENOENT, ENOTDIR, ELOOP, EXDEV, ENAMETOOLONG } = constants.errno
/** A directory that is gone, or that is no directory: nothing to list below it. */
const ABSENT = [ENOENT, ENOTDIR, ELOOP, EXDEV, ENAMETOOLONG]

interface Reading {
  readonly dir: Step<number>
  readonly stat: Step<FileStat>
  readonly attributes: Step<ReadonlyMap<string, Buffer>>
  /** Undefined where the cache may still know the entries. */
  readonly entries: Step<DirEntries> | undefined
}

/**
 * Reads directories in one chain, each from one descriptor: its state, whether it is an object itself, and its entries.
 * Entries that are remembered are not read, unless the state shows that they are outdated: then in a second chain.
 */
async function readDirectories(
  volume: Volume,
  bucket: string,
  call: Call,
  paths: readonly string[],
  trustCache = true,
): Promise<readonly (ReadDirectory | undefined)[]> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const root = openBucket(chain, volume, bucket, places)
  const readAtMs = Date.now()
  const readings = paths.map((path): Reading => {
    const dir = chain.openDir(root, path.slice(0, -1), { readable: true, tolerate: ABSENT })
    const stat = chain.stat(dir)
    const attributes = chain.readMetadata(dir, LISTED_ATTRIBUTES)
    const isRemembered = trustCache && volume.directories.has(cacheKey(bucket, path))
    return { dir, stat, attributes, entries: isRemembered ? undefined : chain.listDir(dir, { attributes: { 'posix.dir': `${bucket}/${path}` } }) }
  })
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, { bucket })
  }

  const outdated: string[] = []
  const directories = readings.map((reading, i): ReadDirectory | undefined => {
    if (reading.dir.errno !== 0) return undefined
    const key = cacheKey(bucket, paths[i] ?? '')
    const stat = reading.stat.value
    const entries = reading.entries === undefined ? volume.directories.get(key, stat) : reading.entries.value
    if (entries === undefined) {
      outdated.push(paths[i] ?? '')
      return undefined
    }
    if (reading.entries !== undefined) volume.directories.put(key, stat, entries, readAtMs)
    return { stat, attributes: reading.attributes.value, entries }
  })
  if (outdated.length === 0) return directories
  const fresh = await readDirectories(volume, bucket, call, outdated, false)
  const byPath = new Map(outdated.map((path, i) => [path, fresh[i]]))
  return directories.map((directory, i) => directory ?? byPath.get(paths[i] ?? ''))
}

/** No bucket has a slash in its name. */
function cacheKey(bucket: string, path: string): string {
  return `${bucket}/${path}`
}
