import { matchesEtag, preconditionFailed } from '../../s3/conditions.ts'
import { S3Error } from '../../s3/errors.ts'
import type { ObjectRef, WritePrecondition } from '../backend.ts'
import { currentObject } from './get-object.ts'
import { withKeyLock } from './locks.ts'
import type { Task } from './task.ts'

/**
 * Runs `write` under the client's condition.
 *
 * `If-None-Match: *` needs nothing here: link(2) decides it, failing where the name exists. `If-Match` is compared under
 * the key's lock, which is held until the new object is published: of many that compare with the same ETag one wins.
 */
export async function withPrecondition<T>(
  task: Task<ObjectRef>,
  precondition: WritePrecondition,
  write: () => Promise<T>,
): Promise<T> {
  if (precondition.ifMatch === undefined) return write()
  return withKeyLock(task, async () => {
    await checkPrecondition(task, precondition)
    return write()
  })
}

/**
 * Throws where the condition does not hold now: NoSuchKey for If-Match on nothing, else PreconditionFailed. By itself it
 * decides nothing, but spares a client from sending gigabytes in vain.
 */
export async function checkPrecondition(
  task: Task<ObjectRef>,
  { ifMatch, ifNoneMatch }: WritePrecondition,
): Promise<void> {
  if (ifMatch === undefined && ifNoneMatch === undefined) return
  const head = (await currentObject(task))?.head
  if (ifNoneMatch !== undefined && head !== undefined) throw preconditionFailed('If-None-Match')
  if (ifMatch === undefined) return
  if (head === undefined) throw new S3Error('NoSuchKey')
  if (!matchesEtag(ifMatch, head.etag)) throw preconditionFailed('If-Match')
}
