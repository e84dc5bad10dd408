import type { Backend, Call } from '../backend/backend.ts'
import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'

const LOCK_HEADERS = [
  'x-amz-object-lock-mode',
  'x-amz-object-lock-retain-until-date',
  'x-amz-object-lock-legal-hold',
] as const

/** Whether a write asks for retention or a legal hold. */
export function wantsObjectLock({ headers }: S3Request): boolean {
  return LOCK_HEADERS.some((name) => headers[name] !== undefined)
}

/**
 * A lock that was asked for must not be left out in silence. A bucket without a lock configuration refuses it as it
 * always will; in one that has a configuration (VersityGW wrote it) it cannot be given yet.
 */
export async function refuseObjectLock(
  bucket: string,
  backend: Backend,
  call: Call,
): Promise<never> {
  const configuration = await backend.getBucketSubresource(bucket, 'bucket-lock', call)
  if (configuration !== undefined) throw new S3Error('NotImplemented')
  throw new S3Error('InvalidRequest', {}, { message: 'Bucket is missing ObjectLockConfiguration' })
}
