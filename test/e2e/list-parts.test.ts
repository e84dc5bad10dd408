import { ListPartsCommand } from '@aws-sdk/client-s3'
import { beforeAll, describe, expect, test } from 'vitest'
import { checksum, md5Hex } from '../support/checksums.ts'
import { useGateway } from '../support/fixture.ts'
import { startUpload, type Upload } from '../support/multipart.ts'

const at = useGateway()
let upload: Upload

beforeAll(async () => {
  upload = await startUpload(at, ['one', 'two', 'three'])
})

describe('ListParts', () => {
  test('the document (contract 6.3)', async () => {
    const { status, text } = await at.send('GET', upload.target())
    const part = (number: number, body: string): string =>
      `<Part><LastModified>DATE</LastModified><PartNumber>${number}</PartNumber><ETag>&#34;${md5Hex(body)}&#34;</ETag><Size>${body.length}</Size></Part>`
    expect(status).toBe(200)
    expect(text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'DATE')).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        `<Bucket>${upload.bucket}</Bucket><Key>k</Key><UploadId>${upload.uploadId}</UploadId><ChecksumAlgorithm>null</ChecksumAlgorithm>` +
        '<ChecksumType>null</ChecksumType><Initiator><ID></ID><DisplayName></DisplayName></Initiator><Owner><ID></ID><DisplayName></DisplayName></Owner>' +
        '<StorageClass>STANDARD</StorageClass><PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>3</NextPartNumberMarker>' +
        `<MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated>${part(1, 'one')}${part(2, 'two')}${part(3, 'three')}</ListPartsResult>`,
    )
  })

  test('pages', async () => {
    const where = { Bucket: upload.bucket, Key: 'k', UploadId: upload.uploadId }
    const first = await at.s3.send(new ListPartsCommand({ ...where, MaxParts: 2 }))
    expect(first.Parts?.map(({ PartNumber }) => PartNumber)).toEqual([1, 2])
    expect([first.IsTruncated, first.NextPartNumberMarker]).toEqual([true, '2'])
    const second = await at.s3.send(new ListPartsCommand({ ...where, PartNumberMarker: '2' }))
    expect(second.Parts?.map(({ PartNumber }) => PartNumber)).toEqual([3])
    expect(second.IsTruncated).toBe(false)
    const beyond = await at.send('GET', upload.target('part-number-marker=99'))
    expect([beyond.status, beyond.elements('PartNumber')]).toEqual([200, []])
  })

  test('in the order of numbers, not of names', async () => {
    const many = await startUpload(at)
    for (const number of [10, 9, 100, 1]) await many.part(number, `part ${number}`)
    expect((await at.send('GET', many.target())).elements('PartNumber')).toEqual([
      '1',
      '9',
      '10',
      '100',
    ])
  })

  test('declared checksums', async () => {
    const summed = await startUpload(at, ['one'], { algorithm: 'SHA256' })
    const { element } = await at.send('GET', summed.target())
    expect([element('ChecksumAlgorithm'), element('ChecksumType')]).toEqual(['SHA256', 'COMPOSITE'])
    expect(element('ChecksumSHA256')).toBe(checksum('SHA256', 'one'))
  })

  test('errors', async () => {
    const unknown = await at.send('GET', `/${upload.bucket}/k?uploadId=nope`)
    expect([unknown.status, unknown.code, unknown.element('UploadId')]).toEqual([
      404,
      'NoSuchUpload',
      'nope',
    ])
    for (const query of ['max-parts=x', 'max-parts=-1', 'part-number-marker=x']) {
      const answer = await at.send('GET', upload.target(query))
      expect([query, answer.status, answer.code]).toEqual([query, 400, 'InvalidArgument'])
    }
  })
})
