import { parseObject } from '../go-json.ts'
import type { Backend, Call } from '../backend/backend.ts'
import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'

const EXPECTED = 'x-amz-expected-bucket-owner'
const EXPECTED_OF_SOURCE = 'x-amz-source-expected-bucket-owner'

/** Whether a request names the owner its bucket must have. */
export function expectsOwner({ bucket, headers }: S3Request): boolean {
  return headers[EXPECTED] !== undefined && bucket !== undefined
}

/** Whether a copy names the owner of the bucket it reads. */
export function expectsSourceOwner({ headers }: S3Request): boolean {
  return headers[EXPECTED_OF_SOURCE] !== undefined
}

/** AccessDenied unless the bucket is his whom the client takes for its owner. */
export function checkExpectedOwner(
  { headers }: S3Request,
  owner: string,
  bucket: 'own' | 'source' = 'own',
): void {
  const expected = headers[bucket === 'own' ? EXPECTED : EXPECTED_OF_SOURCE]
  if (expected !== undefined && expected !== owner) throw new S3Error('AccessDenied')
}

/** Access key of the bucket's owner as its ACL has it; empty where the bucket was made without S3. */
export async function bucketOwner(bucket: string, backend: Backend, call: Call): Promise<string> {
  const owner = parseObject(await backend.getBucketSubresource(bucket, 'acl', call))?.['Owner']
  return typeof owner === 'string' ? owner : ''
}
