import { S3Error } from '../s3/errors.ts'
import type { Identity } from './identity.ts'

const AUTHENTICATE = 'Anonymous users cannot invoke this API. Please authenticate.'

/** What an anonymous caller is told, where S3 has words of its own for an operation. */
const ANONYMOUS_TEXTS: Readonly<Record<string, string>> = {
  CreateBucket: AUTHENTICATE,
  PutBucketAcl: AUTHENTICATE,
  PutObjectAcl: AUTHENTICATE,
  SelectObjectContent: AUTHENTICATE,
  CopyObject: 'Anonymous users cannot copy objects. Please authenticate.',
  CreateMultipartUpload: 'Anonymous users cannot initiate multipart uploads. Please authenticate.',
  PutBucketOwnershipControls: 's3:PutBucketOwnershipControls does not support Anonymous requests!',
  GetBucketOwnershipControls: 's3:GetBucketOwnershipControls does not support Anonymous requests!',
}

/** A browser asks it before it signs anything, and its answer tells nothing but a bucket's CORS rules. */
const UNSIGNED = 'PreflightOptions'

/** What the decision needs to know of an operation. */
export interface AccessedOperation {
  readonly name: string
  readonly http: { readonly method: string }
}

/** S3's reads are GET and HEAD; the exception, SelectObjectContent, is a POST. */
function isRead({ name, http }: AccessedOperation): boolean {
  return (
    http.method === 'GET' ||
    http.method === 'HEAD' ||
    http.method === 'OPTIONS' ||
    name === 'SelectObjectContent'
  )
}

/**
 * May this caller run this operation? AccessDenied unless he may.
 *
 * A read-only gateway refuses every write, root's too. Then the order is the contract's: root and admins may do everything,
 * then a bucket's policy decides, then its ACL. There is no one but root yet, and nothing public, so that whoever is not
 * root is refused.
 */
export function authorize(
  operation: AccessedOperation,
  identity: Identity,
  gateway: { readonly readOnly: boolean; readonly region: string },
): void {
  if (gateway.readOnly && !isRead(operation)) throw new S3Error('AccessDenied')
  if (identity.isRoot || identity.role === 'admin' || operation.name === UNSIGNED) return
  const message = identity.accessKey === undefined ? ANONYMOUS_TEXTS[operation.name] : undefined
  // Clients without rights find a bucket's region by asking for the bucket.
  const headers = operation.name === 'HeadBucket' ? { 'x-amz-bucket-region': gateway.region } : {}
  throw new S3Error('AccessDenied', {}, message === undefined ? { headers } : { message, headers })
}
