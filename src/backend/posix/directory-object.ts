import { constants } from 'node:os'
import { IoError } from '../../io/io-error.ts'
import type { HashKind, Step } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import type { Call, Checksum, ChecksumAlgorithm, ObjectRef, WritePrecondition } from '../backend.ts'
import type { PayloadCheck } from '../payload.ts'
import {
  ATTRIBUTE,
  CONTENT_ATTRIBUTES,
  checksumsAttribute,
  etagAttribute,
  hashKindOf,
  type Attribute,
} from './attributes.ts'
import { mismatch } from './collected.ts'
import { Places } from './errors.ts'
import { withKeyLock } from './locks.ts'
import { keyPath, type KeyPath } from './paths.ts'
import { checkPrecondition } from './preconditions.ts'
import { openBucket, type Volume } from './volume.ts'

const { EEXIST, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY } = constants.errno

/** MD5 of nothing. */
const EMPTY_MD5 = 'd41d8cd98f00b204e9800998ecf8427e'

/** Everything that describes an object, so that nothing of an earlier one stays behind. */
const DESCRIPTION: readonly string[] = [...CONTENT_ATTRIBUTES.map(([name]) => name), ATTRIBUTE.metadata, ATTRIBUTE.tags]

export interface DirectoryObject {
  readonly description: readonly Attribute[]
  readonly checksum: ChecksumAlgorithm
  readonly precondition: WritePrecondition
  /** What the client declared of the nothing that it sent. */
  readonly checks: readonly PayloadCheck[]
}

export interface WrittenDirectory {
  readonly etag: string
  readonly lastModifiedMs: number
  readonly checksum: Checksum
}

/**
 * Puts the object `a/b/`: the directory, marked as an object by its `etag`, which is written last. The client's digests are
 * verified before anything is made.
 */
export async function putDirectoryObject(
  volume: Volume,
  ref: ObjectRef,
  object: DirectoryObject,
  call: Call,
): Promise<WrittenDirectory> {
  const { precondition } = object
  if (precondition.ifMatch === undefined && precondition.ifNoneMatch === undefined) {
    return markDirectory(volume, ref, object, call)
  }
  // A directory that is there may or may not be an object: only under the lock can that be decided.
  return withKeyLock(volume, ref, call, async () => {
    await checkPrecondition(volume, ref, precondition, call)
    return markDirectory(volume, ref, object, call)
  })
}

async function markDirectory(volume: Volume, ref: ObjectRef, object: DirectoryObject, call: Call): Promise<WrittenDirectory> {
  const { path } = keyPath(ref.key)
  const kind = hashKindOf(object.checksum)
  const attributes: Attribute[] = [
    ...object.description,
    checksumsAttribute(object.checksum, 'FULL_OBJECT', { hasher: 'job', kind, encoding: 'base64' }),
    etagAttribute(EMPTY_MD5),
  ]
  const written = new Set(attributes.map(([name]) => name))
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, ref.bucket, places)
  const kinds = [...new Set<HashKind>([kind, ...object.checks.map((check) => check.kind)])]
  chain.hash([], 'job', kinds)
  const verified = object.checks.map((check) => chain.verifyDigest('job', check.kind, check.expected))
  const sum = chain.digest('job', kind)
  const made = places.mark('parents', chain.makeParents(bucket, path, { mode: volume.dirMode, sync: volume.durable }))
  const writing = chain.writeMetadata(made, attributes, { removed: DESCRIPTION.filter((name) => !written.has(name)) })
  const stat = chain.stat(made)
  if (volume.durable) chain.sync(made, 'dir')
  try {
    await chain.run()
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    if (error.step === made || error.step === writing) await pruneUnmarked(volume, ref, path, call)
    throw mismatch(error, verified, object.checks) ?? places.toS3Error(error, ref)
  }
  const checksum: Checksum = { algorithm: object.checksum, type: 'FULL_OBJECT', value: sum.value.toString('base64') }
  return { etag: `"${EMPTY_MD5}"`, lastModifiedMs: stat.value.mtimeMs, checksum }
}

/** Removes directories that were made for an object that did not come to be. */
async function pruneUnmarked(volume: Volume, ref: ObjectRef, path: string, call: Call): Promise<void> {
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, ref.bucket, new Places())
  chain.pruneParents(bucket, path, { stopAt: ATTRIBUTE.etag, sync: false })
  await chain.run().catch(() => undefined)
}

/**
 * Deletes the object `a/b/`: the directory where it is empty, else its mark, so that it lives on as the parent of what lies
 * in it. A directory that never was an object cannot be deleted while it holds something.
 */
export async function deleteDirectoryObject(volume: Volume, ref: ObjectRef, path: KeyPath, call: Call): Promise<void> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, ref.bucket, places, { readable: volume.durable && path.parent === '' })
  const parent = places.mark('object', chain.openDir(bucket, path.parent, { readable: volume.durable }))
  const removed = chain.remove(parent, path.name, { directory: true })
  if (path.parent !== '') chain.pruneParents(bucket, path.parent, { stopAt: ATTRIBUTE.etag, sync: volume.durable })
  else if (volume.durable) chain.sync(bucket, 'dir')
  try {
    await chain.run()
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    if (error.step === removed && (error.errno === ENOTEMPTY || error.errno === EEXIST)) {
      await unmarkDirectory(volume, ref, path, call)
      return
    }
    if (isAbsent(error, [removed, parent])) return
    throw places.toS3Error(error, ref)
  }
}

/** Nothing of that name, or a file where a directory was meant. */
function isAbsent(error: IoError, steps: readonly Step<unknown>[]): boolean {
  return steps.some((step) => step === error.step) && [ENOENT, ENOTDIR, EISDIR].includes(error.errno)
}

async function unmarkDirectory(volume: Volume, ref: ObjectRef, path: KeyPath, call: Call): Promise<void> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, ref.bucket, places)
  const directory = chain.openDir(bucket, path.path, { readable: true })
  const stored = chain.readMetadata(directory, [ATTRIBUTE.etag])
  chain.writeMetadata(directory, [], { removed: [ATTRIBUTE.etag] })
  if (volume.durable) chain.sync(directory, 'dir')
  try {
    await chain.run()
  } catch (error) {
    if (error instanceof IoError && error.step === directory && error.errno === ENOENT) return
    throw places.toS3Error(error, ref)
  }
  if (!stored.value.has(ATTRIBUTE.etag)) throw new S3Error('ErrDirectoryNotEmpty')
}
