import { READS_OBJECT } from '../access-rules.ts'
import { checkReadConditions, readConditions } from '../conditions.ts'
import { S3Error } from '../errors.ts'
import { parsePartNumber } from '../list-params.ts'
import { objectHeaders, responseOverrides } from '../object-headers.ts'
import { NOTHING, checkRangeAndPart, selectBytes } from '../object-selection.ts'
import { header, headers, label, operation, query, type OperationContext } from '../operation.ts'
import { parseRange } from '../range.ts'
import { tell } from '../trace-facts.ts'
import { parseVersionId } from '../version-id.ts'

/** What GetObject and HeadObject are asked with. */
export const readInput = {
  bucket: label('bucket'),
  key: label('key'),
  versionId: query('versionId', parseVersionId),
  partNumber: query('partNumber'),
  range: header('range'),
  conditions: headers(readConditions),
  overrides: headers(responseOverrides),
  withChecksum: header(
    'x-amz-checksum-mode',
    (mode) => mode !== undefined && mode.toUpperCase() === 'ENABLED',
  ),
}

export const GetObject = operation(
  { name: 'GetObject', http: { method: 'GET', target: 'object' }, input: readInput },
  {
    access: READS_OBJECT,
    async handle(input, context) {
      const { conditions } = input
      const { range, partNumber } = checkRead(input, context)
      let selection = NOTHING
      const { head, body } = await context.backend.getObject(
        { bucket: input.bucket, key: input.key, versionId: input.versionId },
        (found) => {
          checkReadConditions(conditions, found)
          selection = selectBytes(found, range, partNumber)
          return selection
        },
        context.call,
      )
      tell(context.call, 's3.content_length', selection.length)
      tell(context.call, 's3.etag', head.etag)
      tell(context.call, 's3.version_id', head.versionId)
      return {
        status: selection.isPartial ? 206 : 200,
        headers: objectHeaders(head, selection, input),
        body,
      }
    },
  },
)

interface ReadRequest {
  readonly range: string | undefined
  readonly partNumber: string | undefined
  readonly overrides: object | undefined
}

/** What can be said before the object is opened. */
export function checkRead(
  { range, partNumber, overrides }: ReadRequest,
  { call, caller, settings }: OperationContext,
) {
  if (overrides !== undefined && caller.accessKey === undefined) throw new S3Error('InvalidRequest')
  const number =
    partNumber === undefined ? undefined : parsePartNumber(partNumber, settings.maxPartNumber)
  tell(call, 's3.part_number', number)
  checkRangeAndPart(range, number)
  return { range: parseRange(range), partNumber: number }
}
