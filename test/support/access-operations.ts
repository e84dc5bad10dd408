import { createHash } from 'node:crypto'

/** One right, as contract 6.2 lists it: the action of policies and the permission of ACLs. */
export interface TableRight {
  readonly action: string
  readonly permission: 'READ' | 'WRITE' | 'READ_ACP' | 'WRITE_ACP'
}

/** A request for the matrix of operations and callers, and what the contract says of the access to it. */
export interface TableOperation {
  readonly name: string
  readonly method: string
  /** After the bucket's name. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** All of them are needed. */
  readonly rights: readonly TableRight[]
  /** What anonymous callers are told whatever the bucket says. */
  readonly refusal: string | undefined
  /** Anonymous callers who are granted it are answered 405 (4.6 b). */
  readonly signed: boolean
  /** Asked of anonymous callers in place of the first right's action. */
  readonly anonymousAction: string | undefined
  /** One of the twelve sub-resources that are not implemented: accounts are told so before access is looked at. */
  readonly unsupported: boolean
}

type Extras = Partial<
  Pick<
    TableOperation,
    'headers' | 'body' | 'refusal' | 'signed' | 'anonymousAction' | 'unsupported'
  >
> & { readonly more?: readonly TableRight[] }

const AUTHENTICATE = 'Anonymous users cannot invoke this API. Please authenticate.'
const DENIED = 'Access Denied.'
const SOURCE: TableRight = { action: 'GetObject', permission: 'READ' }
/** Wrong for every operation: whoever is allowed to is told so, and nothing changes. */
const WRONG = '<x/>'
const body = { body: WRONG, headers: digest(WRONG) }

function row(
  name: string,
  request: string,
  permission: TableRight['permission'],
  action = name,
  { more = [], ...extras }: Extras = {},
): TableOperation {
  const [method = '', target = ''] = request.split(' ')
  return {
    name,
    method,
    target,
    headers: {},
    body: '',
    refusal: undefined,
    signed: false,
    anonymousAction: undefined,
    unsupported: false,
    rights: [{ action, permission }, ...more],
    ...extras,
  }
}

function digest(text: string): Readonly<Record<string, string>> {
  return { 'Content-MD5': createHash('md5').update(text).digest('base64') }
}

const DELETE = '<Delete><Object><Key>gone</Key></Object></Delete>'
const ownership = (verb: string): Extras => ({
  refusal: `s3:${verb}BucketOwnershipControls does not support Anonymous requests!`,
})

/** Contract 6.2, one request for each row. None of them changes what the next one finds, unless `name` is in RESETS. */
export const TABLE: readonly TableOperation[] = [
  row('PutBucketTagging', 'PUT ?tagging', 'WRITE', undefined, body),
  row('PutBucketOwnershipControls', 'PUT ?ownershipControls', 'WRITE', undefined, {
    ...body,
    ...ownership('Put'),
  }),
  row('PutBucketVersioning', 'PUT ?versioning', 'WRITE', undefined, body),
  row(
    'PutObjectLockConfiguration',
    'PUT ?object-lock',
    'WRITE',
    'PutBucketObjectLockConfiguration',
    body,
  ),
  row('PutBucketCors', 'PUT ?cors', 'WRITE', 'PutBucketCORS', body),
  row('PutBucketPolicy', 'PUT ?policy', 'WRITE', undefined, { ...body, signed: true }),
  row('PutBucketAcl', 'PUT ?acl', 'WRITE_ACP', undefined, { ...body, refusal: AUTHENTICATE }),
  row('PutBucketWebsite', 'PUT ?website', 'WRITE', undefined, body),
  row('PutBucketLifecycle', 'PUT ?lifecycle', 'WRITE', 'PutLifecycleConfiguration', {
    ...body,
    unsupported: true,
  }),
  row('HeadBucket', 'HEAD ', 'READ', 'ListBucket'),
  row('DeleteBucketTagging', 'DELETE ?tagging', 'WRITE', 'PutBucketTagging'),
  row(
    'DeleteBucketOwnershipControls',
    'DELETE ?ownershipControls',
    'WRITE',
    'PutBucketOwnershipControls',
    ownership('Put'),
  ),
  row('DeleteBucketPolicy', 'DELETE ?policy', 'WRITE', undefined, {
    signed: true,
    anonymousAction: 'PutBucketPolicy',
  }),
  row('DeleteBucketCors', 'DELETE ?cors', 'WRITE', 'PutBucketCORS'),
  row('DeleteBucketWebsite', 'DELETE ?website', 'WRITE'),
  row('DeleteBucketEncryption', 'DELETE ?encryption', 'WRITE', 'PutEncryptionConfiguration', {
    unsupported: true,
  }),
  row('DeleteBucket', 'DELETE ', 'WRITE'),
  row('GetBucketLocation', 'GET ?location', 'READ'),
  row('GetBucketTagging', 'GET ?tagging', 'READ'),
  row('GetBucketOwnershipControls', 'GET ?ownershipControls', 'READ', undefined, ownership('Get')),
  row('GetBucketVersioning', 'GET ?versioning', 'READ'),
  row('GetBucketPolicy', 'GET ?policy', 'READ', undefined, { signed: true }),
  row('GetBucketCors', 'GET ?cors', 'READ', 'GetBucketCORS'),
  row('GetObjectLockConfiguration', 'GET ?object-lock', 'READ', 'GetBucketObjectLockConfiguration'),
  row('GetBucketAcl', 'GET ?acl', 'READ_ACP'),
  row('ListMultipartUploads', 'GET ?uploads', 'READ', 'ListBucketMultipartUploads'),
  row('ListObjectVersions', 'GET ?versions', 'READ', 'ListBucketVersions'),
  row('GetBucketPolicyStatus', 'GET ?policyStatus', 'READ'),
  row('GetBucketWebsite', 'GET ?website', 'READ'),
  row('GetPublicAccessBlock', 'GET ?publicAccessBlock', 'READ', 'GetBucketPublicAccessBlock', {
    unsupported: true,
  }),
  row('ListObjectsV2', 'GET ?list-type=2', 'READ', 'ListBucket'),
  row('ListObjects', 'GET ', 'READ', 'ListBucket'),
  row('DeleteObjects', 'POST ?delete', 'WRITE', 'DeleteObject', {
    body: DELETE,
    headers: digest(DELETE),
    refusal: DENIED,
  }),
  row('HeadObject', 'HEAD /key', 'READ', 'GetObject'),
  row('GetObject', 'GET /key', 'READ'),
  row('GetObjectTagging', 'GET /key?tagging', 'READ'),
  row('GetObjectRetention', 'GET /key?retention', 'READ'),
  row('GetObjectLegalHold', 'GET /key?legal-hold', 'READ'),
  row('GetObjectAcl', 'GET /key?acl', 'READ_ACP'),
  row('GetObjectAttributes', 'GET /key?attributes', 'READ', undefined, {
    headers: { 'x-amz-object-attributes': 'ETag' },
  }),
  row('ListParts', 'GET /key?uploadId=none', 'READ', 'ListMultipartUploadParts'),
  row('DeleteObjectTagging', 'DELETE /gone?tagging', 'WRITE'),
  row('AbortMultipartUpload', 'DELETE /key?uploadId=none', 'WRITE'),
  row('DeleteObject', 'DELETE /gone', 'WRITE'),
  row('RestoreObject', 'POST /key?restore', 'WRITE', undefined, body),
  row('SelectObjectContent', 'POST /key?select&select-type=2', 'READ', 'GetObject', {
    ...body,
    refusal: AUTHENTICATE,
  }),
  row('CompleteMultipartUpload', 'POST /key?uploadId=none', 'WRITE', 'PutObject', body),
  row('CreateMultipartUpload', 'POST /new?uploads', 'WRITE', 'PutObject', {
    refusal: 'Anonymous users cannot initiate multipart uploads. Please authenticate.',
  }),
  row('PutObjectTagging', 'PUT /gone?tagging', 'WRITE', undefined, body),
  row('PutObjectRetention', 'PUT /gone?retention', 'WRITE', undefined, body),
  row('PutObjectLegalHold', 'PUT /gone?legal-hold', 'WRITE', undefined, body),
  row('PutObjectAcl', 'PUT /key?acl', 'WRITE_ACP', undefined, { ...body, refusal: AUTHENTICATE }),
  row('UploadPart', 'PUT /key?uploadId=none&partNumber=1', 'WRITE', 'PutObject'),
  row('UploadPartCopy', 'PUT /key?uploadId=none&partNumber=2', 'WRITE', 'PutObject', {
    headers: { 'x-amz-copy-source': '{bucket}/key' },
    more: [SOURCE],
    refusal: DENIED,
  }),
  row('CopyObject', 'PUT /copy', 'WRITE', 'PutObject', {
    headers: { 'x-amz-copy-source': '{bucket}/key' },
    more: [SOURCE],
    refusal: 'Anonymous users cannot copy objects. Please authenticate.',
  }),
  row('PutObject', 'PUT /new', 'WRITE'),
]

/** The rights that versions and headers ask for beyond the table (threat A16). */
export const SUB_ACTIONS: readonly TableOperation[] = [
  row('GetObject of a version', 'GET /key?versionId=null', 'READ', 'GetObjectVersion'),
  row('HeadObject of a version', 'HEAD /key?versionId=null', 'READ', 'GetObjectVersion'),
  row(
    'GetObjectAttributes of a version',
    'GET /key?attributes&versionId=null',
    'READ',
    'GetObjectVersionAttributes',
    { headers: { 'x-amz-object-attributes': 'ETag' } },
  ),
  row('DeleteObject of a version', 'DELETE /gone?versionId=null', 'WRITE', 'DeleteObjectVersion'),
  row('PutObject with tags', 'PUT /new', 'WRITE', 'PutObject', {
    headers: { 'x-amz-tagging': 'a=b' },
    more: [{ action: 'PutObjectTagging', permission: 'WRITE' }],
  }),
  row('PutObject with a retention', 'PUT /new', 'WRITE', 'PutObject', {
    headers: {
      'x-amz-object-lock-mode': 'GOVERNANCE',
      'x-amz-object-lock-retain-until-date': '2199-01-01T00:00:00Z',
    },
    more: [{ action: 'PutObjectRetention', permission: 'WRITE' }],
  }),
  row('PutObject with a legal hold', 'PUT /new', 'WRITE', 'PutObject', {
    headers: { 'x-amz-object-lock-legal-hold': 'ON' },
    more: [{ action: 'PutObjectLegalHold', permission: 'WRITE' }],
  }),
  row('CreateMultipartUpload with tags', 'POST /new?uploads', 'WRITE', 'PutObject', {
    headers: { 'x-amz-tagging': 'a=b' },
    more: [{ action: 'PutObjectTagging', permission: 'WRITE' }],
    refusal: 'Anonymous users cannot initiate multipart uploads. Please authenticate.',
  }),
  row('CopyObject with tags', 'PUT /copy', 'WRITE', 'PutObject', {
    headers: {
      'x-amz-copy-source': '{bucket}/key',
      'x-amz-tagging': 'a=b',
      'x-amz-tagging-directive': 'REPLACE',
    },
    more: [{ action: 'PutObjectTagging', permission: 'WRITE' }, SOURCE],
    refusal: 'Anonymous users cannot copy objects. Please authenticate.',
  }),
]

/** Allowed, these change what access hangs on. */
export const RESETS: ReadonlySet<string> = new Set([
  'DeleteBucketPolicy',
  'DeleteBucketOwnershipControls',
])
