import { DeleteObjectsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checksum, md5Base64 } from '../support/checksums.ts'
import { useGateway } from '../support/fixture.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { strayFiles } from '../support/tree.ts'

const at = useGateway()

async function bucketWith(...keys: string[]): Promise<string> {
  const bucket = await at.bucket()
  for (const key of keys)
    await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: 'x' }))
  return bucket
}

function post(
  bucket: string,
  xml: string | Buffer,
  headers?: Record<string, string>,
): Promise<RawResponse> {
  return at.send('POST', `/${bucket}?delete`, {
    body: xml,
    headers: headers ?? { 'Content-MD5': md5Base64(xml) },
  })
}

describe('DeleteObjects', () => {
  test('through the SDK, with its default checksum', async () => {
    const bucket = await bucketWith('a', 'dir/b', 'keep')
    const { Deleted, Errors } = await at.s3.send(
      new DeleteObjectsCommand({
        Bucket: bucket,
        Delete: { Objects: [{ Key: 'a' }, { Key: 'dir/b' }, { Key: 'none' }] },
      }),
    )
    expect(Deleted?.map(({ Key }) => Key)).toEqual(['a', 'dir/b', 'none'])
    expect(Errors).toBeUndefined()
    expect(strayFiles(at.path(bucket))).toEqual(['keep'])
  })

  test('the document (contract 6.3)', async () => {
    const bucket = await bucketWith('a')
    const { status, text, header } = await post(
      bucket,
      '<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object></Delete>',
    )
    expect([status, header('content-type')]).toEqual([200, 'application/xml'])
    expect(text).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>none</Key></Deleted></DeleteResult>',
    )
  })

  test('with the name space of S3, CDATA and entities', async () => {
    const key = `a&<>"'b é`
    const bucket = await bucketWith(key, 'cdata')
    const xml =
      '<?xml version="1.0" encoding="UTF-8"?>\n<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a&amp;&lt;&gt;&quot;&#39;b é</Key></Object>' +
      '<Object><Key><![CDATA[cdata]]></Key></Object></Delete>'
    const { text, elements } = await post(bucket, xml)
    expect(elements('Key')).toEqual([key, 'cdata'])
    expect(text).toContain('a&amp;&lt;&gt;')
    expect(strayFiles(at.path(bucket))).toEqual([])
  })

  test('failures are told key by key', async () => {
    const bucket = await bucketWith('dir/child', 'a')
    const long = 'k'.repeat(256)
    const { status, elements, text } = await post(
      bucket,
      `<Delete><Object><Key>dir/</Key></Object><Object><Key>${long}</Key></Object><Object><Key>a</Key></Object></Delete>`,
    )
    expect(status).toBe(200)
    expect(elements('Code').toSorted()).toEqual(['ErrDirectoryNotEmpty', 'KeyTooLongError'])
    expect(text).toContain('<Deleted><Key>a</Key></Deleted>')
    expect(existsSync(at.path(bucket, 'dir/child'))).toBe(true)
  })

  test('a directory and what is in it, in one request', async () => {
    const bucket = await bucketWith('d/1', 'd/2')
    await at.send('PUT', `/${bucket}/d/`)
    const { elements } = await post(
      bucket,
      '<Delete><Object><Key>d/</Key></Object><Object><Key>d/1</Key></Object><Object><Key>d/2</Key></Object></Delete>',
    )
    expect(elements('Code')).toEqual([])
    expect(strayFiles(at.path(bucket))).toEqual([])
  })

  test('what is required of the body', async () => {
    const bucket = await bucketWith('a')
    const xml = '<Delete><Object><Key>a</Key></Object></Delete>'
    const missing = await post(bucket, xml, {})
    expect([missing.status, missing.code]).toEqual([400, 'InvalidRequest'])
    expect(missing.message).toBe(
      'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
    )
    const wrong = await post(bucket, xml, { 'Content-MD5': md5Base64('other') })
    expect([wrong.status, wrong.code]).toEqual([400, 'BadDigest'])
    const wrongSum = await post(bucket, xml, { 'x-amz-checksum-crc32': checksum('CRC32', 'other') })
    expect([wrongSum.status, wrongSum.code]).toEqual([400, 'BadDigest'])
    const empty = await post(bucket, '', { 'Content-MD5': md5Base64('') })
    expect([empty.status, empty.code]).toEqual([400, 'MissingRequestBodyError'])
    const malformed = await post(bucket, '<Delete><Object><Key>a</Object>')
    expect([malformed.status, malformed.code]).toEqual([400, 'InvalidRequest'])
    expect(existsSync(at.path(bucket, 'a'))).toBe(true)
    expect(
      (await post(bucket, xml, { 'x-amz-checksum-crc32': checksum('CRC32', xml) })).status,
    ).toBe(200)
    expect(existsSync(at.path(bucket, 'a'))).toBe(false)
  })

  test('a thousand keys, and not one more', async () => {
    const bucket = await at.bucket()
    const objects = (count: number): string =>
      `<Delete>${Array.from({ length: count }, (_, i) => `<Object><Key>k${i}</Key></Object>`).join('')}</Delete>`
    const thousand = await post(bucket, objects(1000))
    expect([
      thousand.status,
      thousand.elements('Deleted').length + thousand.elements('Key').length,
    ]).toEqual([200, 1000])
    const more = await post(bucket, objects(1001))
    expect([more.status, more.code]).toEqual([400, 'MalformedXML'])
  })

  test('anonymous and unknown bucket', async () => {
    const bucket = await bucketWith('a')
    const xml = '<Delete><Object><Key>a</Key></Object></Delete>'
    const anonymous = await at.send('POST', `/${bucket}?delete`, {
      body: xml,
      headers: { 'Content-MD5': md5Base64(xml) },
      sign: false,
    })
    expect([anonymous.status, anonymous.code]).toEqual([403, 'AccessDenied'])
    const missing = await post('no-such-bucket', xml)
    expect([missing.status, missing.code]).toEqual([404, 'NoSuchBucket'])
    expect(existsSync(at.path(bucket, 'a'))).toBe(true)
  })
})
