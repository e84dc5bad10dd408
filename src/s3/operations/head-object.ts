import { READS_OBJECT } from '../access-rules.ts'
import { checkReadConditions } from '../conditions.ts'
import { objectHeaders, pushLockHeaders } from '../object-headers.ts'
import { selectBytes } from '../object-selection.ts'
import { operation } from '../operation.ts'
import { tell } from '../trace-facts.ts'
import { checkRead, readInput } from './get-object.ts'

export const HeadObject = operation(
  { name: 'HeadObject', http: { method: 'HEAD', target: 'object' }, input: readInput },
  {
    access: READS_OBJECT,
    async handle(input, context) {
      const { range, partNumber } = checkRead(input, context)
      const head = await context.backend.headObject(
        { bucket: input.bucket, key: input.key },
        context.call,
      )
      checkReadConditions(input.conditions, head)
      const selection = selectBytes(head, range, partNumber)
      tell(context.call, 's3.etag', head.etag)
      const list = objectHeaders(head, selection, input)
      pushLockHeaders(list, head)
      list.push('Content-Length', String(selection.length))
      return { status: selection.isPartial ? 206 : 200, headers: list }
    },
  },
)
