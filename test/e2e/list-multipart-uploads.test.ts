import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { failure, useGateway } from '../support/fixture.ts'
import { startUpload, type Upload } from '../support/multipart.ts'

const at = useGateway()

async function uploadsOf(...keys: string[]): Promise<{ bucket: string; uploads: Upload[] }> {
  const bucket = await at.bucket()
  const uploads: Upload[] = []
  for (const key of keys) uploads.push(await startUpload(at, [], { bucket, key }))
  return { bucket, uploads }
}

describe('ListMultipartUploads', () => {
  test('the document (contract 6.3)', async () => {
    const { bucket, uploads } = await uploadsOf('k')
    const { status, text } = await at.send('GET', `/${bucket}?uploads`)
    expect(status).toBe(200)
    expect(text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'DATE')).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        `<Bucket>${bucket}</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker><NextKeyMarker></NextKeyMarker>` +
        '<NextUploadIdMarker></NextUploadIdMarker><Delimiter></Delimiter><Prefix></Prefix><MaxUploads>1000</MaxUploads><IsTruncated>false</IsTruncated>' +
        `<Upload><Initiated>DATE</Initiated><Key>k</Key><UploadId>${uploads[0]?.uploadId ?? ''}</UploadId><Initiator><ID></ID><DisplayName></DisplayName></Initiator>` +
        '<Owner><ID></ID><DisplayName></DisplayName></Owner><StorageClass>STANDARD</StorageClass><ChecksumAlgorithm></ChecksumAlgorithm>' +
        '<ChecksumType></ChecksumType></Upload></ListMultipartUploadsResult>',
    )
  })

  test('in the order of keys, then of their beginning; none when there are none', async () => {
    const { bucket, uploads } = await uploadsOf('b', 'a', 'c/d', 'b-')
    const { elements } = await at.send('GET', `/${bucket}?uploads`)
    expect(elements('Key')).toEqual(['a', 'b', 'b-', 'c/d'])
    expect(new Set(elements('UploadId'))).toEqual(new Set(uploads.map(({ uploadId }) => uploadId)))
    const empty = await at.send('GET', `/${await at.bucket()}?uploads`)
    expect([empty.status, empty.elements('Key')]).toEqual([200, []])
  })

  test('prefix and delimiter', async () => {
    const { bucket } = await uploadsOf('a', 'dir/1', 'dir/2', 'dir/sub/3', 'e')
    const answer = await at.s3.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Delimiter: '/' }),
    )
    expect(answer.Uploads?.map(({ Key }) => Key)).toEqual(['a', 'e'])
    expect(answer.CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(['dir/'])
    const below = await at.s3.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: 'dir/', Delimiter: '/' }),
    )
    expect(below.Uploads?.map(({ Key }) => Key)).toEqual(['dir/1', 'dir/2'])
    expect(below.CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(['dir/sub/'])
  })

  test('pages reach every upload, also several of one key', async () => {
    const { bucket, uploads } = await uploadsOf('a', 'a', 'a', 'b', 'c', 'c')
    const found: string[] = []
    let KeyMarker: string | undefined
    let UploadIdMarker: string | undefined
    for (let page = 0; page < 10; page++) {
      const answer = await at.s3.send(
        new ListMultipartUploadsCommand({
          Bucket: bucket,
          MaxUploads: 2,
          KeyMarker,
          UploadIdMarker,
        }),
      )
      found.push(...(answer.Uploads ?? []).map(({ UploadId = '' }) => UploadId))
      if (answer.IsTruncated !== true) break
      KeyMarker = answer.NextKeyMarker
      UploadIdMarker = answer.NextUploadIdMarker
    }
    expect(found.toSorted()).toEqual(uploads.map(({ uploadId }) => uploadId).toSorted())
  })

  test('errors', async () => {
    const bucket = await at.bucket()
    for (const query of [
      'max-uploads=x',
      'max-uploads=-1',
      'key-marker=a&upload-id-marker=no-uuid',
    ]) {
      const answer = await at.send('GET', `/${bucket}?uploads&${query}`)
      expect([query, answer.status, answer.code]).toEqual([query, 400, 'InvalidArgument'])
    }
    const error = await failure(
      at.s3.send(new ListMultipartUploadsCommand({ Bucket: 'no-such-bucket' })),
    )
    expect([error.status, error.name]).toEqual([404, 'NoSuchBucket'])
  })
})
