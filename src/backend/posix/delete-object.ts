import { constants } from 'node:os'
import type { Fd, FileIdentity } from '../../io/io.ts'
import { matchesEtag, preconditionFailed } from '../../s3/conditions.ts'
import { invalidVersion } from '../../s3/version-id.ts'
import { nowNs } from '../../trace/clock.ts'
import { SPAN } from '../../trace/names.ts'
import type { DeletedObject, DeletePrecondition, ObjectHead, ObjectRef } from '../backend.ts'
import { ATTRIBUTE } from './attributes.ts'
import { deleteDirectoryObject } from './directory-object.ts'
import { failureOf } from './errors.ts'
import { isDirectory } from './file-types.ts'
import { currentObject } from './get-object.ts'
import { withKeyLock } from './locks.ts'
import { objectFacts } from './object-target.ts'
import { TMP_DIR, keyPath, type KeyPath } from './paths.ts'
import { NotPlain, addPlainLook, checkProtection, isNotPlain, readLock } from './protection.ts'
import type { BucketChain, Task } from './task.ts'
import { openTmpDir, removeTemporary, temporaryName } from './tmp-dir.ts'
import { putDeleteMarker } from './versions/delete-marker.ts'
import { deleteVersion } from './versions/delete-version.ts'
import { NULL_VERSION } from './versions/layout.ts'

const { EALREADY, EEXIST, EISDIR, ELOOP, ENOENT, ENOTDIR, EPERM, ESTALE, EXDEV } = constants.errno

/** Deletes an object, or puts a delete marker in its place, or deletes one version. Directory objects have no versions. */
export async function deleteObject(
  task: Task<ObjectRef>,
  precondition: DeletePrecondition,
): Promise<DeletedObject> {
  const { volume, subject } = task
  const path = keyPath(subject.key)
  const { versionId } = subject
  if (path.isDirectory || volume.versions === undefined) {
    if (versionId !== undefined && versionId !== NULL_VERSION) await refuseVersion(task, versionId)
    const { bucket, key } = subject
    await deletePlain(task.about({ bucket, key }), path, precondition)
    return { versionId, isDeleteMarker: false }
  }
  if (versionId === undefined && !hasCondition(precondition) && (await deleteFree(task, path)))
    return NO_VERSION
  return folded(task, (folding) => deleteKept(folding, path, precondition))
}

/** DeleteObjects comes here a thousand times for one request, with a dozen file operations each time. */
async function folded<T>(
  task: Task<ObjectRef>,
  run: (task: Task<ObjectRef>) => Promise<T>,
): Promise<T> {
  const fold = task.volume.folds.next(task.span, SPAN.removeFile)
  if (fold === undefined) return run(task)
  const startNs = nowNs()
  try {
    return await run(task.unseen())
  } finally {
    // What its jobs wait for a thread is within it.
    fold.add({ startNs, endNs: nowNs(), queueNs: 0 })
  }
}

/** In a bucket that may have versions. */
function deleteKept(
  task: Task<ObjectRef>,
  path: KeyPath,
  precondition: DeletePrecondition,
): Promise<DeletedObject> {
  const { versionId } = task.subject
  const checkHead = (head: ObjectHead): void => check(precondition, head)
  if (versionId !== undefined) {
    const removeFile = (): Promise<void> => deleteFile(task, path)
    return deleteVersion(task, versionId, { check: checkHead, removeFile })
  }
  return putDeleteMarker(task, {
    check: checkHead,
    removeFile: (file) => deleteFile(task, path, file),
    marksAbsent: precondition.marksAbsent === true && !hasCondition(precondition),
  })
}

const NO_VERSION: DeletedObject = { versionId: undefined, isDeleteMarker: false }

/** Where there are no versions, an id names none of an object that is there. */
async function refuseVersion(task: Task<ObjectRef>, versionId: string): Promise<void> {
  const { bucket, key } = task.subject
  const isThere = (await currentObject(task.about({ bucket, key }))) !== undefined
  if (isThere || task.volume.versions === undefined) throw invalidVersion(versionId)
}

async function deletePlain(
  task: Task<ObjectRef>,
  path: KeyPath,
  precondition: DeletePrecondition,
): Promise<void> {
  if (!hasCondition(precondition)) {
    if (path.isDirectory) {
      if ((await readLock(task)) === undefined) return deleteDirectoryObject(task)
    } else if (await deleteFree(task, path)) return
  }
  return deleteLocked(task, path, precondition)
}

/** Without a lock of the key, in a plain bucket. False where it is none, or may be none: then nothing has been done. */
async function deleteFree(task: Task<ObjectRef>, path: KeyPath): Promise<boolean> {
  const { plainBuckets } = task.volume
  const { bucket } = task.subject
  if (plainBuckets.isMarked(bucket)) return false
  if (!plainBuckets.has(bucket)) return deleteLooking(task, path)
  await deleteFile(task, path)
  return true
}

/** False where the bucket turned out not to be plain. */
async function deleteLooking(task: Task<ObjectRef>, path: KeyPath): Promise<boolean> {
  const { plainBuckets } = task.volume
  const { bucket } = task.subject
  const sinceMs = performance.now()
  try {
    await deleteFile(task, path, 'only if plain')
  } catch (error) {
    if (!(error instanceof NotPlain)) throw error
    plainBuckets.mark(bucket)
    return false
  }
  plainBuckets.add(bucket, sinceMs)
  return true
}

/** Compares and deletes under the key's lock: in a bucket with object lock, all who write, delete or lock a key take it. */
function deleteLocked(
  task: Task<ObjectRef>,
  path: KeyPath,
  precondition: DeletePrecondition,
): Promise<void> {
  return withKeyLock(task, async () => {
    const lock = await readLock(task)
    const object = await currentObject(task, 'keep')
    if (object === undefined) {
      // What is no object may yet be a directory.
      if (path.isDirectory && !hasCondition(precondition)) await deleteDirectoryObject(task)
      return
    }
    try {
      if (lock !== undefined) await checkProtection(task, object.attributes, lock)
      check(precondition, object.head)
      if (path.isDirectory) await deleteDirectoryObject(task)
      else await deleteFile(task, path, object.stat)
    } finally {
      await task.close(object.fd)
    }
  })
}

function hasCondition({ ifMatch, ifLastModified, ifSize }: DeletePrecondition): boolean {
  return ifMatch !== undefined || ifLastModified !== undefined || ifSize !== undefined
}

function check({ ifMatch, ifLastModified, ifSize }: DeletePrecondition, head: ObjectHead): void {
  if (ifMatch !== undefined && !matchesEtag(ifMatch, head.etag))
    throw preconditionFailed('If-Match')
  if (
    ifLastModified !== undefined &&
    seconds(ifLastModified.getTime()) !== seconds(head.lastModifiedMs)
  ) {
    throw preconditionFailed('If-Match-Last-Mod-Time')
  }
  if (ifSize !== undefined && ifSize !== head.size) throw preconditionFailed('If-Match-Size')
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

/**
 * Removes the file and the parents that it leaves empty, up to one that is an object itself. With a file no other is
 * removed: those who ask for no condition take no lock, and may have put one there since.
 */
async function deleteFile(
  task: Task<ObjectRef>,
  path: KeyPath,
  only?: FileIdentity | 'only if plain',
): Promise<void> {
  const { durable, folds } = task.volume
  const inBucket = path.parent === ''
  // DeleteObjects comes here a thousand times for one request.
  const fold = folds.next(task.span, SPAN.removeFile)
  const chain = task.begin({ readable: durable && inBucket, record: fold === undefined })
  const { steps, bucket } = chain
  const look = only === 'only if plain' ? addPlainLook(task, chain) : undefined
  const parent = inBucket ? bucket : steps.openDir(bucket, path.parent)
  const aside =
    typeof only === 'object'
      ? { file: only, tmpDir: openTmp(chain, task), aside: temporaryName() }
      : undefined
  const removed = steps.remove(parent, path.name, aside && { only: aside })
  if (!inBucket) steps.pruneParents(bucket, path.parent, { stopAt: ATTRIBUTE.etag, sync: durable })
  else if (durable) steps.sync(bucket, 'dir')
  try {
    await steps.run()
  } catch (error) {
    const { step, errno } = failureOf(error)
    if (isNotPlain(error, look)) throw new NotPlain()
    if (step === parent && !inBucket && PARENT_ABSENT.has(errno)) return
    if (step === removed && NOT_THERE.has(errno)) return
    if (step === removed && errno === ESTALE && aside !== undefined)
      await putBack(task, path, aside.aside)
    if (step === removed && (errno === EALREADY || errno === ESTALE))
      throw preconditionFailed('If-Match', error instanceof Error ? error : undefined)
    // What POSIX has unlink say of a directory, which is another key; Linux says EISDIR.
    if (step === removed && errno === EPERM && (await isTakenByDirectory(task, path))) return
    throw chain.toS3Error(error)
  } finally {
    fold?.add(steps.times(removed))
  }
}

/** The bucket has one: the lock that is held lies in it. */
function openTmp(chain: BucketChain, task: Task): Fd {
  return openTmpDir(chain, task, TMP_DIR, { make: false }).opened
}

const MAX_TRIES = 10

/** Gives its name back to a file whose directory was removed while it was aside, unless a newer one has it by now. */
async function putBack(task: Task<ObjectRef>, path: KeyPath, aside: string): Promise<void> {
  const { dirMode, durable } = task.volume
  for (let tries = 1; ; tries++) {
    const chain = task.begin()
    const { steps, bucket } = chain
    const how = { mode: dirMode, sync: durable, ...(task.owner && { owner: task.owner }) }
    const parent = steps.makeParents(bucket, path.parent, how)
    const from = openTmp(chain, task)
    const named = steps.rename(from, aside, parent, path.name, {
      noReplace: true,
      attributes: objectFacts(task),
    })
    if (durable) steps.sync(parent, 'dir')
    try {
      return await steps.run()
    } catch (error) {
      const { step, errno } = failureOf(error)
      if (step === named && errno === EEXIST) return removeTemporary(task, TMP_DIR, aside)
      // Removed once more before the rename.
      if (errno !== ENOENT || tries === MAX_TRIES) throw chain.toS3Error(error)
    }
  }
}

const NOT_THERE = new Set([ENOENT, EISDIR])
const PARENT_ABSENT = new Set([ENOENT, ENOTDIR, ELOOP, EXDEV])

async function isTakenByDirectory(task: Task, path: KeyPath): Promise<boolean> {
  const chain = task.begin()
  const stat = chain.steps.statAt(chain.bucket, path.path)
  return (await chain.attempt()) && isDirectory(stat.value)
}
