import { describe, expect, test } from 'vitest'
import { codeOf, errorOf } from '../../test/support/s3-errors.ts'
import { authorize } from './authorize.ts'

const ROOT = { accessKey: 'root', role: 'admin', isRoot: true } as const
const ANONYMOUS = { accessKey: undefined, role: undefined, isRoot: false }
const WRITABLE = { readOnly: false, region: 'eu-central-2' }

const operation = (name: string, method = 'PUT') => ({ name, http: { method } })

test('contract 4.6: root and admins may do everything', () => {
  expect(() => authorize(operation('DeleteBucket'), ROOT, WRITABLE)).not.toThrow()
  expect(() =>
    authorize(
      operation('DeleteBucket'),
      { accessKey: 'a', role: 'admin', isRoot: false },
      WRITABLE,
    ),
  ).not.toThrow()
})

test('contract 6.2: a refused HeadBucket tells the region', () => {
  const error = errorOf(() => authorize(operation('HeadBucket', 'HEAD'), ANONYMOUS, WRITABLE))
  expect(error.headers).toEqual({ 'x-amz-bucket-region': 'eu-central-2' })
})

test('others may nothing yet', () => {
  const user = { accessKey: 'u', role: 'user', isRoot: false } as const
  const error = errorOf(() => authorize(operation('CopyObject'), user, WRITABLE))
  expect([error.code, error.message]).toEqual(['AccessDenied', 'Access Denied.'])
})

describe('contract 4.6: anonymous callers are refused in the words of the operation', () => {
  test.each([
    ['ListBuckets', 'Access Denied.'],
    ['DeleteObjects', 'Access Denied.'],
    ['UploadPartCopy', 'Access Denied.'],
    ['GetObject', 'Access Denied.'],
    ['CreateBucket', 'Anonymous users cannot invoke this API. Please authenticate.'],
    ['PutBucketAcl', 'Anonymous users cannot invoke this API. Please authenticate.'],
    ['CopyObject', 'Anonymous users cannot copy objects. Please authenticate.'],
    [
      'CreateMultipartUpload',
      'Anonymous users cannot initiate multipart uploads. Please authenticate.',
    ],
    [
      'PutBucketOwnershipControls',
      's3:PutBucketOwnershipControls does not support Anonymous requests!',
    ],
  ])('%s', (name, message) => {
    const error = errorOf(() => authorize(operation(name), ANONYMOUS, WRITABLE))
    expect([error.status, error.code, error.message]).toEqual([403, 'AccessDenied', message])
  })

  test('but a preflight is never signed', () => {
    expect(() =>
      authorize(operation('PreflightOptions', 'OPTIONS'), ANONYMOUS, WRITABLE),
    ).not.toThrow()
  })
})

test.each([
  ['GetObject', 'GET', 'none'],
  ['HeadObject', 'HEAD', 'none'],
  ['SelectObjectContent', 'POST', 'none'],
  ['PutObject', 'PUT', 'AccessDenied'],
  ['CopyObject', 'PUT', 'AccessDenied'],
  ['UploadPartCopy', 'PUT', 'AccessDenied'],
  ['DeleteObjects', 'POST', 'AccessDenied'],
])('contract 4.6 (1) and defect 8: a read-only gateway and %s', (name, method, code) => {
  expect(
    codeOf(() => authorize(operation(name, method), ROOT, { ...WRITABLE, readOnly: true })),
  ).toBe(code)
})
