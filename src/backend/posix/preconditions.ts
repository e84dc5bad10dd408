import { matchesEtag, preconditionFailed } from '../../s3/conditions.ts'
import { S3Error } from '../../s3/errors.ts'
import type { FileIdentity } from '../../io/io.ts'
import type { ObjectHead, ObjectRef, WritePrecondition } from '../backend.ts'
import { currentObject } from './get-object.ts'
import { withKeyLock } from './locks.ts'
import type { Task } from './task.ts'

/**
 * Runs `write` under the client's condition.
 *
 * `If-None-Match: *` needs nothing here: link(2) decides it, failing where the name exists. `If-Match` is compared under
 * the key's lock, which is held until the new object is published: of many that compare with the same ETag one wins. Those
 * who ask for no condition take no lock; lest they be overwritten unseen, `write` is told the file that was compared, which
 * stays open, and replaces no other.
 */
export async function withPrecondition<T>(
  task: Task<ObjectRef>,
  precondition: WritePrecondition,
  write: (onlyOver: FileIdentity | undefined) => Promise<T>,
): Promise<T> {
  const { ifMatch } = precondition
  if (ifMatch === undefined) return write(undefined)
  return withKeyLock(task, async () => {
    const object = await currentObject(task, 'keep')
    try {
      checkMatch(ifMatch, object?.head)
      return await write(object?.stat)
    } finally {
      if (object !== undefined) await task.close(object.fd)
    }
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
  if (ifMatch !== undefined) checkMatch(ifMatch, head)
}

function checkMatch(ifMatch: string, head: ObjectHead | undefined): void {
  if (head === undefined) throw new S3Error('NoSuchKey')
  if (!matchesEtag(ifMatch, head.etag)) throw preconditionFailed('If-Match')
}
