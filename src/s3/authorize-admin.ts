import type { Verdict } from '../auth/access/decide.ts'
import type { Authentication } from '../auth/authenticate.ts'
import { SPAN } from '../trace/names.ts'
import type { Claimed } from './authorize.ts'
import { S3Error } from './errors.ts'
import { EVERY_KEY, type KeyAccess } from './key-access.ts'
import type { Operation, S3Settings } from './operation.ts'

/**
 * May this request's sender use the admin API? XAdminAccessDenied unless he is root or an admin.
 *
 * It has to be signed in its header: a URL that does what an admin may do is a credential that gets around, and VersityGW
 * takes it for unsigned too.
 */
export function authorizeAdmin(
  claimed: Claimed,
  operation: Operation,
  { identity, method }: Authentication,
  settings: S3Settings,
): KeyAccess {
  if (method !== 'header') {
    const message = 'AWS authentication requires a valid Date or x-amz-date header.'
    throw denied(claimed, 'anonymous', new S3Error('AccessDenied', {}, { message }))
  }
  if (!identity.isRoot && identity.role !== 'admin')
    throw denied(claimed, 'role', new S3Error('XAdminAccessDenied'))
  if (operation.writes && settings.readOnly)
    throw denied(claimed, 'readonly', new S3Error('AccessDenied'))
  return EVERY_KEY
}

function denied({ recorder }: Claimed, rule: Verdict['rule'], error: S3Error): S3Error {
  const span = recorder.root.child(SPAN.access, {})
  span.set('auth.decision', 'deny')
  span.set('auth.rule', rule)
  span.set('error.type', error.code)
  span.end()
  return error
}
