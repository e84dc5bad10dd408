import { AbortMultipartUploadCommand } from '@aws-sdk/client-s3'
import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { startUpload } from '../support/multipart.ts'
import { strayFiles } from '../support/tree.ts'

const at = useGateway()

describe('AbortMultipartUpload', () => {
  test('everything of it goes, other uploads of the key stay', async () => {
    const upload = await startUpload(at, ['one', 'two'])
    const other = await startUpload(at, ['kept'], { bucket: upload.bucket })
    const { status, text } = await at.send('DELETE', upload.target())
    expect([status, text]).toEqual([204, ''])
    expect((await at.send('GET', other.target())).elements('PartNumber')).toEqual(['1'])
    await at.s3.send(
      new AbortMultipartUploadCommand({
        Bucket: upload.bucket,
        Key: 'k',
        UploadId: other.uploadId,
      }),
    )
    expect(strayFiles(at.path(upload.bucket))).toEqual([])
    const again = await at.send('DELETE', upload.target())
    expect([again.status, again.code, again.element('UploadId')]).toEqual([
      404,
      'NoSuchUpload',
      upload.uploadId,
    ])
  })

  test('of another key', async () => {
    const upload = await startUpload(at, ['one'])
    const { status, code } = await at.send(
      'DELETE',
      `/${upload.bucket}/other?uploadId=${upload.uploadId}`,
    )
    expect([status, code]).toEqual([404, 'NoSuchUpload'])
    expect((await at.send('GET', upload.target())).status).toBe(200)
  })

  test('x-amz-if-match-initiated-time (contract 3.4)', async () => {
    const upload = await startUpload(at)
    const wrong = await at.send('DELETE', upload.target(), {
      headers: { 'x-amz-if-match-initiated-time': 'Wed, 02 Jan 2019 03:04:05 GMT' },
    })
    expect([wrong.status, wrong.code, wrong.element('Condition')]).toEqual([
      412,
      'PreconditionFailed',
      'If-Match-Initiated-Time',
    ])
    const hash = createHash('sha256').update('k').digest('hex')
    const { mtimeMs } = statSync(
      at.path(upload.bucket, `.sgwtmp/multipart/${hash}/${upload.uploadId}`),
    )
    const right = await at.send('DELETE', upload.target(), {
      headers: { 'x-amz-if-match-initiated-time': new Date(mtimeMs).toUTCString() },
    })
    expect(right.status).toBe(204)
  })

  test('while a part is on its way: nothing is left', async () => {
    const upload = await startUpload(at)
    const [part, abort] = await Promise.all([
      upload.part(1, Buffer.alloc(8_000_000)),
      at.send('DELETE', upload.target()),
    ])
    expect(abort.status).toBe(204)
    expect([200, 404]).toContain(part.status)
    expect(strayFiles(at.path(upload.bucket))).toEqual([])
  })
})
