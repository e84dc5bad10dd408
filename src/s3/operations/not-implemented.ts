import type { AccessRules } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { label, operation, type Operation, type Route } from '../operation.ts'

/**
 * An operation of S3 that this gateway knows by name and cannot do yet. It answers 501 once the caller is known and the
 * bucket exists, so that a trace and the access log tell what was asked for. Replacing it is one file and one line.
 */
export function notImplemented(name: string, http: Route, access: AccessRules): Operation {
  return operation(
    { name, http, input: { bucket: label('bucket') }, supported: false },
    {
      access,
      async handle({ bucket }, { backend, call }) {
        await backend.headBucket(bucket, call)
        throw new S3Error('NotImplemented')
      },
    },
  )
}
