import { S3Error } from '../../s3/errors.ts'
import { inParallel } from '../../in-parallel.ts'
import type { ObjectRef } from '../backend.ts'
import { currentObject } from './get-object.ts'
import { keyPath } from './paths.ts'
import { checkProtection, readLock } from './protection.ts'
import type { Task } from './task.ts'
import { keepsVersions } from './versions/current.ts'

const WIDTH = 16

/**
 * Throws AccessDenied where a lock protects any of what would be deleted for good. In a bucket with versioning that is what is
 * named by its version, and directory objects, which have none.
 */
export async function checkDeletable(task: Task, refs: readonly ObjectRef[]): Promise<void> {
  const lock = await readLock(task)
  if (lock === undefined) return
  const areKept = await keepsVersions(task)
  const endangered = refs.filter(
    ({ key, versionId }) => !areKept || versionId !== undefined || keyPath(key).isDirectory,
  )
  await inParallel(endangered, WIDTH, async (ref) => {
    const about = task.about(task.volume.versions === undefined ? withoutVersion(ref) : ref)
    const object = await currentObject(about).catch(tellLater)
    if (object !== undefined) await checkProtection(about, object.attributes, lock)
  })
}

/** What else is wrong with a key is told when it is deleted. */
function tellLater(error: unknown): undefined {
  if (!(error instanceof S3Error) || error.status >= 500) throw error
}

function withoutVersion({ bucket, key }: ObjectRef): ObjectRef {
  return { bucket, key }
}
