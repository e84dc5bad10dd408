import { constants } from 'node:os'
import { IoError } from '../../io/io-error.ts'
import { S3Error } from '../../s3/errors.ts'
import type { BucketSubresource, BucketSummary, Call, NewBucket } from '../backend.ts'
import { ATTRIBUTE, compareUtf8, goString, parseObject, type Attribute } from './attributes.ts'
import { Places, toS3Error } from './errors.ts'
import { isDirectory } from './file-types.ts'
import { DT_DIR, entryName } from './packed-names.ts'
import { TMP_DIR, bucketEntry } from './paths.ts'
import { openBucket, type Volume } from './volume.ts'

const { EEXIST, ENOENT, ENOTDIR, ENOTEMPTY } = constants.errno

/** Directories of the root; hidden ones, such as the gateway's own, are none of the buckets. */
export async function listBuckets(volume: Volume, call: Call): Promise<readonly BucketSummary[]> {
  const subject = { bucket: '' }
  const chain = volume.io.chain(call.span)
  const list = chain.listDir(volume.root)
  await chain.run().catch((error: unknown) => {
    throw toS3Error(error, 'other', subject)
  })
  const names: string[] = []
  for (let i = 0; i < list.value.count; i++) {
    const name = list.value.types[i] === DT_DIR ? entryName(list.value, i) : undefined
    if (name !== undefined && !name.startsWith('.')) names.push(name)
  }
  if (names.length === 0) return []
  const stating = volume.io.chain(call.span)
  const batch = stating.statBatch(volume.root, names, [])
  await stating.run().catch((error: unknown) => {
    throw toS3Error(error, 'other', subject)
  })
  const buckets: BucketSummary[] = []
  for (const [i, { errno, stat }] of batch.value.entries()) {
    const name = names[i]
    if (name !== undefined && errno === 0 && isDirectory(stat)) buckets.push({ name, creationDate: new Date(stat.mtimeMs) })
  }
  // Read in the order of keys, in which a directory is `name/`.
  return buckets.sort((a, b) => compareUtf8(a.name, b.name))
}

/** Makes the bucket's directory and hangs its owner's ACL on it. */
export async function createBucket(volume: Volume, bucket: NewBucket, call: Call): Promise<void> {
  const subject = { bucket: bucket.name }
  const name = bucketEntry(bucket.name)
  const attributes = new Map<string, string | Uint8Array>([[ATTRIBUTE.acl, ownerAcl(bucket.owner)]])
  for (const [subresource, value] of bucket.subresources) attributes.set(subresource, value)
  const chain = volume.io.chain(call.span)
  const made = chain.makeDir(volume.root, name, { mode: volume.dirMode })
  const dir = chain.openDir(volume.root, name, { readable: true })
  chain.writeMetadata(dir, [...attributes] satisfies Attribute[])
  if (volume.durable) {
    chain.sync(dir, 'dir')
    chain.sync(volume.root, 'dir')
  }
  try {
    await chain.run()
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    if (error.step === made && error.errno === EEXIST) throw await takenName(volume, bucket, call)
    if (error.step !== made) await removeHalfMade(volume, name, call)
    throw toS3Error(error, 'other', subject)
  }
}

function ownerAcl(owner: string): string {
  const name = goString(owner)
  return `{"Owner":${name},"Grantees":[{"Permission":"FULL_CONTROL","Access":${name},"Type":"CanonicalUser"}]}`
}

async function takenName(volume: Volume, bucket: NewBucket, call: Call): Promise<S3Error> {
  const acl = await getBucketSubresource(volume, bucket.name, 'acl', call).catch(() => undefined)
  const isOwn = parseObject(acl)?.['Owner'] === bucket.owner
  return new S3Error(isOwn ? 'BucketAlreadyOwnedByYou' : 'BucketAlreadyExists', { BucketName: bucket.name })
}

async function removeHalfMade(volume: Volume, name: string, call: Call): Promise<void> {
  const chain = volume.io.chain(call.span)
  chain.remove(volume.root, name, { directory: true })
  await chain.run().catch(() => undefined)
}

export async function headBucket(volume: Volume, bucket: string, call: Call): Promise<void> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  openBucket(chain, volume, bucket, places)
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, { bucket })
  }
}

/** Removes a bucket without objects; uploads in progress go with it. */
export async function deleteBucket(volume: Volume, bucket: string, call: Call): Promise<void> {
  const name = bucketEntry(bucket)
  const places = new Places()
  const looking = volume.io.chain(call.span)
  const list = looking.listDir(openBucket(looking, volume, bucket, places, { readable: true }))
  try {
    await looking.run()
  } catch (error) {
    throw places.toS3Error(error, { bucket })
  }
  const { count } = list.value
  const hasOwn = count > 0 && entryName(list.value, 0) === TMP_DIR
  if (count > 1 || (count === 1 && !hasOwn)) throw new S3Error('BucketNotEmpty', { BucketName: bucket })

  const chain = volume.io.chain(call.span)
  const dir = openBucket(chain, volume, bucket, places)
  if (hasOwn) chain.removeTree(dir, TMP_DIR, { tolerate: [ENOENT] })
  const removed = chain.remove(volume.root, name, { directory: true, tolerate: [ENOTDIR] })
  if (volume.durable) chain.sync(volume.root, 'dir')
  try {
    await chain.run()
  } catch (error) {
    const isFilled = error instanceof IoError && error.step === removed && [ENOTEMPTY, EEXIST].includes(error.errno)
    if (isFilled) throw new S3Error('BucketNotEmpty', { BucketName: bucket }, { cause: error })
    throw places.toS3Error(error, { bucket })
  }
  // A bucket by a link: the link goes, and what it led to stays.
  if (removed.errno === ENOTDIR) await removeLink(volume, name, call)
}

async function removeLink(volume: Volume, name: string, call: Call): Promise<void> {
  const chain = volume.io.chain(call.span)
  chain.remove(volume.root, name, { tolerate: [ENOENT] })
  if (volume.durable) chain.sync(volume.root, 'dir')
  try {
    await chain.run()
  } catch (error) {
    throw toS3Error(error, 'other', { bucket: name })
  }
}

export async function getBucketSubresource(
  volume: Volume,
  bucket: string,
  name: BucketSubresource,
  call: Call,
): Promise<Buffer | undefined> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const stored = chain.readMetadata(openBucket(chain, volume, bucket, places, { readable: true }), [name])
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, { bucket })
  }
  return stored.value.get(name)
}
