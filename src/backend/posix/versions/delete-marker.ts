import type { FileIdentity } from '../../../io/io.ts'
import type { DeletedObject, ObjectHead, ObjectRef } from '../../backend.ts'
import { ATTRIBUTE } from '../attributes.ts'
import { objectFacts } from '../object-target.ts'
import { keyPath } from '../paths.ts'
import { publish } from '../publish.ts'
import type { Task } from '../task.ts'
import type { WriteTerms } from '../terms.ts'
import { NULL_VERSION } from './layout.ts'
import { withNewVersion } from './new-version.ts'

export interface Deletion {
  /** Throws where the client's conditions do not hold. */
  readonly check: (head: ObjectHead) => void
  /** Removes the file under the key, and no other. */
  readonly removeFile: (file: FileIdentity) => Promise<void>
  /** Also where there is nothing to be marked. */
  readonly marksAbsent: boolean
}

/**
 * Puts a delete marker in the place of an object, which is kept: an empty file that says so. Where there is nothing it stays
 * so, and no marker is made (contract 3.6), unless that is asked for. In a bucket without versioning the object is removed.
 */
export function putDeleteMarker(
  task: Task<ObjectRef>,
  { check, removeFile, marksAbsent }: Deletion,
): Promise<DeletedObject> {
  return withNewVersion(
    task,
    (head) => head !== undefined && check(head),
    async (terms, current) => {
      const isMarked = current !== undefined || (marksAbsent && terms.version?.overNothing === true)
      if (terms.version !== undefined && isMarked) return putMarker(task, terms)
      if (current !== undefined && !current.isDeleteMarker) await removeFile(current.stat)
      return { versionId: undefined, isDeleteMarker: false }
    },
  )
}

async function putMarker(task: Task<ObjectRef>, terms: WriteTerms): Promise<DeletedObject> {
  const { parent, name } = keyPath(task.subject.key)
  const versionId = await publish(task, {
    target: { directory: parent, name, makeParents: true, replace: true },
    terms: { ...terms, retention: undefined },
    size: 0,
    attributes: [[ATTRIBUTE.deleteMarker, '']],
    fill: () => undefined,
    facts: objectFacts(task),
  })
  return { versionId: versionId ?? NULL_VERSION, isDeleteMarker: true }
}
