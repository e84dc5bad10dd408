import { constants } from 'node:os'
import { parseObject } from '../../go-json.ts'
import { IoError } from '../../io/io-error.ts'
import type { DirEntries } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import { compareUtf8 } from '../../utf8-order.ts'
import type { BucketSubresource, BucketSummary, NewBucket } from '../backend.ts'
import { failureOf, toS3Error } from './errors.ts'
import { isDirectory } from './file-types.ts'
import { directoryNames, entryName, linkNames } from './packed-names.ts'
import { TMP_DIR, bucketEntry, unfinishedBucket } from './paths.ts'
import { getBucketSubresource } from './subresources.ts'
import type { Task } from './task.ts'
import { hasVersions, removeVersionsDirectory } from './versions/bucket-versions.ts'

const { EACCES, EEXIST, EINVAL, ELOOP, ENOENT, ENOSYS, ENOTDIR, ENOTEMPTY, EOPNOTSUPP } =
  constants.errno

/** Directories of the root; hidden ones, such as the gateway's own, are none of the buckets. */
export async function listBuckets(
  task: Task,
  documents: readonly BucketSubresource[] = [],
): Promise<readonly BucketSummary[]> {
  try {
    const entries = await listRoot(task)
    const buckets = await summaries(task, directoryNames(entries).filter(isVisible), documents)
    if (task.volume.bucketLinks)
      buckets.push(...(await linkedBuckets(task, linkNames(entries).filter(isVisible), documents)))
    // Read in the order of keys, in which a directory is `name/`.
    return buckets.sort((a, b) => compareUtf8(a.name, b.name))
  } catch (error) {
    throw toS3Error(error, 'other', task.subject)
  }
}

function isVisible(name: string): boolean {
  return !name.startsWith('.')
}

async function summaries(
  task: Task,
  names: readonly string[],
  documents: readonly BucketSubresource[],
): Promise<BucketSummary[]> {
  if (names.length === 0) return []
  const chain = task.chain()
  const batch = chain.statBatch(task.volume.root, names, documents)
  await chain.run()
  return batch.value.flatMap(({ errno, stat, attributes }, i): BucketSummary[] => {
    if (errno !== 0 || !isDirectory(stat)) return []
    const creationDate = new Date(stat.mtimeMs)
    return [{ name: names[i] ?? '', creationDate, documents: attributes }]
  })
}

/** Descriptors that a chain holds until it ends. */
const LINKS_AT_ONCE = 64

/** Symbolic links to directories: opened as requests for them open them, and told of as what they lead to. */
async function linkedBuckets(
  task: Task,
  names: readonly string[],
  documents: readonly BucketSubresource[],
): Promise<BucketSummary[]> {
  const buckets: BucketSummary[] = []
  for (let at = 0; at < names.length; at += LINKS_AT_ONCE) {
    const chain = task.chain()
    const links = names.slice(at, at + LINKS_AT_ONCE).map((name) => {
      const options = { followLast: true, readable: true, tolerate: LEADS_NOWHERE }
      const dir = chain.openDir(task.volume.root, name, options)
      return { name, dir, stat: chain.stat(dir), stored: chain.readMetadata(dir, documents) }
    })
    await chain.run()
    for (const { name, dir, stat, stored } of links) {
      if (dir.errno !== 0) continue
      const creationDate = new Date(stat.value.mtimeMs)
      buckets.push({ name, creationDate, documents: stored.value })
    }
  }
  return buckets
}

const LEADS_NOWHERE = [EACCES, ELOOP, ENOENT, ENOTDIR]

async function listRoot(task: Task): Promise<DirEntries> {
  const chain = task.chain()
  const list = chain.listDir(task.volume.root)
  await chain.run()
  return list.value
}

/**
 * Makes the bucket's directory, hangs its documents on it and then gives it its name: whoever sees a bucket sees whose it
 * is, also when we are killed meanwhile, for a directory without an ACL is root's. `inPlace` is for file systems whose
 * rename cannot be told to replace nothing (NFS).
 */
export async function createBucket(task: Task, bucket: NewBucket, inPlace = false): Promise<void> {
  const { root, durable, dirMode, sweeper } = task.volume
  const name = bucketEntry(bucket.name)
  const place = inPlace ? name : unfinishedBucket()
  sweeper.note('', '')
  const chain = task.chain()
  const made = chain.makeDir(root, place, { mode: dirMode })
  const dir = chain.openDir(root, place, { readable: true })
  chain.writeMetadata(dir, bucket.subresources)
  // Last: a process that may only change owners cannot write the attributes of others' files.
  if (task.owner !== undefined) chain.setOwner(dir, task.owner)
  if (durable) chain.sync(dir, 'dir')
  const attributed = { attributes: { 'posix.bucket': name } }
  const named = inPlace
    ? made
    : chain.rename(root, place, root, name, { noReplace: true, ...attributed })
  const synced = durable ? chain.sync(root, 'dir') : undefined
  try {
    await chain.run()
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    const { step, errno } = error
    if (step !== made)
      await removeEntry(task, step === synced ? name : place, true).catch(() => undefined)
    if (step === named && errno === EEXIST) throw await takenName(task, bucket)
    if (step === named && !inPlace && NO_REPLACE_REFUSED.has(errno))
      return createBucket(task, bucket, true)
    throw toS3Error(error, 'other', task.subject)
  }
}

const NO_REPLACE_REFUSED = new Set([EINVAL, ENOSYS, EOPNOTSUPP])

async function takenName(task: Task, bucket: NewBucket): Promise<S3Error> {
  const acl = await getBucketSubresource(task, 'acl').catch(() => undefined)
  const isOwn = parseObject(acl)?.['Owner'] === bucket.owner
  const code = isOwn ? 'BucketAlreadyOwnedByYou' : 'BucketAlreadyExists'
  return new S3Error(code, { BucketName: bucket.name })
}

async function removeEntry(task: Task, name: string, directory: boolean): Promise<void> {
  const { root, durable } = task.volume
  const chain = task.chain()
  chain.remove(root, name, { directory })
  if (durable) chain.sync(root, 'dir')
  await chain.run()
}

export async function headBucket(task: Task): Promise<void> {
  await task.begin().run()
}

/** Removes a bucket without objects; uploads in progress go with it. */
export async function deleteBucket(task: Task): Promise<void> {
  const { bucket } = task.subject
  if (await hasVersions(task)) throw notEmpty(bucket, VERSIONS_LEFT)
  const looking = task.begin({ readable: true })
  const list = looking.steps.listDir(looking.bucket)
  await looking.run()
  const { count } = list.value
  const hasOwn = count > 0 && entryName(list.value, 0) === TMP_DIR
  if (count > 1 || (count === 1 && !hasOwn)) throw notEmpty(bucket)
  if (hasOwn) await removeWorkingDirectory(task)
  task.volume.plainBuckets.forget(bucket)
  task.volume.tmpDirs.forget(bucket)
  try {
    await removeEntry(task, bucketEntry(bucket), true)
  } catch (error) {
    const { errno } = failureOf(error)
    if (errno === ENOTEMPTY || errno === EEXIST) throw notEmpty(bucket)
    // A bucket by a link: the link goes, and what it led to stays.
    if (errno === ENOTDIR) await removeEntry(task, bucketEntry(bucket), false)
    else throw toS3Error(error, 'bucket', task.subject)
  }
  await removeVersionsDirectory(task)
}

const VERSIONS_LEFT =
  'The bucket you tried to delete is not empty. You must delete all versions in the bucket.'

async function removeWorkingDirectory(task: Task): Promise<void> {
  const chain = task.begin()
  chain.steps.removeTree(chain.bucket, TMP_DIR, { tolerate: [ENOENT] })
  await chain.run()
}

function notEmpty(bucket: string, message?: string): S3Error {
  const options = message === undefined ? {} : { message }
  return new S3Error('BucketNotEmpty', { BucketName: bucket }, options)
}
