import { constants } from 'node:os'
import { matchesEtag, preconditionFailed } from '../../s3/conditions.ts'
import { SPAN } from '../../trace/names.ts'
import type { DeletePrecondition, ObjectHead, ObjectRef } from '../backend.ts'
import { ATTRIBUTE } from './attributes.ts'
import { deleteDirectoryObject } from './directory-object.ts'
import { failureOf } from './errors.ts'
import { isDirectory } from './file-types.ts'
import { currentObject } from './get-object.ts'
import { withKeyLock } from './locks.ts'
import { keyPath, type KeyPath } from './paths.ts'
import type { Task } from './task.ts'

const { EISDIR, ELOOP, ENOENT, ENOTDIR, EPERM, EXDEV } = constants.errno

export async function deleteObject(
  task: Task<ObjectRef>,
  precondition: DeletePrecondition,
): Promise<void> {
  const path = keyPath(task.subject.key)
  const remove = (): Promise<void> =>
    path.isDirectory ? deleteDirectoryObject(task) : deleteFile(task, path)
  if (!hasCondition(precondition)) return remove()
  return withKeyLock(task, async () => {
    const object = await currentObject(task)
    if (object === undefined) return
    check(precondition, object.head)
    await remove()
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

/** Removes the file and the parents that it leaves empty, up to one that is an object itself. */
async function deleteFile(task: Task, path: KeyPath): Promise<void> {
  const { durable, folds } = task.volume
  const inBucket = path.parent === ''
  // DeleteObjects comes here a thousand times for one request.
  const fold = folds.next(task.span, SPAN.removeFile)
  const chain = task.begin({ readable: durable && inBucket, record: fold === undefined })
  const { steps, bucket } = chain
  const parent = inBucket ? bucket : steps.openDir(bucket, path.parent)
  const removed = steps.remove(parent, path.name)
  if (!inBucket) steps.pruneParents(bucket, path.parent, { stopAt: ATTRIBUTE.etag, sync: durable })
  else if (durable) steps.sync(bucket, 'dir')
  try {
    await steps.run()
  } catch (error) {
    const { step, errno } = failureOf(error)
    if (step === parent && !inBucket && PARENT_ABSENT.has(errno)) return
    if (step === removed && NOT_THERE.has(errno)) return
    // What POSIX has unlink say of a directory, which is another key; Linux says EISDIR.
    if (step === removed && errno === EPERM && (await isTakenByDirectory(task, path))) return
    throw chain.toS3Error(error)
  } finally {
    fold?.add(steps.times(removed))
  }
}

const NOT_THERE = new Set([ENOENT, EISDIR])
const PARENT_ABSENT = new Set([ENOENT, ENOTDIR, ELOOP, EXDEV])

async function isTakenByDirectory(task: Task, path: KeyPath): Promise<boolean> {
  const chain = task.begin()
  const stat = chain.steps.statAt(chain.bucket, path.path)
  return (await chain.attempt()) && isDirectory(stat.value)
}
