import { matchesEtag, preconditionFailed } from '../../s3/conditions.ts'
import { S3Error } from '../../s3/errors.ts'
import type { Call, ObjectHead, ObjectRef, WritePrecondition } from '../backend.ts'
import { openObject, type OpenObject } from './get-object.ts'
import { withKeyLock } from './locks.ts'
import type { Volume } from './volume.ts'

/**
 * Runs `write` under the client's condition.
 *
 * `If-None-Match: *` needs nothing here: link(2) decides it, failing where the name exists. `If-Match` is compared under
 * the key's lock, which is held until the new object is published: of many that compare with the same ETag one wins.
 */
export async function withPrecondition<T>(
  volume: Volume,
  ref: ObjectRef,
  precondition: WritePrecondition,
  call: Call,
  write: () => Promise<T>,
): Promise<T> {
  if (precondition.ifMatch === undefined) return write()
  return withKeyLock(volume, ref, call, async () => {
    await checkPrecondition(volume, ref, precondition, call)
    return write()
  })
}

/**
 * Throws where the condition does not hold now: NoSuchKey for If-Match on nothing, else PreconditionFailed. By itself it
 * decides nothing, but spares a client from sending gigabytes in vain.
 */
export async function checkPrecondition(volume: Volume, ref: ObjectRef, precondition: WritePrecondition, call: Call): Promise<void> {
  const { ifMatch, ifNoneMatch } = precondition
  if (ifMatch === undefined && ifNoneMatch === undefined) return
  const head = await currentHead(volume, ref, call)
  if (ifNoneMatch !== undefined && head !== undefined) throw preconditionFailed('If-None-Match')
  if (ifMatch === undefined) return
  if (head === undefined) throw new S3Error('NoSuchKey')
  if (!matchesEtag(ifMatch, head.etag)) throw preconditionFailed('If-Match')
}

export async function currentHead(volume: Volume, ref: ObjectRef, call: Call): Promise<ObjectHead | undefined> {
  return (await currentObject(volume, ref, call))?.head
}

/** The object as it is; undefined where there is none. */
export async function currentObject(volume: Volume, ref: ObjectRef, call: Call): Promise<OpenObject | undefined> {
  try {
    return await openObject(volume, ref, 'head', call)
  } catch (error) {
    if (error instanceof S3Error && error.code === 'NoSuchKey') return undefined
    throw error
  }
}
