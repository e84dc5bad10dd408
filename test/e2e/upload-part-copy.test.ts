import { UploadPartCopyCommand } from '@aws-sdk/client-s3'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { md5Hex } from '../support/checksums.ts'
import { useGateway } from '../support/fixture.ts'
import { startUpload, type Upload } from '../support/multipart.ts'

const at = useGateway()
const source = randomBytes(300_000)

async function uploadBesideSource(): Promise<{ upload: Upload; part: (number: number) => Buffer }> {
  const upload = await startUpload(at)
  writeFileSync(at.path(upload.bucket, 'source'), source)
  const hash = createHash('sha256').update('k').digest('hex')
  const part = (number: number): Buffer =>
    readFileSync(at.path(upload.bucket, `.sgwtmp/multipart/${hash}/${upload.uploadId}/${number}`))
  return { upload, part }
}

const copy = (upload: Upload, headers: Record<string, string>, number: string | number = 1) =>
  at.send('PUT', upload.target(`partNumber=${number}`), {
    headers: { 'x-amz-copy-source': `${upload.bucket}/source`, ...headers },
  })

describe('UploadPartCopy', () => {
  test('a whole object', async () => {
    const { upload, part } = await uploadBesideSource()
    const { status, text } = await copy(upload, {})
    expect(status).toBe(200)
    expect(text).toMatch(
      new RegExp(
        `^<\\?xml version="1\\.0" encoding="UTF-8"\\?>\n<CopyPartResult><LastModified>[^<]+Z</LastModified><ETag>&#34;${md5Hex(source)}&#34;</ETag></CopyPartResult>$`,
      ),
    )
    expect(Buffer.compare(part(1), source)).toBe(0)
  })

  test.each([
    [0, 0],
    [0, 299_999],
    [100_000, 200_000],
    [299_999, 299_999],
  ])('bytes %i to %i', async (first, last) => {
    const { upload, part } = await uploadBesideSource()
    const { CopyPartResult } = await at.s3.send(
      new UploadPartCopyCommand({
        Bucket: upload.bucket,
        Key: 'k',
        UploadId: upload.uploadId,
        PartNumber: 2,
        CopySource: `${upload.bucket}/source`,
        CopySourceRange: `bytes=${first}-${last}`,
      }),
    )
    const expected = source.subarray(first, last + 1)
    expect(CopyPartResult?.ETag).toBe(`"${md5Hex(expected)}"`)
    expect(Buffer.compare(part(2), expected)).toBe(0)
  })

  test('an open range is refused, never padded (contract 9.2, 2)', async () => {
    const { upload } = await uploadBesideSource()
    for (const range of ['bytes=5-', 'bytes=-5', '0-4', 'bytes=4-2', 'bytes=a-b']) {
      const answer = await copy(upload, { 'x-amz-copy-source-range': range })
      expect([range, answer.status, answer.code, answer.element('ArgumentName')]).toEqual([
        range,
        400,
        'InvalidArgument',
        'x-amz-copy-source-range',
      ])
    }
    const outside = await copy(upload, { 'x-amz-copy-source-range': 'bytes=0-300000' })
    expect([outside.status, outside.message]).toEqual([
      400,
      'Range specified is not valid for source object of size: 300000',
    ])
    expect((await at.send('GET', upload.target())).elements('PartNumber')).toEqual([])
  })

  test('errors', async () => {
    const { upload } = await uploadBesideSource()
    const missing = await copy(upload, { 'x-amz-copy-source': `${upload.bucket}/none` })
    expect([missing.status, missing.code]).toEqual([404, 'NoSuchKey'])
    const condition = await copy(upload, { 'x-amz-copy-source-if-match': '"abc"' })
    expect([condition.status, condition.code]).toEqual([412, 'PreconditionFailed'])
    const number = await copy(upload, {}, 0)
    expect([number.status, number.code]).toEqual([400, 'InvalidArgument'])
    const unknown = '00000000-0000-4000-8000-000000000000'
    const noUpload = await at.send('PUT', `/${upload.bucket}/k?partNumber=1&uploadId=${unknown}`, {
      headers: { 'x-amz-copy-source': `${upload.bucket}/source` },
    })
    expect([noUpload.status, noUpload.code]).toEqual([404, 'NoSuchUpload'])
  })
})
