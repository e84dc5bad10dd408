import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { beforeAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'

const at = useGateway()
/** It would refuse an answer with a checksum that it cannot compute. */
const reader = () => at.client({ responseChecksumValidation: 'WHEN_REQUIRED' })
let bucket = ''

beforeAll(async () => {
  bucket = await at.bucket()
})

/** The SDK computes CRCs and the shorter SHAs; of these it sends what it is given. `text`, and an upload of it as one part. */
const SUMS = [
  ['MD5', 'HLJR7A1WjeapKbUgxK7Y0Q==', 'NE5GbvN3grpJDqTsiytfaA==-1'],
  [
    'SHA512',
    '6vLBJ0LLjBYby9hLAyubuYmZojKCVCZyygHMbt0mj33OmYetayvHkwVjT4nZC5AQK81ZpX5xNbjjzrk8BZcRew==',
    '+3HlWynIHNwuGfAuLeteSSlFVMRGvOFqROqoAOx04iLQFGIwsb4Rv7ySxlKMd6IeWH0AQ42oVx4BEajzX8+O/g==-1',
  ],
  ['XXHASH64', 'gKablojMr1I=', 'ckS3/RqdlKk=-1'],
  ['XXHASH3', 'R2n9HGDophE=', 'Z9Qev3zNbSI=-1'],
  ['XXHASH128', 'xaZO//kiTjkmgFJWh6rHxQ==', '4jbv8JG+XDMde8krawESGg==-1'],
] as const

describe.each(SUMS)('contract 3.1, 3.3: %s', (algorithm, sum, composite) => {
  const field = `Checksum${algorithm}` as const
  const where = {
    get Bucket() {
      return bucket
    },
    Key: algorithm,
  }

  test('of an object: put, got, looked at, listed, copied', async () => {
    const put = await at.s3.send(new PutObjectCommand({ ...where, Body: 'text', [field]: sum }))
    expect([put[field], put.ChecksumType]).toEqual([sum, 'FULL_OBJECT'])
    const head = await at.s3.send(new HeadObjectCommand({ ...where, ChecksumMode: 'ENABLED' }))
    expect([head[field], head.ChecksumType]).toEqual([sum, 'FULL_OBJECT'])
    const { Checksum } = await at.s3.send(
      new GetObjectAttributesCommand({ ...where, ObjectAttributes: ['Checksum'] }),
    )
    expect(Checksum).toEqual({ [field]: sum, ChecksumType: 'FULL_OBJECT' })
    const { Contents } = await at.s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: algorithm, MaxKeys: 1 }),
    )
    expect(Contents?.[0]?.ChecksumAlgorithm).toEqual([algorithm])
    const { CopyObjectResult } = await at.s3.send(
      new CopyObjectCommand({
        Bucket: bucket,
        Key: `${algorithm}-copy`,
        CopySource: `${bucket}/${algorithm}`,
      }),
    )
    expect(CopyObjectResult?.[field]).toBe(sum)
  })

  test('wrong: BadDigest, and the object stays', async () => {
    const wrong = sum.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))
    const put = at.s3.send(new PutObjectCommand({ ...where, Body: 'other', [field]: wrong }))
    await expect(put).rejects.toMatchObject({
      name: 'BadDigest',
      message: `The ${algorithm} you specified did not match the calculated checksum.`,
    })
    const got = await reader().send(new GetObjectCommand(where))
    expect(await got.Body?.transformToString()).toBe('text')
  })

  test('a copy onto itself is given the checksum of its bytes (contract 9.2, 3)', async () => {
    const Key = `${algorithm}-self`
    await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'text' }))
    await at.s3.send(
      new CopyObjectCommand({
        Bucket: bucket,
        Key,
        CopySource: `${bucket}/${Key}`,
        MetadataDirective: 'REPLACE',
        ChecksumAlgorithm: algorithm,
      }),
    )
    const head = await at.s3.send(
      new HeadObjectCommand({ Bucket: bucket, Key, ChecksumMode: 'ENABLED' }),
    )
    expect(head[field]).toBe(sum)
  })

  test('of an upload: COMPOSITE, told of parts and object', async () => {
    const upload = { Bucket: bucket, Key: `${algorithm}-parts` }
    const { UploadId, ChecksumType } = await at.s3.send(
      new CreateMultipartUploadCommand({ ...upload, ChecksumAlgorithm: algorithm }),
    )
    expect(ChecksumType).toBe('COMPOSITE')
    const part = await at.s3.send(
      new UploadPartCommand({ ...upload, UploadId, PartNumber: 1, Body: 'text', [field]: sum }),
    )
    expect(part[field]).toBe(sum)
    const { Parts } = await at.s3.send(new ListPartsCommand({ ...upload, UploadId }))
    expect(Parts?.[0]?.[field]).toBe(sum)
    const completed = await at.s3.send(
      new CompleteMultipartUploadCommand({
        ...upload,
        UploadId,
        MultipartUpload: { Parts: [{ PartNumber: 1, ETag: part.ETag, [field]: sum }] },
      }),
    )
    expect([completed[field], completed.ChecksumType]).toEqual([composite, 'COMPOSITE'])
    const head = await at.s3.send(new HeadObjectCommand({ ...upload, ChecksumMode: 'ENABLED' }))
    expect([head[field], head.ChecksumType]).toEqual([composite, 'COMPOSITE'])
  })
})
