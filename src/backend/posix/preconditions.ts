import { matchesEtag, preconditionFailed } from '../../s3/conditions.ts'
import { S3Error } from '../../s3/errors.ts'
import type { ObjectHead, ObjectRef, WritePrecondition } from '../backend.ts'
import { currentObject } from './get-object.ts'
import { withKeyLock } from './locks.ts'
import { NotPlain, checkProtection, givenRetention, readLock } from './protection.ts'
import type { Task } from './task.ts'
import { NO_TERMS, type WriteTerms } from './terms.ts'
import { keepsVersions } from './versions/current.ts'
import { withNewVersion } from './versions/new-version.ts'

const ONLY_IF_PLAIN: WriteTerms = { ...NO_TERMS, onlyIfPlain: true }

/**
 * Runs `write` under the client's condition and the object locks of the bucket, and where that has versioning after what is
 * replaced has been kept; it may be run more than once.
 *
 * `If-None-Match: *` needs nothing here: link(2) decides it, failing where the name exists. `If-Match` is compared under
 * the key's lock, which is held until the new object is published: of many that compare with the same ETag one wins. Those
 * who ask for no condition take no lock; lest they be overwritten unseen, `write` is told the file that was compared, which
 * stays open, and replaces no other.
 *
 * In a bucket with object lock or versioning all who write, delete or lock a key take its lock, so that what is found
 * unprotected stays so, and what is kept is all there is, until it is replaced. That a bucket has neither is found out by
 * `write` itself, or is known: see `PlainBuckets`.
 */
export function withPrecondition<T>(
  task: Task<ObjectRef>,
  precondition: WritePrecondition,
  write: (terms: WriteTerms) => Promise<T>,
): Promise<T> {
  const { plainBuckets } = task.volume
  const { bucket } = task.subject
  if (precondition.ifMatch === undefined) {
    if (plainBuckets.has(bucket)) return write(NO_TERMS)
    if (!plainBuckets.isMarked(bucket)) return writeLooking(task, precondition, write)
  }
  return writeMarked(task, precondition, write)
}

/**
 * The same for writes that no link(2) ends: `If-None-Match` is compared under the key's lock, since a directory that is there
 * may or may not be an object, and whether the bucket is plain is found out first.
 */
export async function withPreconditionInPlace<T>(
  task: Task<ObjectRef>,
  precondition: WritePrecondition,
  write: (terms: WriteTerms) => Promise<T>,
): Promise<T> {
  const { ifMatch, ifNoneMatch } = precondition
  const lock = await readLock(task)
  const isFree = lock === undefined && ifMatch === undefined && ifNoneMatch === undefined
  return isFree ? write(NO_TERMS) : writeLocked(task, precondition, write)
}

async function writeLooking<T>(
  task: Task<ObjectRef>,
  precondition: WritePrecondition,
  write: (terms: WriteTerms) => Promise<T>,
): Promise<T> {
  const { plainBuckets } = task.volume
  const sinceMs = performance.now()
  try {
    const written = await write(ONLY_IF_PLAIN)
    plainBuckets.add(task.subject.bucket, sinceMs)
    return written
  } catch (error) {
    if (!(error instanceof NotPlain)) throw error
    plainBuckets.mark(task.subject.bucket)
    return writeMarked(task, precondition, write)
  }
}

/** In a bucket that may have object lock, versioning, or both. */
function writeMarked<T>(
  task: Task<ObjectRef>,
  precondition: WritePrecondition,
  write: (terms: WriteTerms) => Promise<T>,
): Promise<T> {
  if (task.volume.versions === undefined) return writeLocked(task, precondition, write)
  return withNewVersion(task, (head) => compare(precondition, head), write)
}

async function writeLocked<T>(
  task: Task<ObjectRef>,
  precondition: WritePrecondition,
  write: (terms: WriteTerms) => Promise<T>,
): Promise<T> {
  const { written, lock } = await withKeyLock(task, async () => {
    const lock = await readLock(task)
    const object = await currentObject(task, 'keep')
    try {
      if (lock !== undefined && object !== undefined)
        await checkProtection(task, object.attributes, lock)
      compare(precondition, object?.head)
      const retention = lock && givenRetention(task.volume, lock)
      const written = await write({ ...NO_TERMS, onlyOver: object?.stat, retention })
      return { written, lock }
    } finally {
      if (object !== undefined) await task.close(object.fd)
    }
  })
  if (lock !== undefined)
    await task.volume.plainBuckets.settled(task.subject.bucket, lock.createdAtMs)
  return written
}

/**
 * Throws where the write would be refused now: AccessDenied for what is locked, NoSuchKey for If-Match on nothing,
 * PreconditionFailed. By itself it decides nothing, but spares a client from sending gigabytes in vain.
 */
export async function checkPrecondition(
  task: Task<ObjectRef>,
  precondition: WritePrecondition,
): Promise<void> {
  const { ifMatch, ifNoneMatch } = precondition
  const lock = await readLock(task)
  if (lock === undefined && ifMatch === undefined && ifNoneMatch === undefined) return
  const object = await currentObject(task)
  if (lock !== undefined && object !== undefined && !(await keepsVersions(task)))
    await checkProtection(task, object.attributes, lock)
  compare(precondition, object?.head)
}

function compare({ ifMatch, ifNoneMatch }: WritePrecondition, head: ObjectHead | undefined): void {
  if (ifNoneMatch !== undefined && head !== undefined) throw preconditionFailed('If-None-Match')
  if (ifMatch === undefined) return
  if (head === undefined) throw new S3Error('NoSuchKey')
  if (!matchesEtag(ifMatch, head.etag)) throw preconditionFailed('If-Match')
}
