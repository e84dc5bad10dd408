import type { Backend, Call } from '../backend/backend.ts'
import { S3Error } from './errors.ts'

/** Who owns what others put into a bucket; BucketOwnerEnforced switches its ACL off. */
export type ObjectOwnership = 'BucketOwnerEnforced' | 'BucketOwnerPreferred' | 'ObjectWriter'

export function isOwnership(text: string | undefined): text is ObjectOwnership {
  return (
    text === 'BucketOwnerEnforced' || text === 'BucketOwnerPreferred' || text === 'ObjectWriter'
  )
}

/** As stored; undefined where it was never set, or deleted. */
export async function storedOwnership(
  bucket: string,
  backend: Backend,
  call: Call,
): Promise<string | undefined> {
  return (await backend.getBucketSubresource(bucket, 'ownership', call))?.toString()
}

/** `x-amz-object-ownership`; undefined where absent or empty. */
export function parseOwnershipHeader(text: string | undefined): ObjectOwnership | undefined {
  if (text === undefined || text === '') return undefined
  if (isOwnership(text)) return text
  const message = `Invalid x-amz-object-ownership header: ${text}`
  throw new S3Error('InvalidArgument', { ArgumentName: 'x-amz-object-ownership' }, { message })
}
