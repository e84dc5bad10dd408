import type { Backend, Call } from '../backend/backend.ts'

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
