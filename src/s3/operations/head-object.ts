import type { ObjectHead, ObjectRef } from '../../backend/backend.ts'
import { DeleteMarkerError } from '../../backend/delete-marker.ts'
import { READS_OBJECT } from '../access-rules.ts'
import { checkReadConditions } from '../conditions.ts'
import { S3Error } from '../errors.ts'
import { objectHeaders, pushLockHeaders } from '../object-headers.ts'
import { selectBytes } from '../object-selection.ts'
import { operation, type OperationContext } from '../operation.ts'
import { tell } from '../trace-facts.ts'
import { checkRead, readInput } from './get-object.ts'

export const HeadObject = operation(
  { name: 'HeadObject', http: { method: 'HEAD', target: 'object' }, input: readInput },
  {
    access: READS_OBJECT,
    async handle(input, context) {
      const { range, partNumber } = checkRead(input, context)
      const head = await look(input, context)
      checkReadConditions(input.conditions, head)
      const selection = selectBytes(head, range, partNumber)
      tell(context.call, 's3.etag', head.etag)
      tell(context.call, 's3.version_id', head.versionId)
      const list = objectHeaders(head, selection, input)
      pushLockHeaders(list, head)
      list.push('Content-Length', String(selection.length))
      return { status: selection.isPartial ? 206 : 200, headers: list }
    },
  },
)

/** HEAD does not tell that an object that is not there has been deleted; in S3's dialect it does. */
async function look(
  { bucket, key, versionId }: ObjectRef,
  { backend, call, settings }: OperationContext,
): Promise<ObjectHead> {
  try {
    return await backend.headObject({ bucket, key, versionId }, call)
  } catch (error) {
    const isHidden = error instanceof DeleteMarkerError && versionId === undefined
    if (isHidden && settings.dialect === 'versitygw') throw new S3Error('NoSuchKey')
    throw error
  }
}
