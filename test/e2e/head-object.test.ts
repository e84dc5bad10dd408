import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { beforeAll, describe, expect, test } from 'vitest'
import { checksum, md5Hex } from '../support/checksums.ts'
import { failure, useGateway } from '../support/fixture.ts'
import { openConnection } from '../support/raw-http.ts'

const at = useGateway()
const body = Buffer.from('0123456789abcd')
let bucket = ''

beforeAll(async () => {
  bucket = await at.bucket()
  await at.s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: 'k',
      Body: body,
      ContentType: 'text/plain',
      Metadata: { a: '1' },
      Tagging: 't=1',
    }),
  )
})

const head = (headers: Record<string, string> = {}, query = '') =>
  at.send('HEAD', `/${bucket}/k${query}`, { headers })

describe('HeadObject', () => {
  test('the headers of GetObject, no body', async () => {
    const { status, header } = await head()
    expect(status).toBe(200)
    expect(header('content-length')).toBe('14')
    expect(header('etag')).toBe(`"${md5Hex(body)}"`)
    expect(header('content-type')).toBe('text/plain')
    expect(header('accept-ranges')).toBe('bytes')
    expect(header('x-amz-storage-class')).toBe('STANDARD')
    expect(header('x-amz-meta-a')).toBe('1')
    expect(header('x-amz-tagging-count')).toBe('1')
    expect(header('last-modified')).toMatch(/ GMT$/)
  })

  test('nothing follows the headers on the connection', async () => {
    const connection = await openConnection(at.gateway.port)
    for (const target of [`/${bucket}/k`, `/${bucket}/none`, '/no-such-bucket']) {
      connection.write(at.head('HEAD', target))
      await connection.response({ head: true })
    }
    connection.write(at.head('GET', `/${bucket}/k`))
    expect((await connection.response()).text).toBe(body.toString())
    connection.close()
  })

  test('checksum mode', async () => {
    const answer = await at.s3.send(
      new HeadObjectCommand({ Bucket: bucket, Key: 'k', ChecksumMode: 'ENABLED' }),
    )
    expect(answer.ChecksumCRC32).toBe(checksum('CRC32', body))
    expect(answer.ChecksumType).toBe('FULL_OBJECT')
    expect((await head()).header('x-amz-checksum-crc32')).toBeUndefined()
  })

  test('ranges and parts', async () => {
    const range = await head({ Range: 'bytes=2-5' })
    expect([range.status, range.header('content-range'), range.header('content-length')]).toEqual([
      206,
      'bytes 2-5/14',
      '4',
    ])
    const part = await head({}, '?partNumber=1')
    expect([part.status, part.header('content-range')]).toEqual([206, 'bytes 0-13/14'])
    expect((await head({ Range: 'bytes=14-' })).status).toBe(416)
    expect((await head({}, '?partNumber=2')).status).toBe(416)
  })

  test('conditions', async () => {
    expect((await head({ 'If-None-Match': `"${md5Hex(body)}"` })).status).toBe(304)
    expect((await head({ 'If-Match': '"abc"' })).status).toBe(412)
    expect((await head({ 'If-Match': `"${md5Hex(body)}"` })).status).toBe(200)
  })

  test('errors keep the length of the body that is not sent', async () => {
    const missing = await at.send('HEAD', `/${bucket}/none`)
    expect([missing.status, missing.header('content-type')]).toEqual([404, 'application/xml'])
    expect(Number(missing.header('content-length'))).toBeGreaterThan(0)
    const error = await failure(at.s3.send(new HeadObjectCommand({ Bucket: bucket, Key: 'none' })))
    expect([error.status, error.name]).toEqual([404, 'NotFound'])
    expect((await at.send('HEAD', '/no-such-bucket/k')).status).toBe(404)
    expect((await at.send('HEAD', `/${bucket}/k`, { sign: false })).status).toBe(403)
  })
})
