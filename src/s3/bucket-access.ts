import { parseAcl } from '../auth/acl.ts'
import type { BucketAccess, PolicyEvaluator } from '../auth/access/decide.ts'
import type { Backend, Call } from '../backend/backend.ts'

const DOCUMENTS = ['acl', 'policy', 'ownership'] as const

/** Reads what decides over a bucket, in one chain; NoSuchBucket where there is none. */
export async function loadBucketAccess(
  bucket: string,
  rootAccess: string,
  backend: Backend,
  call: Call,
): Promise<BucketAccess> {
  const documents = await backend.getBucketSubresources(bucket, DOCUMENTS, call)
  const policy = documents.get('policy')
  return {
    acl: parseAcl(documents.get('acl'), rootAccess),
    policy: policy === undefined ? undefined : NOTHING_GRANTED,
    ownership: documents.get('ownership')?.toString(),
  }
}

/** Access key of a bucket's owner. */
export async function loadOwner(
  bucket: string,
  rootAccess: string,
  backend: Backend,
  call: Call,
): Promise<string> {
  return parseAcl(await backend.getBucketSubresource(bucket, 'acl', call), rootAccess).owner
}

const NOTHING_GRANTED: PolicyEvaluator = () => undefined
