import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { md5Base64 } from './checksums.ts'
import { DOCUMENT_KINDS, LOCK_KINDS, put, small, type Kind } from './golden-kinds.ts'
import { completeXml, MiB, startUpload } from './multipart.ts'
import { formBody, formType } from './post-form.ts'

/** A directory that has just changed is not remembered: its next reading depends on when it comes. */
const settled = (): Promise<void> => sleep(100)

const policyOf = (bucket: string): string =>
  `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::${bucket}/*"}]}`

/** A request of every operation, and of some in more than one way. */
export const KINDS: readonly Kind[] = [
  { operation: 'ListBuckets', request: async () => ['GET', '/'] },
  { operation: 'CreateBucket', request: async (_, bucket, n) => ['PUT', `/${bucket}-${n}`] },
  { operation: 'HeadBucket', request: async (_, bucket) => ['HEAD', `/${bucket}`] },
  { operation: 'GetBucketLocation', request: async (_, bucket) => ['GET', `/${bucket}?location`] },
  {
    operation: 'PutBucketPolicy',
    status: 204,
    request: async (_, bucket) => ['PUT', `/${bucket}?policy`, { body: policyOf(bucket) }],
  },
  {
    operation: 'GetBucketPolicy',
    async request(at, bucket) {
      await at.send('PUT', `/${bucket}?policy`, { body: policyOf(bucket) })
      return ['GET', `/${bucket}?policy`]
    },
  },
  {
    operation: 'GetBucketPolicyStatus',
    async request(at, bucket) {
      await at.send('PUT', `/${bucket}?policy`, { body: policyOf(bucket) })
      return ['GET', `/${bucket}?policyStatus`]
    },
  },
  {
    operation: 'DeleteBucketPolicy',
    status: 204,
    async request(at, bucket) {
      await at.send('PUT', `/${bucket}?policy`, { body: policyOf(bucket) })
      return ['DELETE', `/${bucket}?policy`]
    },
  },
  {
    operation: 'DeleteBucket',
    status: 204,
    async request(at, bucket, n) {
      await at.send('PUT', `/${bucket}-${n}`)
      return ['DELETE', `/${bucket}-${n}`]
    },
  },
  ...DOCUMENT_KINDS,
  ...LOCK_KINDS,
  {
    operation: 'PutObject',
    request: async (_, bucket, n) => ['PUT', `/${bucket}/new-${n}`, { body: small }],
  },
  {
    operation: 'PostObject',
    status: 204,
    request: async (at, bucket, n) => [
      'POST',
      `/${bucket}`,
      {
        sign: false,
        headers: { 'Content-Type': formType() },
        body: formBody({ fields: [['key', `posted-${n}`]], file: small }, bucket, at.credentials),
      },
    ],
  },
  {
    operation: 'PutObject of an existing key',
    async request(at, bucket) {
      await put(at, bucket, 'k')
      return ['PUT', `/${bucket}/k`, { body: small }]
    },
  },
  {
    operation: 'PutObject below new directories',
    request: async (_, bucket, n) => ['PUT', `/${bucket}/dir-${n}/sub/k`, { body: small }],
  },
  {
    operation: 'PutObject below known directories',
    request: async (_, bucket, n) => ['PUT', `/${bucket}/same/dir/k${n}`, { body: small }],
  },
  {
    operation: 'PutObject with tags',
    request: async (_, bucket, n) => [
      'PUT',
      `/${bucket}/tagged-${n}`,
      { body: small, headers: { 'x-amz-tagging': 'a=1' } },
    ],
  },
  {
    operation: 'PutObject if none matches',
    request: async (_, bucket, n) => [
      'PUT',
      `/${bucket}/cond-${n}`,
      { body: small, headers: { 'If-None-Match': '*' } },
    ],
  },
  {
    operation: 'PutObject if it matches',
    async request(at, bucket) {
      const etag = (await put(at, bucket, 'match')).header('etag') ?? ''
      return ['PUT', `/${bucket}/match`, { body: small, headers: { 'If-Match': etag } }]
    },
  },
  {
    operation: 'PutObject of a large object',
    request: async (_, bucket, n) => ['PUT', `/${bucket}/large-${n}`, { body: randomBytes(MiB) }],
  },
  {
    operation: 'PutObject of a directory',
    request: async (_, bucket, n) => ['PUT', `/${bucket}/directory-${n}/`],
  },
  {
    operation: 'GetObject',
    async request(at, bucket) {
      await put(at, bucket, 'k')
      return ['GET', `/${bucket}/k`]
    },
  },
  {
    operation: 'GetObject of a range',
    status: 206,
    async request(at, bucket) {
      await put(at, bucket, 'k')
      return ['GET', `/${bucket}/k`, { headers: { Range: 'bytes=1-2' } }]
    },
  },
  {
    operation: 'GetObject of a large object',
    async request(at, bucket) {
      await at.send('PUT', `/${bucket}/big`, { body: Buffer.alloc(4 * MiB) })
      return ['GET', `/${bucket}/big`]
    },
  },
  {
    operation: 'GetObject of nothing',
    status: 404,
    request: async (_, bucket) => ['GET', `/${bucket}/none`],
  },
  {
    operation: 'GetObject not modified',
    status: 304,
    async request(at, bucket) {
      const etag = (await put(at, bucket, 'k')).header('etag') ?? ''
      return ['GET', `/${bucket}/k`, { headers: { 'If-None-Match': etag } }]
    },
  },
  {
    operation: 'HeadObject',
    async request(at, bucket) {
      await put(at, bucket, 'k')
      return ['HEAD', `/${bucket}/k`]
    },
  },
  {
    operation: 'GetObjectAttributes',
    async request(at, bucket) {
      await put(at, bucket, 'k')
      return [
        'GET',
        `/${bucket}/k?attributes`,
        { headers: { 'x-amz-object-attributes': 'ETag,Checksum,ObjectSize' } },
      ]
    },
  },
  {
    operation: 'DeleteObject',
    status: 204,
    async request(at, bucket) {
      await put(at, bucket, 'k')
      return ['DELETE', `/${bucket}/k`]
    },
  },
  {
    operation: 'DeleteObject in a directory',
    status: 204,
    async request(at, bucket) {
      await put(at, bucket, 'stays/a')
      await put(at, bucket, 'stays/goes/k')
      return ['DELETE', `/${bucket}/stays/goes/k`]
    },
  },
  {
    // One key: several are deleted side by side, in an order of their own.
    operation: 'DeleteObjects',
    async request(at, bucket) {
      await put(at, bucket, 'k')
      const body = '<Delete><Object><Key>k</Key></Object></Delete>'
      return ['POST', `/${bucket}?delete`, { body, headers: { 'Content-MD5': md5Base64(body) } }]
    },
  },
  {
    operation: 'CopyObject',
    async request(at, bucket, n) {
      await put(at, bucket, 'k')
      return ['PUT', `/${bucket}/copy-${n}`, { headers: { 'x-amz-copy-source': `${bucket}/k` } }]
    },
  },
  {
    operation: 'CopyObject onto itself',
    async request(at, bucket) {
      await put(at, bucket, 'k')
      return [
        'PUT',
        `/${bucket}/k`,
        {
          headers: {
            'x-amz-copy-source': `${bucket}/k`,
            'x-amz-metadata-directive': 'REPLACE',
            'x-amz-meta-a': '1',
          },
        },
      ]
    },
  },
  {
    operation: 'ListObjectsV2',
    async request(at, bucket) {
      for (const key of ['a', 'b', 'dir/c']) await put(at, bucket, key)
      await settled()
      return ['GET', `/${bucket}?list-type=2&delimiter=%2F`]
    },
  },
  {
    operation: 'ListObjects',
    async request(at, bucket) {
      for (const key of ['a', 'b', 'dir/c']) await put(at, bucket, key)
      await settled()
      return ['GET', `/${bucket}`]
    },
  },
  {
    operation: 'ListObjectVersions',
    async request(at, bucket) {
      for (const key of ['a', 'b', 'dir/c']) await put(at, bucket, key)
      await settled()
      return ['GET', `/${bucket}?versions`]
    },
  },
  {
    operation: 'CreateMultipartUpload',
    request: async (_, bucket) => ['POST', `/${bucket}/k?uploads`],
  },
  {
    operation: 'UploadPart',
    async request(at, bucket) {
      const upload = await startUpload(at, [], { bucket })
      return ['PUT', upload.target('partNumber=1'), { body: small }]
    },
  },
  {
    operation: 'UploadPartCopy',
    async request(at, bucket) {
      await put(at, bucket, 'k')
      const upload = await startUpload(at, [], { bucket, key: 'target' })
      return [
        'PUT',
        upload.target('partNumber=1'),
        { headers: { 'x-amz-copy-source': `${bucket}/k` } },
      ]
    },
  },
  {
    operation: 'CompleteMultipartUpload',
    async request(at, bucket, n) {
      const upload = await startUpload(at, [Buffer.alloc(5 * MiB), Buffer.alloc(5 * MiB), small], {
        bucket,
        key: `mp-${n}`,
      })
      return [
        'POST',
        upload.target(),
        { body: completeXml(upload.etags.map((etag, i) => ({ number: i + 1, etag }))) },
      ]
    },
  },
  {
    operation: 'AbortMultipartUpload',
    status: 204,
    async request(at, bucket) {
      const upload = await startUpload(at, [small, small], { bucket })
      return ['DELETE', upload.target()]
    },
  },
  {
    operation: 'ListParts',
    async request(at, bucket) {
      const upload = await startUpload(at, [small, small], { bucket })
      return ['GET', upload.target()]
    },
  },
  {
    operation: 'ListMultipartUploads',
    async request(at, bucket, n) {
      if (n === 1) for (const key of ['a', 'b']) await startUpload(at, [], { bucket, key })
      return ['GET', `/${bucket}?uploads`]
    },
  },
  {
    operation: 'NotImplemented operation',
    status: 501,
    request: async (_, bucket) => ['GET', `/${bucket}?lifecycle`],
  },
  {
    operation: 'Unsigned request',
    status: 403,
    request: async (_, bucket) => ['GET', `/${bucket}/k`, { sign: false }],
  },
]
