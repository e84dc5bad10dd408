import { constants } from 'node:os'
import { IoError } from '../../io/io-error.ts'
import { matchesEtag, preconditionFailed } from '../../s3/conditions.ts'
import type { Call, DeletePrecondition, ObjectHead, ObjectRef } from '../backend.ts'
import { ATTRIBUTE } from './attributes.ts'
import { deleteDirectoryObject } from './directory-object.ts'
import { Places } from './errors.ts'
import { isDirectory } from './file-types.ts'
import { withKeyLock } from './locks.ts'
import { keyPath, type KeyPath } from './paths.ts'
import { currentHead } from './preconditions.ts'
import { openBucket, type Volume } from './volume.ts'

const { EISDIR, ELOOP, ENOENT, ENOTDIR, EPERM, EXDEV } = constants.errno

export async function deleteObject(volume: Volume, ref: ObjectRef, precondition: DeletePrecondition, call: Call): Promise<void> {
  const path = keyPath(ref.key)
  const remove = (): Promise<void> =>
    path.isDirectory ? deleteDirectoryObject(volume, ref, path, call) : deleteFile(volume, ref, path, call)
  if (!hasCondition(precondition)) return remove()
  return withKeyLock(volume, ref, call, async () => {
    const head = await currentHead(volume, ref, call)
    if (head === undefined) return
    check(precondition, head)
    await remove()
  })
}

function hasCondition({ ifMatch, ifLastModified, ifSize }: DeletePrecondition): boolean {
  return ifMatch !== undefined || ifLastModified !== undefined || ifSize !== undefined
}

function check({ ifMatch, ifLastModified, ifSize }: DeletePrecondition, head: ObjectHead): void {
  if (ifMatch !== undefined && !matchesEtag(ifMatch, head.etag)) throw preconditionFailed('If-Match')
  if (ifLastModified !== undefined && seconds(ifLastModified.getTime()) !== seconds(head.lastModifiedMs)) {
    throw preconditionFailed('If-Match-Last-Mod-Time')
  }
  if (ifSize !== undefined && ifSize !== head.size) throw preconditionFailed('If-Match-Size')
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

/** Removes the file and the parents that it leaves empty, up to one that is an object itself. */
async function deleteFile(volume: Volume, ref: ObjectRef, path: KeyPath, call: Call): Promise<void> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const inBucket = path.parent === ''
  const bucket = openBucket(chain, volume, ref.bucket, places, { readable: volume.durable && inBucket })
  const parent = inBucket ? bucket : chain.openDir(bucket, path.parent)
  const removed = chain.remove(parent, path.name)
  if (!inBucket) chain.pruneParents(bucket, path.parent, { stopAt: ATTRIBUTE.etag, sync: volume.durable })
  else if (volume.durable) chain.sync(bucket, 'dir')
  try {
    await chain.run()
  } catch (error) {
    if (error instanceof IoError && error.step === removed && REMOVE_ABSENT.has(error.errno)) {
      if (error.errno !== EPERM || (await isTakenByDirectory(volume, ref, path, call))) return
    }
    if (error instanceof IoError && error.step === parent && !inBucket && PARENT_ABSENT.has(error.errno)) return
    throw places.toS3Error(error, ref)
  }
}

/** Nothing there, or a directory, which is another key. Some file systems say EPERM of a directory, as POSIX has it. */
const REMOVE_ABSENT = new Set([ENOENT, EISDIR, EPERM])
const PARENT_ABSENT = new Set([ENOENT, ENOTDIR, ELOOP, EXDEV])

async function isTakenByDirectory(volume: Volume, ref: ObjectRef, path: KeyPath, call: Call): Promise<boolean> {
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, ref.bucket, new Places())
  const stat = chain.statAt(bucket, path.path)
  await chain.run()
  return isDirectory(stat.value)
}
