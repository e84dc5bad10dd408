import { ListObjectsCommand } from '@aws-sdk/client-s3'
import { beforeAll, describe, expect, test } from 'vitest'
import { md5Hex } from '../support/checksums.ts'
import { failure, useGateway } from '../support/fixture.ts'
import { encode } from '../support/sigv4.ts'

const at = useGateway()
const KEYS = ['a', 'b-x', 'b/1', 'b/2', 'c/d/1', 'z']
const bucket = 'listed-bucket'

beforeAll(async () => {
  await at.send('PUT', `/${bucket}`)
  for (const key of KEYS) await at.send('PUT', `/${bucket}/${key}`, { body: 'x' })
})

describe('ListObjects', () => {
  test('the document (contract 6.3)', async () => {
    const { text, header, status } = await at.send('GET', `/${bucket}?prefix=a`)
    expect([status, header('x-amz-bucket-region')]).toEqual([200, 'us-east-1'])
    expect(text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'DATE')).toBe(
      `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${bucket}</Name>` +
        '<Prefix>a</Prefix><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><LastModified>DATE</LastModified>' +
        `<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><ETag>&#34;${md5Hex('x')}&#34;</ETag>` +
        `<Key>a</Key><Owner><ID>${at.credentials.access}</ID></Owner><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>` +
        '<EncodingType></EncodingType></ListBucketResult>',
    )
  })

  test('an empty bucket', async () => {
    const empty = await at.bucket()
    const { text } = await at.send('GET', `/${empty}`)
    expect(text).toContain(
      `<Name>${empty}</Name><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><EncodingType></EncodingType>`,
    )
  })

  test('markers, delimiters, pages', async () => {
    const first = await at.s3.send(
      new ListObjectsCommand({ Bucket: bucket, Delimiter: '/', MaxKeys: 3 }),
    )
    expect(first.Contents?.map(({ Key }) => Key)).toEqual(['a', 'b-x'])
    expect(first.CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(['b/'])
    // contract 3.8: NextMarker whenever truncated
    expect([first.IsTruncated, first.NextMarker]).toEqual([true, 'b/'])
    const second = await at.s3.send(
      new ListObjectsCommand({ Bucket: bucket, Delimiter: '/', Marker: first.NextMarker }),
    )
    expect(second.Contents?.map(({ Key }) => Key)).toEqual(['z'])
    expect(second.CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(['c/'])
    const plain = await at.send('GET', `/${bucket}?max-keys=2`)
    expect([plain.element('NextMarker'), plain.element('IsTruncated')]).toEqual(['b-x', 'true'])
  })

  test.each([
    ['marker=a', ['b-x', 'b/1', 'b/2', 'c/d/1', 'z']],
    ['marker=b', ['b-x', 'b/1', 'b/2', 'c/d/1', 'z']],
    ['marker=b/', ['b/1', 'b/2', 'c/d/1', 'z']],
    ['marker=b/1', ['b/2', 'c/d/1', 'z']],
    ['marker=c/', ['c/d/1', 'z']],
    ['marker=zz', []],
    ['marker=b/1&prefix=b/', ['b/2']],
  ])('%s', async (query, keys) => {
    expect((await at.send('GET', `/${bucket}?${query}`)).elements('Key')).toEqual(keys)
  })

  test('a marker inside a common prefix skips it', async () => {
    const { text, elements } = await at.send(
      'GET',
      `/${bucket}?delimiter=/&marker=${encode('b/1')}`,
    )
    expect(elements('Key')).toEqual(['z'])
    expect(text).not.toContain('<Prefix>b/</Prefix>')
    expect(text).toContain('<Prefix>c/</Prefix>')
  })

  test('max-keys that is no number, and no bucket', async () => {
    const bad = await at.send('GET', `/${bucket}?max-keys=x`)
    expect([bad.status, bad.code]).toEqual([400, 'InvalidArgument'])
    const error = await failure(at.s3.send(new ListObjectsCommand({ Bucket: 'no-such-bucket' })))
    expect([error.status, error.name]).toEqual([404, 'NoSuchBucket'])
    expect((await at.send('GET', `/${bucket}?max-keys=0`)).elements('Key')).toEqual([])
  })
})
