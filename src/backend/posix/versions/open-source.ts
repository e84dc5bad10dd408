import { S3Error } from '../../../s3/errors.ts'
import { invalidVersion } from '../../../s3/version-id.ts'
import type { ObjectRef } from '../../backend.ts'
import { DeleteMarkerError } from '../../delete-marker.ts'
import { readVersioning } from '../../versioning.ts'
import { ATTRIBUTE } from '../attributes.ts'
import { openObject } from '../get-object.ts'
import type { OpenObject } from '../opened.ts'
import type { Task } from '../task.ts'
import { NULL_VERSION } from './layout.ts'

/** Opens what is to be copied. A version has to lie in a bucket whose versioning is enabled (contract 3.5). */
export async function openSource(task: Task<ObjectRef>): Promise<OpenObject> {
  const { versionId } = task.subject
  if (versionId !== undefined && versionId !== NULL_VERSION) {
    const chain = task.begin({ readable: true })
    const stored = chain.steps.readMetadata(chain.bucket, [ATTRIBUTE.versioning])
    await chain.run()
    if (readVersioning(stored.value.get(ATTRIBUTE.versioning)) !== 'Enabled')
      throw invalidVersion(versionId)
  }
  try {
    return await openObject(task, 'keep')
  } catch (error) {
    if (!(error instanceof DeleteMarkerError) || versionId === undefined) throw error
    throw new S3Error('InvalidRequest', {}, { message: MARKER, cause: error })
  }
}

const MARKER =
  'The source of a copy request may not specifically refer to a delete marker by version id.'
