import { constants } from 'node:os'
import { invalidVersion } from '../../../s3/version-id.ts'
import type { DeletedObject, ObjectHead, ObjectRef } from '../../backend.ts'
import { ATTRIBUTE } from '../attributes.ts'
import { failureOf, toS3Error } from '../errors.ts'
import { withKeyLock } from '../locks.ts'
import { bucketEntry, keyPath } from '../paths.ts'
import { checkProtection } from '../protection.ts'
import type { Task } from '../task.ts'
import { NO_TERMS } from '../terms.ts'
import { publishCopy, removeSuperseded, versionFacts, versionsTask } from './archive.ts'
import { headOf, withCurrent, type VersionFile } from './current.ts'
import { versionsOfKey } from './layout.ts'
import { supersededIds, withSuperseded } from './superseded.ts'

const { EXDEV } = constants.errno

export interface Deletion {
  /** Throws where the client's conditions do not hold for the version. */
  readonly check: (head: ObjectHead) => void
  /** Removes the file under the key, where no version is left to take its place. */
  readonly removeFile: () => Promise<void>
}

/**
 * Deletes one version for good. Where that is the current one, the newest of the others takes its place, by one rename: at
 * no moment is there neither.
 */
export async function deleteVersion(
  task: Task<ObjectRef>,
  versionId: string,
  { check, removeFile }: Deletion,
): Promise<DeletedObject> {
  return withKeyLock(task, () =>
    withCurrent(task, ({ lock, file }) =>
      withSuperseded(task, versionId, async (superseded) => {
        const current = file?.id === versionId ? file : undefined
        const version = current ?? superseded
        if (version === undefined) {
          if (file !== undefined) throw invalidVersion(versionId)
          return { versionId, isDeleteMarker: false }
        }
        if (lock !== undefined) await checkProtection(task, version.attributes, lock)
        const head = headOf(task, version)
        if (head !== undefined) check(head)
        // Also beside a current one: somebody may have been killed while he replaced it.
        if (superseded !== undefined) await removeSuperseded(task, versionId)
        if (current !== undefined && !(await promoteNewest(task, current))) await removeFile()
        return { versionId, isDeleteMarker: version.isDeleteMarker }
      }),
    ),
  )
}

/** False where there is no other version. */
async function promoteNewest(task: Task<ObjectRef>, current: VersionFile): Promise<boolean> {
  const [newest] = await supersededIds(task, current.id)
  if (newest === undefined) return false
  if (!(await renameVersion(task, newest))) await copyVersion(task, newest, current)
  return true
}

/** False where it lies on another file system. */
async function renameVersion(task: Task<ObjectRef>, versionId: string): Promise<boolean> {
  const { volume, subject } = versionsTask(task)
  const path = versionsOfKey(subject.key)
  const { parent: directory, name } = keyPath(subject.key)
  const chain = task.begin({ readable: true })
  const { steps, bucket } = chain
  const parent =
    directory === '' ? bucket : steps.openDir(bucket, directory, { readable: volume.durable })
  const kept = steps.openDir(volume.root, bucketEntry(subject.bucket))
  const from = steps.openDir(kept, path, { readable: volume.durable })
  const renamed = steps.rename(from, versionId, parent, name, {
    attributes: versionFacts(task, versionId),
    expected: [EXDEV],
  })
  if (volume.durable) {
    steps.sync(parent, 'dir')
    steps.sync(from, 'dir')
  }
  steps.pruneParents(kept, path, { stopAt: ATTRIBUTE.etag, sync: volume.durable })
  try {
    await steps.run()
    return true
  } catch (error) {
    const { step, errno } = failureOf(error)
    if (step === renamed && errno === EXDEV) return false
    throw chain.toS3Error(error)
  }
}

/** The copy takes the place of the version that is deleted, and of no other; what was copied is removed then. */
async function copyVersion(
  task: Task<ObjectRef>,
  versionId: string,
  current: VersionFile,
): Promise<void> {
  const { parent, name } = keyPath(task.subject.key)
  const target = { directory: parent, name, makeParents: true, replace: true }
  await withSuperseded(task, versionId, async (file) => {
    if (file === undefined)
      throw toS3Error(new Error(`version ${versionId} is gone`), 'other', task.subject)
    await publishCopy(task, file, { target, terms: { ...NO_TERMS, onlyOver: current.stat } })
  })
  await removeSuperseded(task, versionId)
}
