import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checksum, md5Base64, md5Hex } from '../support/checksums.ts'
import { useGateway } from '../support/fixture.ts'
import { startUpload } from '../support/multipart.ts'
import { findTool } from '../support/tools.ts'
import { attributesOf, strayFiles } from '../support/tree.ts'

const at = useGateway()
const body = Buffer.from('the data of a part')
const directory = `.sgwtmp/multipart/${createHash('sha256').update('k').digest('hex')}`

describe('UploadPart', () => {
  test('the answer, the file, its attributes (contract 3.2)', async () => {
    const upload = await startUpload(at)
    const { status, header, text } = await upload.part(7, body)
    expect([status, text, header('etag')]).toEqual([200, '', `"${md5Hex(body)}"`])
    expect(header('x-amz-checksum-crc64nvme')).toBeUndefined()
    expect(header('x-amz-checksum-type')).toBeUndefined()
    const file = at.path(upload.bucket, `${directory}/${upload.uploadId}/7`)
    expect(readFileSync(file)).toEqual(body)
    if (findTool('getfattr') === undefined) return
    expect(attributesOf(file)).toEqual({
      etag: `"${md5Hex(body)}"`,
      'part-crc64nvme': checksum('CRC64NVME', body),
    })
  })

  test('a later one of the same number replaces it', async () => {
    const upload = await startUpload(at)
    await upload.part(1, 'first')
    const { header } = await upload.part(1, body)
    expect(header('etag')).toBe(`"${md5Hex(body)}"`)
    expect(readFileSync(at.path(upload.bucket, `${directory}/${upload.uploadId}/1`))).toEqual(body)
    expect(strayFiles(at.path(upload.bucket))).toHaveLength(3)
  })

  test.skipIf(findTool('getfattr') === undefined)(
    'with the checksum the upload declared',
    async () => {
      const upload = await startUpload(at, [], { algorithm: 'CRC32' })
      const { status, header } = await upload.part(1, body, {
        'x-amz-checksum-crc32': checksum('CRC32', body),
      })
      expect([status, header('x-amz-checksum-crc32')]).toEqual([200, checksum('CRC32', body)])
      const { checksums = '' } = attributesOf(
        at.path(upload.bucket, `${directory}/${upload.uploadId}/1`),
      )
      expect(JSON.parse(checksums)).toMatchObject({
        Algorithm: 'CRC32',
        Type: '',
        CRC32: checksum('CRC32', body),
      })
      const missing = await upload.part(2, body)
      expect([missing.status, missing.code, missing.message]).toEqual([
        400,
        'InvalidRequest',
        'Checksum Type mismatch occurred, expected checksum Type: CRC32, actual checksum Type: null',
      ])
      const other = await upload.part(2, body, { 'x-amz-checksum-sha1': checksum('SHA1', body) })
      expect(other.message).toBe(
        'Checksum Type mismatch occurred, expected checksum Type: CRC32, actual checksum Type: SHA1',
      )
    },
  )

  test('FULL_OBJECT uploads take parts without a checksum', async () => {
    const upload = await startUpload(at, [], { algorithm: 'CRC32C', type: 'FULL_OBJECT' })
    const { status, header } = await upload.part(1, body)
    expect([status, header('x-amz-checksum-crc32c')]).toEqual([200, checksum('CRC32C', body)])
  })

  test('a checksum that was not declared is verified and echoed', async () => {
    const upload = await startUpload(at)
    const right = await upload.part(1, body, { 'x-amz-checksum-sha1': checksum('SHA1', body) })
    expect([right.status, right.header('x-amz-checksum-sha1')]).toEqual([
      200,
      checksum('SHA1', body),
    ])
    const wrong = await upload.part(2, body, { 'x-amz-checksum-sha1': checksum('SHA1', 'x') })
    expect([wrong.status, wrong.code]).toEqual([400, 'BadDigest'])
    const md5 = await upload.part(2, body, { 'Content-MD5': md5Base64('x') })
    expect([md5.status, md5.code]).toEqual([400, 'BadDigest'])
    expect(strayFiles(at.path(upload.bucket)).filter((path) => path.endsWith('/2'))).toEqual([])
  })

  test('part numbers and upload ids that are none', async () => {
    const upload = await startUpload(at)
    for (const number of ['0', '10001', '-1', 'x']) {
      const answer = await at.send('PUT', upload.target(`partNumber=${number}`), { body })
      expect([
        answer.status,
        answer.code,
        answer.element('ArgumentName'),
        answer.element('ArgumentValue'),
      ]).toEqual([400, 'InvalidArgument', 'partNumber', number])
    }
    const unknown = '00000000-0000-4000-8000-000000000000'
    const noUpload = await at.send('PUT', `/${upload.bucket}/k?partNumber=1&uploadId=${unknown}`, {
      body,
    })
    expect([noUpload.status, noUpload.code, noUpload.element('UploadId')]).toEqual([
      404,
      'NoSuchUpload',
      unknown,
    ])
    const otherKey = await at.send(
      'PUT',
      `/${upload.bucket}/other?partNumber=1&uploadId=${upload.uploadId}`,
      { body },
    )
    expect([otherKey.status, otherKey.code]).toEqual([404, 'NoSuchUpload'])
    const noNumber = await at.send('PUT', upload.target(), { body })
    expect([noNumber.status, noNumber.element('ResourceType'), noNumber.header('allow')]).toEqual([
      405,
      'UPLOAD',
      'DELETE, POST, GET',
    ])
    const noId = await at.send('PUT', `/${upload.bucket}/k?partNumber=1`, { body })
    expect([noId.status, noId.message]).toEqual([
      400,
      'This operation does not accept partNumber without uploadId',
    ])
  })
})
