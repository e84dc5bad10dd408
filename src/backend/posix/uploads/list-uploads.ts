import { constants } from 'node:os'
import type { BatchEntry } from '../../../io/io.ts'
import { compareUtf8 } from '../../../utf8-order.ts'
import type { ListedUpload, UploadListPage, UploadListing } from '../../backend.ts'
import { ATTRIBUTE, decodeChecksums } from '../attributes.ts'
import { isDirectory } from '../file-types.ts'
import { directoryNames } from '../packed-names.ts'
import type { Task } from '../task.ts'
import { uploadIdOf } from './claim.ts'
import { MULTIPART_DIR } from './upload-dir.ts'
import { UploadPage } from './upload-page.ts'

const { ENOENT, ENOTDIR } = constants.errno

/** Keys whose uploads are read in one job. */
const KEYS_AT_ONCE = 8
const NAMES_AT_ONCE = 1000

/**
 * Uploads in progress, by key and then by the time they were begun. The disk knows keys by their hashes only, so all of
 * them are read and sorted; the uploads themselves only for the keys on the page.
 */
export async function listUploads(task: Task, page: UploadListPage): Promise<UploadListing> {
  const listing = new UploadPage(page)
  const keys = (await uploadingKeys(task)).filter(({ key }) => listing.mayList(key))
  keys.sort((a, b) => compareUtf8(a.key, b.key))
  for (let i = 0; i < keys.length && !listing.isFull; i += KEYS_AT_ONCE) {
    const some = keys.slice(i, i + KEYS_AT_ONCE)
    const uploads = await uploadsOf(task, some)
    for (const [j, { key }] of some.entries()) listing.add(key, uploads[j] ?? [])
  }
  return listing.result()
}

interface UploadingKey {
  readonly key: string
  /** The directory of its uploads, beneath `.sgwtmp/multipart`. */
  readonly directory: string
}

async function uploadingKeys(task: Task): Promise<UploadingKey[]> {
  const [directories = []] = await listBeneath(task, [MULTIPART_DIR])
  const keys: UploadingKey[] = []
  for (let i = 0; i < directories.length; i += NAMES_AT_ONCE) {
    const names = directories.slice(i, i + NAMES_AT_ONCE)
    const entries = await statMultipart(task, names, ATTRIBUTE.objectName)
    for (const [j, directory] of names.entries()) {
      const key = entries[j]?.attributes.get(ATTRIBUTE.objectName)?.toString()
      if (key !== undefined) keys.push({ key, directory })
    }
  }
  return keys
}

interface FoundUpload {
  readonly index: number
  readonly key: string
  readonly uploadId: string
  readonly path: string
}

/** The uploads of each key, in the order in which they were begun. */
async function uploadsOf(task: Task, keys: readonly UploadingKey[]): Promise<ListedUpload[][]> {
  const lists = await listBeneath(
    task,
    keys.map(({ directory }) => `${MULTIPART_DIR}/${directory}`),
  )
  const found = keys.flatMap(({ key, directory }, index): FoundUpload[] => {
    return (lists[index] ?? []).flatMap((name) => {
      const uploadId = uploadIdOf(name)
      return uploadId === undefined ? [] : [{ index, key, uploadId, path: `${directory}/${name}` }]
    })
  })
  const paths = found.map(({ path }) => path)
  const entries = await statMultipart(task, paths, ATTRIBUTE.checksums)
  const uploads = keys.map((): Begun[] => [])
  for (const [i, upload] of found.entries()) {
    const entry = entries[i]
    // Else it has been completed or aborted meanwhile.
    if (entry?.errno === 0 && isDirectory(entry.stat))
      uploads[upload.index]?.push(begun(upload, entry))
  }
  return uploads.map((some) => some.sort(byBeginning).map(({ listed }) => listed))
}

interface Begun {
  readonly listed: ListedUpload
  readonly seconds: number
}

function begun({ key, uploadId }: FoundUpload, { stat, attributes }: BatchEntry): Begun {
  const stored = decodeChecksums(attributes.get(ATTRIBUTE.checksums))
  const checksum = stored && { algorithm: stored.algorithm, type: stored.type }
  return {
    listed: { key, uploadId, initiatedMs: stat.mtimeMs, checksum },
    seconds: stat.mtimeSec + stat.mtimeNsec / 1e9,
  }
}

function byBeginning(a: Begun, b: Begun): number {
  return a.seconds - b.seconds || compareUtf8(a.listed.uploadId, b.listed.uploadId)
}

/** The names of the directories in each of these directories; none where there is no such directory. */
async function listBeneath(task: Task, paths: readonly string[]): Promise<string[][]> {
  const chain = task.begin()
  const { steps, bucket } = chain
  const lists = paths.map((path) => {
    const dir = steps.openDir(bucket, path, { readable: true, tolerate: [ENOENT, ENOTDIR] })
    return { dir, list: steps.listDir(dir) }
  })
  await chain.run()
  return lists.map(({ dir, list }) => (dir.errno === 0 ? directoryNames(list.value) : []))
}

/** State and one attribute of directories beneath `.sgwtmp/multipart`. */
async function statMultipart(
  task: Task,
  names: readonly string[],
  attribute: string,
): Promise<readonly BatchEntry[]> {
  if (names.length === 0) return []
  const chain = task.begin()
  const { steps, bucket } = chain
  const dir = steps.openDir(bucket, MULTIPART_DIR, { tolerate: [ENOENT, ENOTDIR] })
  const batch = steps.statBatch(dir, names, [attribute])
  await chain.run()
  return dir.errno === 0 ? batch.value : []
}
