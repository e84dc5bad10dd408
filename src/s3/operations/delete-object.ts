import type { DeletedObject } from '../../backend/backend.ts'
import { onObject } from '../access-rules.ts'
import { deletePrecondition } from '../conditions.ts'
import { headers, label, operation, query } from '../operation.ts'
import { tell } from '../trace-facts.ts'
import { parseVersionId } from '../version-id.ts'

export const DeleteObject = operation(
  {
    name: 'DeleteObject',
    http: { method: 'DELETE', target: 'object' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      versionId: query('versionId', parseVersionId),
      precondition: headers(deletePrecondition),
    },
  },
  {
    access: onObject('s3:DeleteObject', 'WRITE', 's3:DeleteObjectVersion'),
    async handle({ bucket, key, versionId, precondition }, { backend, call, settings }) {
      const wanted =
        settings.dialect === 'aws' ? { ...precondition, marksAbsent: true } : precondition
      const deleted = await backend.deleteObject({ bucket, key, versionId }, wanted, call)
      tell(call, 's3.version_id', deleted.versionId)
      return { status: 204, headers: versionHeaders(deleted) }
    },
  },
)

function versionHeaders({ versionId, isDeleteMarker }: DeletedObject): string[] {
  const list = isDeleteMarker ? ['x-amz-delete-marker', 'true'] : []
  if (versionId !== undefined) list.push('x-amz-version-id', versionId)
  return list
}
