import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { failure, useGateway } from '../support/fixture.ts'
import { findTool } from '../support/tools.ts'
import { attributesOf, strayFiles } from '../support/tree.ts'

const at = useGateway()
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('CreateMultipartUpload', () => {
  test('the document and the directory (contract 2.4, 6.3)', async () => {
    const bucket = await at.bucket()
    const { status, text, element } = await at.send('POST', `/${bucket}/a/key?uploads`, {
      headers: { 'Content-Type': 'text/x', 'x-amz-meta-m': 'Value', 'x-amz-tagging': 't=1' },
    })
    const uploadId = element('UploadId') ?? ''
    expect([status, uploadId]).toEqual([200, expect.stringMatching(UUID)])
    expect(text).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        `<Bucket>${bucket}</Bucket><Key>a/key</Key><UploadId>${uploadId}</UploadId></InitiateMultipartUploadResult>`,
    )
    const hash = createHash('sha256').update('a/key').digest('hex')
    const multipart = `.sgwtmp/multipart/${hash}`
    expect(strayFiles(at.path(bucket))).toEqual([`${multipart}/`, `${multipart}/${uploadId}/`])
    if (findTool('getfattr') === undefined) return
    expect(attributesOf(at.path(bucket, multipart))).toEqual({ objname: 'a/key' })
    expect(attributesOf(join(at.path(bucket, multipart), uploadId))).toEqual({
      'content-type': 'text/x',
      metadata: '{"m":"Value"}',
      'X-Amz-Tagging': '{"t":"1"}',
    })
  })

  test('the declared checksum is echoed, and COMPOSITE unless said otherwise (contract 3.3)', async () => {
    const bucket = await at.bucket()
    const create = (headers: Record<string, string>) =>
      at.send('POST', `/${bucket}/k?uploads`, { headers })
    for (const [algorithm, type, answered] of [
      ['CRC32', undefined, 'COMPOSITE'],
      ['CRC32', 'FULL_OBJECT', 'FULL_OBJECT'],
      ['CRC32C', 'COMPOSITE', 'COMPOSITE'],
      ['CRC64NVME', undefined, 'FULL_OBJECT'],
      ['SHA1', undefined, 'COMPOSITE'],
      ['SHA256', 'COMPOSITE', 'COMPOSITE'],
    ] as const) {
      const { status, header } = await create({
        'x-amz-checksum-algorithm': algorithm,
        ...(type === undefined ? {} : { 'x-amz-checksum-type': type }),
      })
      expect([
        algorithm,
        status,
        header('x-amz-checksum-algorithm'),
        header('x-amz-checksum-type'),
      ]).toEqual([algorithm, 200, algorithm, answered])
    }
    const without = await create({})
    expect(without.header('x-amz-checksum-algorithm')).toBeUndefined()
  })

  test('what cannot be', async () => {
    const bucket = await at.bucket()
    const create = (headers: Record<string, string>, key = 'k') =>
      at.send('POST', `/${bucket}/${key}?uploads`, { headers })
    const typeOnly = await create({ 'x-amz-checksum-type': 'COMPOSITE' })
    expect([typeOnly.status, typeOnly.message]).toEqual([
      400,
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    ])
    const fullSha = await create({
      'x-amz-checksum-algorithm': 'SHA256',
      'x-amz-checksum-type': 'FULL_OBJECT',
    })
    expect([fullSha.status, fullSha.message]).toEqual([
      400,
      'The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm.',
    ])
    const composite = await create({
      'x-amz-checksum-algorithm': 'CRC64NVME',
      'x-amz-checksum-type': 'COMPOSITE',
    })
    expect([composite.status, composite.code]).toEqual([400, 'InvalidRequest'])
    const unknown = await create({ 'x-amz-checksum-algorithm': 'CRC7' })
    expect([unknown.status, unknown.message]).toEqual([
      400,
      expect.stringMatching(/^Checksum algorithm provided is unsupported/),
    ])
    const directory = await create({}, 'dir/')
    expect([directory.status, directory.code]).toEqual([400, 'DirectoryObjectContainsData'])
    const anonymous = await at.send('POST', `/${bucket}/k?uploads`, { sign: false })
    expect([anonymous.status, anonymous.code]).toEqual([403, 'AccessDenied'])
    expect(strayFiles(at.path(bucket))).toEqual([])
    const noBucket = await failure(
      at.s3.send(new CreateMultipartUploadCommand({ Bucket: 'no-such-bucket', Key: 'k' })),
    )
    expect([noBucket.status, noBucket.name]).toEqual([404, 'NoSuchBucket'])
  })
})
