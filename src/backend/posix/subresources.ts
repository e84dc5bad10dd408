import type { Chain, Fd, Step } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import type {
  BucketSubresource,
  ObjectRef,
  ObjectSubresource,
  SubresourceDecision,
  SubresourceValue,
} from '../backend.ts'
import { DeleteMarkerError } from '../delete-marker.ts'
import { ATTRIBUTE } from './attributes.ts'
import { isStale, toS3Error } from './errors.ts'
import { openObject } from './get-object.ts'
import { withKeyLock } from './locks.ts'
import { keyPath } from './paths.ts'
import type { BucketChain, Task } from './task.ts'
import { openVersion } from './versions/open-version.ts'

const MAX_TRIES = 16

/** Documents hung on buckets and objects: each is one attribute, read or written in one chain. */

export async function getBucketSubresource(
  task: Task,
  name: BucketSubresource,
): Promise<Buffer | undefined> {
  const chain = task.begin({ readable: true })
  const stored = chain.steps.readMetadata(chain.bucket, [name])
  await chain.run()
  return stored.value.get(name)
}

export async function getBucketSubresources(
  task: Task,
  names: readonly BucketSubresource[],
): Promise<ReadonlyMap<string, Buffer>> {
  const chain = task.begin({ readable: true })
  const stored = chain.steps.readMetadata(chain.bucket, names)
  await chain.run()
  return stored.value
}

export function putBucketSubresource(
  task: Task,
  name: BucketSubresource,
  value: SubresourceValue,
): Promise<void> {
  return changeBucket(task, name, value)
}

/** What is not there is deleted already. */
export function deleteBucketSubresource(task: Task, name: BucketSubresource): Promise<void> {
  return changeBucket(task, name, undefined)
}

/** What a bucket has that is not plain. */
const MARKING: ReadonlySet<string> = new Set([ATTRIBUTE.bucketLock, ATTRIBUTE.versioning])

async function changeBucket(
  task: Task,
  name: BucketSubresource,
  value: SubresourceValue | undefined,
): Promise<void> {
  const chain = task.begin({ readable: true })
  writeOrRemove(chain.steps, chain.bucket, name, value)
  if (task.volume.durable) chain.steps.sync(chain.bucket, 'dir')
  await chain.run()
  if (!MARKING.has(name) || value === undefined) return
  const { plainBuckets } = task.volume
  const { bucket } = task.subject
  const isNew = !plainBuckets.isMarked(bucket)
  plainBuckets.mark(bucket)
  if (isNew) await plainBuckets.settled(bucket, undefined)
}

export async function getObjectSubresource(
  task: Task<ObjectRef>,
  name: ObjectSubresource,
  tries = 1,
): Promise<Buffer | undefined> {
  const { versionId } = task.subject
  if (versionId !== undefined) {
    const { attributes } = await openVersion(task, versionId, 'head').catch(refuseMarker)
    return attributes.get(name)
  }
  const { chain, file } = openObjectFile(task)
  const stored = chain.at('object', chain.steps.readMetadata(file, [name]))
  try {
    await runOnObject(task, chain)
  } catch (error) {
    if (isStale(error) && tries < MAX_TRIES) return getObjectSubresource(task, name, tries + 1)
    throw error
  }
  return stored.value.get(name)
}

/**
 * Writes to the very file that is found under the key: one that takes its place meanwhile is not touched.
 *
 * A value that depends on the one before is decided under the key's lock: of two requests the second sees what the first
 * left.
 */
export function putObjectSubresource(
  task: Task<ObjectRef>,
  name: ObjectSubresource,
  value: SubresourceValue | SubresourceDecision,
): Promise<void> {
  const decide = typeof value === 'function' ? value : () => value
  if (LOCKS.has(name)) return lockObject(task, name, decide)
  return typeof value === 'function' || mayMove(task)
    ? withKeyLock(task, () => decideObject(task, name, decide))
    : changeObject(task, name, value)
}

/** Versions may change their places, as copies: whoever holds the key's lock sees where they are. */
function mayMove({ volume, subject }: Task<ObjectRef>): boolean {
  const { versionId, bucket } = subject
  return (
    versionId !== undefined ||
    (volume.versions !== undefined && volume.plainBuckets.isMarked(bucket))
  )
}

/** Those who delete or overwrite what may be locked hold the key's lock meanwhile, and look for them. */
const LOCKS: ReadonlySet<ObjectSubresource> = new Set([ATTRIBUTE.retention, ATTRIBUTE.legalHold])

async function lockObject(
  task: Task<ObjectRef>,
  name: ObjectSubresource,
  decide: SubresourceDecision,
): Promise<void> {
  await withKeyLock(task, () => decideObject(task, name, decide))
  const { plainBuckets } = task.volume
  plainBuckets.mark(task.subject.bucket)
  await plainBuckets.settled(task.subject.bucket, undefined)
}

export function deleteObjectSubresource(
  task: Task<ObjectRef>,
  name: ObjectSubresource,
): Promise<void> {
  return mayMove(task)
    ? withKeyLock(task, () => decideObject(task, name, () => undefined))
    : changeObject(task, name, undefined)
}

async function changeObject(
  task: Task<ObjectRef>,
  name: ObjectSubresource,
  value: SubresourceValue | undefined,
): Promise<void> {
  const { chain, file } = openObjectFile(task)
  chain.at('object', writeOrRemove(chain.steps, file, name, value))
  syncFile(task, chain.steps, file)
  await runOnObject(task, chain)
}

async function decideObject(
  task: Task<ObjectRef>,
  name: ObjectSubresource,
  decide: SubresourceDecision,
): Promise<void> {
  const { fd, stored } = await openForDecision(task, name)
  try {
    const steps = task.chain()
    writeOrRemove(steps, fd, name, decide(stored))
    syncFile(task, steps, fd)
    await steps.run()
  } catch (error) {
    throw toS3Error(error, 'object', task.subject)
  } finally {
    await task.close(fd)
  }
}

async function openForDecision(
  task: Task<ObjectRef>,
  name: ObjectSubresource,
): Promise<{ readonly fd: number; readonly stored: Buffer | undefined }> {
  const { versionId } = task.subject
  if (versionId !== undefined) {
    const { fd, attributes } = await openVersion(task, versionId, 'keep').catch(refuseMarker)
    return { fd, stored: attributes.get(name) }
  }
  const { chain, file } = openObjectFile(task, { keep: true })
  const stored = chain.at('object', chain.steps.readMetadata(file, [name]))
  await runOnObject(task, chain)
  return { fd: file.value, stored: stored.value.get(name) }
}

/** Where there is no object, a delete marker may be the reason: then that is told. */
async function runOnObject(task: Task<ObjectRef>, chain: BucketChain): Promise<void> {
  try {
    await chain.run()
  } catch (error) {
    const mayBeMarker = error instanceof S3Error && error.code === 'NoSuchKey'
    if (mayBeMarker && task.volume.versions !== undefined)
      await openObject(task, 'head').catch(refuseMarker)
    throw error
  }
}

/** A delete marker has no documents, and can be given none. */
function refuseMarker(error: unknown): never {
  throw error instanceof DeleteMarkerError ? new S3Error('MethodNotAllowed') : error
}

function writeOrRemove(
  steps: Chain,
  fd: Fd,
  name: string,
  value: SubresourceValue | undefined,
): Step<void> {
  return value === undefined
    ? steps.writeMetadata(fd, [], { removed: [name] })
    : steps.writeMetadata(fd, [[name, value]])
}

function syncFile({ volume, subject }: Task<ObjectRef>, steps: Chain, fd: Fd): void {
  if (volume.durable) steps.sync(fd, subject.key.endsWith('/') ? 'dir' : 'file')
}

const NONE: readonly string[] = []
const MARK = [ATTRIBUTE.etag]
const DELETED = [ATTRIBUTE.deleteMarker]

/** Opens what lies under the key, and fails with NoSuchKey unless it is an object: see `isObject` of get-object.ts. */
function openObjectFile(
  task: Task<ObjectRef>,
  { keep = false } = {},
): { readonly chain: BucketChain; readonly file: Step<number> } {
  const { path, isDirectory } = keyPath(task.subject.key)
  const chain = task.begin()
  const { steps, bucket } = chain
  const file = chain.at(
    'object',
    isDirectory
      ? steps.openDir(bucket, path, { readable: true, keep })
      : steps.openFile(bucket, path, { keep }),
  )
  const has = isDirectory ? MARK : NONE
  chain.at('object', steps.verifyFile(file, { regular: !isDirectory, has, lacks: DELETED }))
  return { chain, file }
}
