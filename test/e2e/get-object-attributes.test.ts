import {
  GetObjectAttributesCommand,
  PutObjectCommand,
  UploadPartCommand,
  CreateMultipartUploadCommand,
  CompleteMultipartUploadCommand,
} from '@aws-sdk/client-s3'
import { statSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { checksum, md5Hex } from '../support/checksums.ts'
import { useGateway } from '../support/fixture.ts'

const at = useGateway()
const body = Buffer.from('0123456789abcd')
let bucket = ''

beforeAll(async () => {
  bucket = await at.bucket()
  await at.s3.send(
    new PutObjectCommand({ Bucket: bucket, Key: 'k', Body: body, ChecksumAlgorithm: 'SHA256' }),
  )
})

const attributes = (names: string | undefined, key = 'k') =>
  at.send('GET', `/${bucket}/${key}?attributes`, {
    headers: names === undefined ? {} : { 'x-amz-object-attributes': names },
  })

describe('GetObjectAttributes', () => {
  test('all of them (contract 3.7, 6.3)', async () => {
    const { status, text, header } = await attributes(
      'ETag,Checksum,ObjectParts,StorageClass,ObjectSize',
    )
    expect(status).toBe(200)
    expect(text).toBe(
      `<?xml version="1.0" encoding="UTF-8"?>\n<GetObjectAttributesResponse><ETag>${md5Hex(body)}</ETag><ObjectSize>14</ObjectSize>` +
        `<StorageClass>STANDARD</StorageClass><Checksum><ChecksumSHA256>${checksum('SHA256', body)}</ChecksumSHA256>` +
        '<ChecksumType>FULL_OBJECT</ChecksumType></Checksum></GetObjectAttributesResponse>',
    )
    expect(header('last-modified')).toMatch(
      /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/,
    )
    const mtime = Math.floor(statSync(at.path(bucket, 'k')).mtimeMs / 1000) * 1000
    expect(new Date(`${header('last-modified') ?? ''} UTC`).getTime()).toBe(mtime)
  })

  test('those that were asked for, in one header or several', async () => {
    expect((await attributes('ETag')).text).toContain(
      `<GetObjectAttributesResponse><ETag>${md5Hex(body)}</ETag></GetObjectAttributesResponse>`,
    )
    const two = await at.send('GET', `/${bucket}/k?attributes`, {
      headers: [
        ['x-amz-object-attributes', 'ETag'],
        ['x-amz-object-attributes', 'ObjectSize'],
      ],
    })
    expect([two.element('ETag'), two.element('ObjectSize'), two.element('StorageClass')]).toEqual([
      md5Hex(body),
      '14',
      undefined,
    ])
  })

  test('errors', async () => {
    const none = await attributes(undefined)
    expect([none.status, none.code]).toEqual([400, 'InvalidRequest'])
    const unknown = await attributes('ETag,Foo')
    expect([unknown.status, unknown.code, unknown.element('ArgumentName')]).toEqual([
      400,
      'InvalidArgument',
      'x-amz-object-attributes',
    ])
    const missing = await attributes('ETag', 'none')
    expect([missing.status, missing.code]).toEqual([404, 'NoSuchKey'])
  })

  test('ObjectParts of a multipart object (contract 9.2, 31)', async () => {
    const parts = [Buffer.alloc(5 * 1024 * 1024, 'a'), Buffer.from('tail')]
    const where = { Bucket: bucket, Key: 'mpu' }
    const { UploadId } = await at.s3.send(
      new CreateMultipartUploadCommand({
        ...where,
        ChecksumAlgorithm: 'CRC32',
        ChecksumType: 'COMPOSITE',
      }),
    )
    const uploaded = []
    for (const [i, Body] of parts.entries()) {
      const { ETag, ChecksumCRC32 } = await at.s3.send(
        new UploadPartCommand({
          ...where,
          UploadId,
          PartNumber: i + 1,
          Body,
          ChecksumAlgorithm: 'CRC32',
        }),
      )
      uploaded.push({ PartNumber: i + 1, ETag, ChecksumCRC32 })
    }
    await at.s3.send(
      new CompleteMultipartUploadCommand({
        ...where,
        UploadId,
        MultipartUpload: { Parts: uploaded },
      }),
    )
    const { ObjectParts, ETag } = await at.s3.send(
      new GetObjectAttributesCommand({ ...where, ObjectAttributes: ['ObjectParts', 'ETag'] }),
    )
    expect(ETag).toMatch(/^[0-9a-f]{32}-2$/)
    expect(ObjectParts?.TotalPartsCount).toBe(2)
    expect(ObjectParts?.IsTruncated).toBe(false)
    expect(ObjectParts?.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
      [1, 5 * 1024 * 1024],
      [2, 4],
    ])
    const page = await at.s3.send(
      new GetObjectAttributesCommand({ ...where, ObjectAttributes: ['ObjectParts'], MaxParts: 1 }),
    )
    expect(page.ObjectParts?.Parts?.map(({ PartNumber }) => PartNumber)).toEqual([1])
    expect([page.ObjectParts?.IsTruncated, page.ObjectParts?.NextPartNumberMarker]).toEqual([
      true,
      '1',
    ])
  })
})
