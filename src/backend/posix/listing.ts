import { constants } from 'node:os'
import type { BatchEntry, DirEntries, FileStat, Step } from '../../io/io.ts'
import { SPAN } from '../../trace/names.ts'
import type { ListPage, ListedObject, ObjectListing } from '../backend.ts'
import { ATTRIBUTE, decodeChecksums } from './attributes.ts'
import { headBucket } from './buckets.ts'
import { isRegular } from './file-types.ts'
import type { Task } from './task.ts'
import { Walk, type Found, type ReadDirectory } from './walk.ts'

/** What a listing tells of an object beyond its file's size and time. */
export const LISTED_ATTRIBUTES = [ATTRIBUTE.etag, ATTRIBUTE.checksums, ATTRIBUTE.deleteMarker]

export async function listObjects(task: Task, page: ListPage): Promise<ObjectListing> {
  const { maxKeys } = page
  if (maxKeys === 0) {
    await headBucket(task)
    return { objects: [], commonPrefixes: [], isTruncated: false, next: undefined }
  }
  // One more than asked for tells whether there is more.
  const walk = new Walk((paths) => readDirectories(task, paths), page, maxKeys + 1)
  const found = await walk.collect()
  const isTruncated = found.length > maxKeys
  if (isTruncated) found.length = maxKeys
  const files = await statFiles(task, found)
  const { defaultEtag } = task.volume
  const objects: ListedObject[] = []
  const commonPrefixes: string[] = []
  let file = 0
  for (const item of found) {
    if (item.kind === 'prefix') commonPrefixes.push(item.key)
    else if (item.kind === 'directory') objects.push(listed(item.key, item.directory, defaultEtag))
    else {
      const entry = files[file++]
      // Else it was deleted since its directory was read, or is no longer what it was.
      if (entry?.errno === 0 && isObjectFile(entry))
        objects.push(listed(item.key, entry, defaultEtag))
    }
  }
  return { objects, commonPrefixes, isTruncated, next: isTruncated ? found.at(-1)?.key : undefined }
}

function isObjectFile({ stat, attributes }: BatchEntry): boolean {
  return isRegular(stat) && !attributes.has(ATTRIBUTE.deleteMarker)
}

/** A directory object has no bytes, whatever size its directory has. */
export function listed(
  key: string,
  { stat, attributes }: Pick<BatchEntry, 'stat' | 'attributes'>,
  defaultEtag: string,
): ListedObject {
  const checksum = decodeChecksums(attributes.get(ATTRIBUTE.checksums))
  return {
    key,
    size: isRegular(stat) ? stat.size : 0,
    lastModifiedMs: stat.mtimeMs,
    etag: attributes.get(ATTRIBUTE.etag)?.toString() ?? defaultEtag,
    checksumAlgorithm: checksum?.algorithm ?? '',
    checksumType: checksum?.type ?? '',
  }
}

/** So many files are looked at by one job; a longer page is several, side by side. */
const FILES_AT_ONCE = 250

/** Size, time and attributes of the files on the page. */
async function statFiles(task: Task, found: readonly Found[]): Promise<readonly BatchEntry[]> {
  const paths: string[] = []
  for (const item of found) if (item.kind === 'file') paths.push(item.key)
  const batches: Promise<readonly BatchEntry[]>[] = []
  for (let i = 0; i < paths.length; i += FILES_AT_ONCE) {
    batches.push(statSome(task, paths.slice(i, i + FILES_AT_ONCE)))
  }
  return (await Promise.all(batches)).flat()
}

async function statSome(task: Task, paths: readonly string[]): Promise<readonly BatchEntry[]> {
  const chain = task.begin()
  const batch = chain.steps.statBatch(chain.bucket, paths, LISTED_ATTRIBUTES)
  await chain.run()
  return batch.value
}

const { ENOENT, ENOTDIR, ELOOP, EXDEV, ENAMETOOLONG } = constants.errno
/** A directory that is gone, or that is no directory: nothing to list below it. */
const ABSENT = [ENOENT, ENOTDIR, ELOOP, EXDEV, ENAMETOOLONG]

interface Reading {
  readonly path: string
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
export async function readDirectories(
  task: Task,
  paths: readonly string[],
  trustCache = true,
): Promise<readonly (ReadDirectory | undefined)[]> {
  const { directories, folds } = task.volume
  const fold = folds.next(task.span, SPAN.listDir, paths.length)
  const chain = task.begin({ record: fold === undefined })
  const { steps, bucket } = chain
  const readAtMs = Date.now()
  const readings = paths.map((path): Reading => {
    const dir = steps.openDir(bucket, path.slice(0, -1), { readable: true, tolerate: ABSENT })
    const stat = steps.stat(dir)
    const attributes = steps.readMetadata(dir, LISTED_ATTRIBUTES)
    const isRemembered = trustCache && directories.has(nameOf(task, path))
    const entries = isRemembered
      ? undefined
      : steps.listDir(dir, { attributes: { 'posix.dir': nameOf(task, path) } })
    return { path, dir, stat, attributes, entries }
  })
  await chain.run()
  for (const { dir, entries } of readings) fold?.add(steps.times(entries ?? dir))

  const outdated: string[] = []
  const read = readings.map(
    ({ path, dir, stat, attributes, entries }): ReadDirectory | undefined => {
      if (dir.errno !== 0) return undefined
      const known =
        entries === undefined ? directories.get(nameOf(task, path), stat.value) : entries.value
      if (known === undefined) outdated.push(path)
      if (known === undefined) return undefined
      if (entries !== undefined)
        directories.put(nameOf(task, path), { stat: stat.value, entries: known }, readAtMs)
      return { stat: stat.value, attributes: attributes.value, entries: known }
    },
  )
  if (outdated.length === 0) return read
  const again = await readDirectories(task, outdated, false)
  const byPath = new Map(outdated.map((path, i) => [path, again[i]]))
  return read.map((directory, i) => directory ?? byPath.get(paths[i] ?? ''))
}

/** No bucket has a slash in its name. */
function nameOf({ subject }: Task, path: string): string {
  return `${subject.bucket}/${path}`
}
