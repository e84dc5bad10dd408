import type { VersionListPage, VersionListing, ListedVersion } from '../../version-listing.ts'
import { headBucket } from '../buckets.ts'
import { listed, readDirectories } from '../listing.ts'
import type { Task } from '../task.ts'
import { Walk, type Found } from '../walk.ts'
import { NULL_VERSION } from './layout.ts'
import { VersionReader } from './read-versions.ts'

/** Keys whose versions are looked for together. */
const KEYS_AT_ONCE = 32

/**
 * Lists what lies in the bucket, and with each key the superseded versions of it: the tree gives the keys, and each key the
 * directory where its versions lie. A page costs what it shows: versions of a key are found by name, and only those on the
 * page are looked at.
 */
export async function listVersions(task: Task, page: VersionListPage): Promise<VersionListing> {
  if (page.maxKeys === 0) {
    await headBucket(task)
    return { versions: [], commonPrefixes: [], isTruncated: false, next: undefined }
  }
  const reader = await VersionReader.open(task)
  try {
    return await collect(task, page, reader)
  } finally {
    await reader.close()
  }
}

/** A version, or the key that stands for many. */
type Item = ListedVersion | { readonly prefix: string }

async function collect(
  task: Task,
  page: VersionListPage,
  reader: VersionReader,
): Promise<VersionListing> {
  // One more than asked for tells whether there is more.
  const limit = page.maxKeys + 1
  const items: Item[] = [...(await behindMarker(page, reader, limit))]
  if (items.length >= limit) return pageOf(items, page)
  const walked = { prefix: page.prefix, delimiter: page.delimiter, after: page.keyMarker }
  const most = limit - items.length
  const found = await new Walk((paths) => readDirectories(task, paths), walked, most).collect()
  for (let at = 0; at < found.length && items.length < limit; at += KEYS_AT_ONCE) {
    const some = found.slice(at, at + KEYS_AT_ONCE)
    items.push(...(await itemsOf(task, some, reader, limit - items.length)))
  }
  // What has vanished since its directory was read may leave room on a page that is not the last.
  const last = found.length === most ? found.at(-1)?.key : undefined
  return pageOf(items, page, last)
}

/** What is left of the key that the page before ended in. */
async function behindMarker(
  { prefix, delimiter, keyMarker, versionIdMarker }: VersionListPage,
  reader: VersionReader,
  limit: number,
): Promise<readonly ListedVersion[]> {
  if (versionIdMarker === undefined || keyMarker.endsWith('/')) return []
  const isListed =
    keyMarker.startsWith(prefix) &&
    (delimiter === '' || !keyMarker.slice(prefix.length).includes(delimiter))
  if (!isListed) return []
  const [versions] = await reader.read([keyMarker], limit, versionIdMarker)
  return versions ?? []
}

async function itemsOf(
  { volume }: Task,
  found: readonly Found[],
  reader: VersionReader,
  limit: number,
): Promise<readonly Item[]> {
  const keys = found.filter(({ kind }) => kind === 'file').map(({ key }) => key)
  const read = (await reader.read(keys, limit)).values()
  return found.flatMap((item): readonly Item[] => {
    if (item.kind === 'prefix') return [{ prefix: item.key }]
    if (item.kind === 'file') return read.next().value ?? []
    const { directory, key } = item
    return [
      {
        ...listed(key, directory, volume.defaultEtag),
        versionId: NULL_VERSION,
        isLatest: true,
        isDeleteMarker: false,
        lastModifiedNsec: directory.stat.mtimeNsec,
      },
    ]
  })
}

function pageOf(
  items: readonly Item[],
  { maxKeys }: VersionListPage,
  last?: string,
): VersionListing {
  const shown = items.slice(0, maxKeys)
  const versions: ListedVersion[] = []
  const commonPrefixes: string[] = []
  for (const item of shown) {
    if ('prefix' in item) commonPrefixes.push(item.prefix)
    else versions.push(item)
  }
  const isTruncated = items.length > maxKeys || last !== undefined
  return {
    versions,
    commonPrefixes,
    isTruncated,
    next: isTruncated ? nextOf(items, maxKeys, last) : undefined,
  }
}

function nextOf(
  items: readonly Item[],
  maxKeys: number,
  last: string | undefined,
): VersionListing['next'] {
  const end = items.length > maxKeys ? items[maxKeys - 1] : undefined
  if (end === undefined) return { key: last ?? '', versionId: undefined }
  if ('prefix' in end) return { key: end.prefix, versionId: undefined }
  return { key: end.key, versionId: end.versionId }
}
