import type { Span } from '../trace/recorder.ts'
import { OPEN } from '../s3/access-rules.ts'
import { S3Error } from '../s3/errors.ts'
import {
  operation,
  type Field,
  type Operation,
  type OperationContext,
  type Route,
  type S3Response,
} from '../s3/operation.ts'

type Fields = Readonly<Record<string, Field<unknown>>>
type Input<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never }

/**
 * An operation of the admin API: `PATCH /{word}`, for root and admins. It has S3's form, and goes through the same stages
 * of the pipeline. `backendOperation` names the backend's method behind it, where there is one.
 */
export function adminOperation<F extends Fields>(
  wire: {
    readonly name: string
    readonly word: string
    readonly input: F
    readonly backendOperation?: string
    /** It changes what is served, which a read-only gateway does not let happen; accounts are no part of that. */
    readonly writes?: boolean
  },
  handle: (input: Input<F>, context: OperationContext) => Promise<S3Response>,
): Operation {
  const { name, word, input, backendOperation = false, writes = false } = wire
  const http: Route = { method: 'PATCH', target: 'bucket', word }
  const made = operation(
    { name, api: 'Admin', http, input, backendOperation },
    { access: OPEN, handle },
  )
  return { ...made, writes }
}

/** What `IAM.*` spans lie below: the request itself, beside what the backend does for it. */
export function requestSpan({ call }: OperationContext): Span {
  return call.span.recorder.root
}

/** XAdminUserNotFound unless there is such an account; root is one. */
export async function requireAccount(access: string, context: OperationContext): Promise<void> {
  const account =
    access === '' ? undefined : await context.accounts.find(access, requestSpan(context))
  if (account === undefined) throw new S3Error('XAdminUserNotFound')
}
