import type { Backend, Call } from '../backend/backend.ts'
import { S3Error } from './errors.ts'
import type { OperationContext } from './operation.ts'
import type { S3Request } from './request.ts'

const EXPECTED = 'x-amz-expected-bucket-owner'

/** Whether a request names the owner its bucket must have. */
export function expectsOwner({ bucket, headers }: S3Request): boolean {
  return headers[EXPECTED] !== undefined && bucket !== undefined
}

/** AccessDenied unless the bucket is his whom the client takes for its owner. One made without S3 is root's. */
export async function checkExpectedOwner({
  request,
  caller,
  backend,
  call,
}: OperationContext): Promise<void> {
  const expected = request.headers[EXPECTED]
  const owner = await bucketOwner(request.bucket ?? '', backend, call)
  const isOwner = owner === '' ? caller.isRoot && expected === caller.accessKey : expected === owner
  if (!isOwner) throw new S3Error('AccessDenied')
}

/** Access key of the bucket's owner as its ACL has it; empty where the bucket was made without S3. */
export async function bucketOwner(bucket: string, backend: Backend, call: Call): Promise<string> {
  const acl = await backend.getBucketSubresource(bucket, 'acl', call)
  return acl === undefined ? '' : ownerOf(acl)
}

/** An ACL that cannot be read names no owner. */
function ownerOf(acl: Buffer): string {
  try {
    const document: unknown = JSON.parse(acl.toString('utf8'))
    if (typeof document !== 'object' || document === null || !('Owner' in document)) return ''
    return typeof document.Owner === 'string' ? document.Owner : ''
  } catch {
    return ''
  }
}
