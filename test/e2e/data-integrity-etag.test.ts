import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type ChecksumAlgorithm,
  type ChecksumType,
} from '@aws-sdk/client-s3'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { failure, useGateway } from '../support/fixture.ts'
import { attributesOf } from '../support/tree.ts'

/**
 * Contract 3.1: "with `--data-integrity-etag`: `"{ALGO}-{base64 checksum}"` (ALGO upper-case) … Multipart in that mode:
 * full-object `"ALGO-b64"`, composite `"ALGO-b64-N"`, parts `"CRC64NVME-b64"`." The values are VersityGW's own answers.
 */
describe('--data-integrity-etag', () => {
  const at = useGateway({ posixFlags: ['--data-integrity-etag'] })
  const plain = (): ReturnType<typeof at.client> =>
    at.client({ requestChecksumCalculation: 'WHEN_REQUIRED' })

  test.each([
    [undefined, '"CRC64NVME-M3eFcAZSQlc="'],
    ['CRC32', '"CRC32-NhCmhg=="'],
    ['CRC32C', '"CRC32C-mnG7TA=="'],
    ['SHA1', '"SHA1-qvTGHdzF6KLavt4PO0gs2a6pQ00="'],
    ['SHA256', '"SHA256-LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="'],
  ] as const)('PutObject with checksum %s', async (ChecksumAlgorithm, expected) => {
    const where = { Bucket: await at.bucket(), Key: 'k' }
    const put = await plain().send(
      new PutObjectCommand({ ...where, Body: 'hello', ChecksumAlgorithm }),
    )
    expect(put.ETag).toBe(expected)
    expect((await at.s3.send(new HeadObjectCommand(where))).ETag).toBe(expected)
    expect(attributesOf(join(at.path(where.Bucket), 'k'))['etag']).toBe(expected)
  })

  test('a body that is streamed, a directory object, a copy with another checksum', async () => {
    const Bucket = await at.bucket()
    const Body = Buffer.alloc(1_500_000, 'x')
    const large = await plain().send(new PutObjectCommand({ Bucket, Key: 'large', Body }))
    expect(large.ETag).toBe(`"CRC64NVME-${large.ChecksumCRC64NVME ?? ''}"`)
    const directory = await plain().send(new PutObjectCommand({ Bucket, Key: 'd/' }))
    expect(directory.ETag).toBe('"CRC64NVME-AAAAAAAAAAA="')
    expect(attributesOf(at.path(Bucket, 'd'))['etag']).toBe('"CRC64NVME-AAAAAAAAAAA="')
    const copy = async (Key: string, ChecksumAlgorithm?: ChecksumAlgorithm) => {
      const from = { Bucket, Key, CopySource: `${Bucket}/large`, ChecksumAlgorithm }
      return (await at.s3.send(new CopyObjectCommand(from))).CopyObjectResult
    }
    expect((await copy('same'))?.ETag).toBe(large.ETag)
    const other = await copy('other', 'SHA256')
    expect(other?.ETag).toBe(`"SHA256-${other?.ChecksumSHA256 ?? ''}"`)
    expect(other?.ChecksumSHA256).toMatch(/=$/)
  })

  test('conditions compare with it; Content-MD5 is verified all the same', async () => {
    const where = { Bucket: await at.bucket(), Key: 'k', Body: 'hello' }
    const s3 = plain()
    await s3.send(new PutObjectCommand({ ...where, ContentMD5: 'XUFAKrxLKna5cZ2REBfFkg==' }))
    await s3.send(new PutObjectCommand({ ...where, IfMatch: '"CRC64NVME-M3eFcAZSQlc="' }))
    const wrong = { ...where, IfMatch: '"5d41402abc4b2a76b9719d911017c592"' }
    expect((await failure(s3.send(new PutObjectCommand(wrong)))).name).toBe('PreconditionFailed')
    const bad = { ...where, ContentMD5: 'AAAAAAAAAAAAAAAAAAAAAA==' }
    expect((await failure(s3.send(new PutObjectCommand(bad)))).name).toBe('BadDigest')
    const stale = { Bucket: where.Bucket, Key: 'k', IfNoneMatch: '"CRC64NVME-M3eFcAZSQlc="' }
    expect((await failure(s3.send(new GetObjectCommand(stale)))).status).toBe(304)
  })

  const PARTS = ['"CRC64NVME-UpX9kykq4BQ="', '"CRC64NVME-2OvkvjD5Qaw="']
  const BODIES = [Buffer.alloc(5 * 1024 * 1024, 'x'), Buffer.alloc(10, 'x')]

  test.each<[ChecksumAlgorithm | undefined, ChecksumType | undefined, string, boolean]>([
    [undefined, undefined, '"CRC64NVME-PUGXp2wGTFo="', false],
    ['CRC64NVME', undefined, '"CRC64NVME-PUGXp2wGTFo="', false],
    ['CRC32', 'FULL_OBJECT', '"CRC32-qdolzw=="', false],
    ['CRC32', 'COMPOSITE', '"CRC32-/9lHIw==-2"', false],
    [undefined, undefined, '"CRC64NVME-PUGXp2wGTFo="', true],
    ['CRC32', 'FULL_OBJECT', '"CRC32-qdolzw=="', true],
  ])('parts of an upload with %s, %s: %s (copied: %s)', async (algorithm, type, etag, copied) => {
    const s3 = plain()
    const where = { Bucket: await at.bucket(), Key: 'k' }
    const checksum = { ChecksumAlgorithm: algorithm, ChecksumType: type }
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...where, ...checksum }))
    const upload = { ...where, UploadId }
    const parts = []
    for (const [i, Body] of BODIES.entries()) {
      const part = { ...upload, PartNumber: i + 1 }
      if (copied) await s3.send(new PutObjectCommand({ Bucket: where.Bucket, Key: 'src', Body }))
      const sent = copied
        ? (await s3.send(new UploadPartCopyCommand({ ...part, CopySource: `${where.Bucket}/src` })))
            .CopyPartResult
        : await s3.send(new UploadPartCommand({ ...part, Body, ChecksumAlgorithm: algorithm }))
      parts.push({
        PartNumber: i + 1,
        ETag: sent?.ETag,
        ...(algorithm === 'CRC32' && { ChecksumCRC32: sent?.ChecksumCRC32 }),
        ...(algorithm === 'CRC64NVME' && { ChecksumCRC64NVME: sent?.ChecksumCRC64NVME }),
      })
    }
    expect(parts.map(({ ETag }) => ETag)).toEqual(PARTS)
    const listed = await s3.send(new ListPartsCommand(upload))
    expect(listed.Parts?.map(({ ETag }) => ETag)).toEqual(PARTS)
    const complete = new CompleteMultipartUploadCommand({
      ...upload,
      MultipartUpload: { Parts: parts },
    })
    expect((await s3.send(complete)).ETag).toBe(etag)
    expect((await s3.send(new HeadObjectCommand(where))).ETag).toBe(etag)
    // Asked again, it answers as before.
    expect((await s3.send(complete)).ETag).toBe(etag)
  })
})
