import { constants } from 'node:os'
import { goString, parseObject } from '../../go-json.ts'
import { IoError } from '../../io/io-error.ts'
import type { DirEntries } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import { compareUtf8 } from '../../utf8-order.ts'
import type { BucketSummary, NewBucket } from '../backend.ts'
import { ATTRIBUTE } from './attributes.ts'
import { failureOf, toS3Error } from './errors.ts'
import { isDirectory } from './file-types.ts'
import { directoryNames, entryName } from './packed-names.ts'
import { TMP_DIR, bucketEntry } from './paths.ts'
import { getBucketSubresource } from './subresources.ts'
import type { Task } from './task.ts'

const { EEXIST, ENOENT, ENOTDIR, ENOTEMPTY } = constants.errno

/** Directories of the root; hidden ones, such as the gateway's own, are none of the buckets. */
export async function listBuckets(task: Task): Promise<readonly BucketSummary[]> {
  try {
    const names = directoryNames(await listRoot(task)).filter((name) => !name.startsWith('.'))
    if (names.length === 0) return []
    const chain = task.chain()
    const batch = chain.statBatch(task.volume.root, names, [])
    await chain.run()
    const buckets = batch.value.flatMap(({ errno, stat }, i): BucketSummary[] => {
      const isThere = errno === 0 && isDirectory(stat)
      return isThere ? [{ name: names[i] ?? '', creationDate: new Date(stat.mtimeMs) }] : []
    })
    // Read in the order of keys, in which a directory is `name/`.
    return buckets.sort((a, b) => compareUtf8(a.name, b.name))
  } catch (error) {
    throw toS3Error(error, 'other', task.subject)
  }
}

async function listRoot(task: Task): Promise<DirEntries> {
  const chain = task.chain()
  const list = chain.listDir(task.volume.root)
  await chain.run()
  return list.value
}

/** Makes the bucket's directory and hangs its owner's ACL on it. */
export async function createBucket(task: Task, bucket: NewBucket): Promise<void> {
  const { root, durable, dirMode } = task.volume
  const name = bucketEntry(bucket.name)
  const attributes = new Map<string, string | Uint8Array>([[ATTRIBUTE.acl, ownerAcl(bucket.owner)]])
  for (const [subresource, value] of bucket.subresources) attributes.set(subresource, value)
  const chain = task.chain()
  const made = chain.makeDir(root, name, { mode: dirMode })
  const dir = chain.openDir(root, name, { readable: true })
  chain.writeMetadata(dir, attributes)
  if (durable) {
    chain.sync(dir, 'dir')
    chain.sync(root, 'dir')
  }
  try {
    await chain.run()
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    if (error.step === made && error.errno === EEXIST) throw await takenName(task, bucket)
    if (error.step !== made) await removeEntry(task, name, true).catch(() => undefined)
    throw toS3Error(error, 'other', task.subject)
  }
}

function ownerAcl(owner: string): string {
  const name = goString(owner)
  return `{"Owner":${name},"Grantees":[{"Permission":"FULL_CONTROL","Access":${name},"Type":"CanonicalUser"}]}`
}

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
  const looking = task.begin({ readable: true })
  const list = looking.steps.listDir(looking.bucket)
  await looking.run()
  const { count } = list.value
  const hasOwn = count > 0 && entryName(list.value, 0) === TMP_DIR
  if (count > 1 || (count === 1 && !hasOwn)) throw notEmpty(bucket)
  if (hasOwn) await removeWorkingDirectory(task)
  try {
    await removeEntry(task, bucketEntry(bucket), true)
  } catch (error) {
    const { errno } = failureOf(error)
    if (errno === ENOTEMPTY || errno === EEXIST) throw notEmpty(bucket)
    // A bucket by a link: the link goes, and what it led to stays.
    if (errno === ENOTDIR) await removeEntry(task, bucketEntry(bucket), false)
    else throw toS3Error(error, 'bucket', task.subject)
  }
}

async function removeWorkingDirectory(task: Task): Promise<void> {
  const chain = task.begin()
  chain.steps.removeTree(chain.bucket, TMP_DIR, { tolerate: [ENOENT] })
  await chain.run()
}

function notEmpty(bucket: string): S3Error {
  return new S3Error('BucketNotEmpty', { BucketName: bucket })
}
