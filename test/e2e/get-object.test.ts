import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { checksum, md5Hex } from '../support/checksums.ts'
import { failure, useGateway } from '../support/fixture.ts'
import { openConnection } from '../support/raw-http.ts'

const at = useGateway()
const body = Buffer.from('0123456789abcd')
const etag = `"${md5Hex(body)}"`
let bucket = ''

beforeAll(async () => {
  bucket = await at.bucket()
  await at.send('PUT', `/${bucket}/k`, { body, headers: { 'Content-Type': 'text/plain' } })
  await at.send('PUT', `/${bucket}/empty`)
})

const get = (headers: Record<string, string> = {}, query = '') =>
  at.send('GET', `/${bucket}/k${query}`, { headers })

describe('GetObject', () => {
  test('the whole object and its headers (contract 3.7)', async () => {
    const { status, header, body: got, headers } = await get()
    expect(status).toBe(200)
    expect(got).toEqual(body)
    expect(header('etag')).toBe(etag)
    expect(header('content-length')).toBe('14')
    expect(header('content-type')).toBe('text/plain')
    expect(header('accept-ranges')).toBe('bytes')
    expect(header('x-amz-storage-class')).toBe('STANDARD')
    expect(header('last-modified')).toBe(
      new Date(statSync(at.path(bucket, 'k')).mtimeMs).toUTCString(),
    )
    expect(header('x-amz-checksum-crc64nvme')).toBeUndefined()
    expect(header('x-amz-version-id')).toBeUndefined()
    expect(headers.filter(([name]) => name.toLowerCase() === 'etag')).toHaveLength(1)
  })

  test('stored headers and metadata come back', async () => {
    await at.s3.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: 'full',
        Body: body,
        ContentType: 'application/json; charset=utf-8',
        ContentEncoding: 'identity',
        ContentLanguage: 'de-AT, en',
        ContentDisposition: 'attachment; filename="a b.json"',
        CacheControl: 'max-age=60',
        Expires: new Date('2030-01-02T03:04:05Z'),
        WebsiteRedirectLocation: '/k',
        Metadata: { a: '1', 'b-c': 'two words' },
        Tagging: 'x=1&y=2',
      }),
    )
    const { header } = await at.send('GET', `/${bucket}/full`)
    expect(header('content-type')).toBe('application/json; charset=utf-8')
    expect(header('content-encoding')).toBe('identity')
    expect(header('content-language')).toBe('de-AT, en')
    expect(header('content-disposition')).toBe('attachment; filename="a b.json"')
    expect(header('cache-control')).toBe('max-age=60')
    expect(header('expires')).toBe('Wed, 02 Jan 2030 03:04:05 GMT')
    expect(header('x-amz-website-redirect-location')).toBe('/k')
    expect(header('x-amz-meta-a')).toBe('1')
    expect(header('x-amz-meta-b-c')).toBe('two words')
    expect(header('x-amz-tagging-count')).toBe('2')
  })

  test('checksums on request, and only with the whole object', async () => {
    const whole = await get({ 'x-amz-checksum-mode': 'ENABLED' })
    expect(whole.header('x-amz-checksum-crc64nvme')).toBe(checksum('CRC64NVME', body))
    expect(whole.header('x-amz-checksum-type')).toBe('FULL_OBJECT')
    const part = await get({ 'x-amz-checksum-mode': 'ENABLED', Range: 'bytes=0-1' })
    expect(part.header('x-amz-checksum-crc64nvme')).toBeUndefined()
    const allOfIt = await get({ 'x-amz-checksum-mode': 'ENABLED', Range: 'bytes=0-' })
    expect(allOfIt.header('x-amz-checksum-crc64nvme')).toBe(checksum('CRC64NVME', body))
  })

  test.each([
    ['bytes=0-3', 'bytes 0-3/14', '0123'],
    ['bytes=10-', 'bytes 10-13/14', 'abcd'],
    ['bytes=-4', 'bytes 10-13/14', 'abcd'],
    ['bytes=-400', 'bytes 0-13/14', '0123456789abcd'],
    ['bytes=12-400', 'bytes 12-13/14', 'cd'],
    ['bytes=13-13', 'bytes 13-13/14', 'd'],
    ['bytes=0-', 'bytes 0-13/14', '0123456789abcd'],
  ])('range %s', async (range, contentRange, text) => {
    const answer = await get({ Range: range })
    expect([answer.status, answer.header('content-range'), answer.text]).toEqual([
      206,
      contentRange,
      text,
    ])
    expect(answer.header('content-length')).toBe(String(text.length))
  })

  test.each([
    'bytes=5-2',
    'bytes=0-1,3-4',
    'bytes=a-b',
    'bytes=-',
    'chars=0-1',
    'bytes 0-1',
    'bytes= 0-1',
    'bytes=0x1-2',
    'BYTES=0-1',
  ])('range %s is ignored (contract 3.7)', async (range) => {
    const answer = await get({ Range: range })
    expect([answer.status, answer.text, answer.header('content-range')]).toEqual([
      200,
      body.toString(),
      undefined,
    ])
  })

  test.each(['bytes=14-', 'bytes=100-200', 'bytes=-0'])(
    'range %s is not satisfiable',
    async (range) => {
      const { status, code, element } = await get({ Range: range })
      expect([status, code]).toEqual([416, 'InvalidRange'])
      expect([element('RangeRequested'), element('ActualObjectSize')]).toEqual([range, '14'])
    },
  )

  test('ranges of an empty object', async () => {
    const suffix = await at.send('GET', `/${bucket}/empty`, { headers: { Range: 'bytes=-5' } })
    expect([suffix.status, suffix.text]).toEqual([200, ''])
    const open = await at.send('GET', `/${bucket}/empty`, { headers: { Range: 'bytes=0-' } })
    expect([open.status, open.code]).toEqual([416, 'InvalidRange'])
  })

  test('conditions on the ETag (contract 3.9)', async () => {
    expect((await get({ 'If-Match': etag })).status).toBe(200)
    expect((await get({ 'If-Match': etag.slice(1, -1) })).status).toBe(200)
    expect((await get({ 'If-Match': '*' })).status).toBe(200)
    const mismatch = await get({ 'If-Match': '"abc"' })
    expect([mismatch.status, mismatch.code, mismatch.element('Condition')]).toEqual([
      412,
      'PreconditionFailed',
      'If-Match',
    ])
    expect((await get({ 'If-None-Match': '"abc"' })).status).toBe(200)
    for (const value of [etag, '*']) {
      const same = await get({ 'If-None-Match': value })
      expect([same.status, same.body.length]).toEqual([304, 0])
    }
    expect((await get({ 'If-None-Match': etag, Range: 'bytes=0-1' })).status).toBe(304)
  })

  test('conditions on the time are in whole seconds (contract 9.2, 14)', async () => {
    writeFileSync(at.path(bucket, 'dated'), 'dated')
    utimesSync(at.path(bucket, 'dated'), 1_700_000_000.75, 1_700_000_000.75)
    const dated = (headers: Record<string, string>) =>
      at.send('GET', `/${bucket}/dated`, { headers })
    const lastModified = (await dated({})).header('last-modified') ?? ''
    expect(lastModified).toBe('Tue, 14 Nov 2023 22:13:20 GMT')
    expect((await dated({ 'If-Modified-Since': lastModified })).status).toBe(304)
    expect((await dated({ 'If-Modified-Since': 'Tue, 14 Nov 2023 22:13:19 GMT' })).status).toBe(200)
    expect((await dated({ 'If-Unmodified-Since': lastModified })).status).toBe(200)
    const earlier = await dated({ 'If-Unmodified-Since': 'Tue, 14 Nov 2023 22:13:19 GMT' })
    expect([earlier.status, earlier.element('Condition')]).toEqual([412, 'If-Unmodified-Since'])
    // Dates in the future and no dates at all are ignored.
    expect((await dated({ 'If-Modified-Since': 'Fri, 02 Jan 2099 03:04:05 GMT' })).status).toBe(200)
    expect((await dated({ 'If-Modified-Since': 'yesterday' })).status).toBe(200)
  })

  test('If-Match and If-Unmodified-Since, If-None-Match and If-Modified-Since together', async () => {
    const past = 'Wed, 02 Jan 2019 03:04:05 GMT'
    expect((await get({ 'If-None-Match': '"abc"', 'If-Modified-Since': past })).status).toBe(200)
    expect((await get({ 'If-None-Match': '"abc"', 'If-Unmodified-Since': past })).status).toBe(412)
    expect((await get({ 'If-None-Match': etag, 'If-Unmodified-Since': past })).status).toBe(412)
  })

  test('partNumber of an object that was put at once', async () => {
    const first = await get({}, '?partNumber=1')
    expect([first.status, first.header('content-range'), first.text]).toEqual([
      206,
      'bytes 0-13/14',
      body.toString(),
    ])
    expect(first.header('x-amz-mp-parts-count')).toBeUndefined()
    const second = await get({}, '?partNumber=2')
    expect([second.status, second.code]).toEqual([416, 'InvalidPartNumber'])
    expect([second.element('ActualPartCount'), second.element('PartNumberRequested')]).toEqual([
      '1',
      '2',
    ])
    const zero = await get({}, '?partNumber=0')
    expect([zero.status, zero.code, zero.element('ArgumentName')]).toEqual([
      400,
      'InvalidArgument',
      'partNumber',
    ])
    const both = await get({ Range: 'bytes=0-1' }, '?partNumber=1')
    expect([both.status, both.code]).toEqual([400, 'InvalidRequest'])
    expect(both.message).toBe('Cannot specify both Range header and partNumber query parameter')
  })

  test('response-* overrides', async () => {
    const answer = await at.s3.send(
      new GetObjectCommand({
        Bucket: bucket,
        Key: 'k',
        ResponseContentType: 'text/x-a',
        ResponseContentDisposition: 'attachment; filename="ü.txt"',
        ResponseCacheControl: 'no-store',
        ResponseContentLanguage: 'fr',
        ResponseContentEncoding: 'x-foo',
        ResponseExpires: new Date('2030-01-02T03:04:05Z'),
      }),
    )
    expect(answer.ContentType).toBe('text/x-a')
    expect(answer.ContentDisposition).toContain('attachment')
    expect(answer.CacheControl).toBe('no-store')
    expect(answer.ContentLanguage).toBe('fr')
    expect(answer.ContentEncoding).toBe('x-foo')
    expect(answer.ExpiresString).toBe('Wed, 02 Jan 2030 03:04:05 GMT')
  })

  test('what is not there', async () => {
    const missing = await failure(at.s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'none' })))
    expect([missing.status, missing.name, missing.message]).toEqual([
      404,
      'NoSuchKey',
      'The specified key does not exist.',
    ])
    mkdirSync(at.path(bucket, 'dir/below'), { recursive: true })
    for (const key of ['none', 'dir', 'dir/', 'k/', 'k/below', 'no/such/path']) {
      const answer = await at.send('GET', `/${bucket}/${key}`)
      expect([key, answer.status, answer.code]).toEqual([key, 404, 'NoSuchKey'])
    }
    const noBucket = await at.send('GET', '/no-such-bucket/k')
    expect([noBucket.status, noBucket.code, noBucket.element('BucketName')]).toEqual([
      404,
      'NoSuchBucket',
      'no-such-bucket',
    ])
  })

  test('directory objects are read with their slash', async () => {
    await at.send('PUT', `/${bucket}/explicit/`)
    const { status, header, text } = await at.send('GET', `/${bucket}/explicit/`)
    expect([status, text, header('content-type')]).toEqual([200, '', 'application/x-directory'])
    expect((await at.send('GET', `/${bucket}/explicit`)).status).toBe(404)
  })

  test('files placed by hand are objects (contract 2.3)', async () => {
    mkdirSync(at.path(bucket, 'by/hand'), { recursive: true })
    writeFileSync(at.path(bucket, 'by/hand/page.html'), '<p>')
    const { status, header, text } = await at.send('GET', `/${bucket}/by/hand/page.html`)
    expect([status, text]).toEqual([200, '<p>'])
    expect(header('content-type')).toBe('text/plain; charset=utf-8')
  })

  test('versionId without versioning', async () => {
    const bad = await get({}, '?versionId=abc')
    expect([bad.status, bad.code, bad.element('ArgumentName')]).toEqual([
      400,
      'InvalidArgument',
      'versionId',
    ])
    expect((await get({}, '?versionId=')).status).toBe(200)
  })

  test('sub-resources that no key has', async () => {
    const uploads = await get({}, '?uploads')
    expect([uploads.status, uploads.message]).toEqual([
      400,
      'Key is not expected for the GET method ?uploads subresource',
    ])
    const versions = await get({}, '?versions')
    expect([versions.status, versions.message]).toEqual([
      400,
      'There is no such thing as the ?versions sub-resource for a key',
    ])
    const copySource = await get({ 'x-amz-copy-source': `${bucket}/k` })
    expect([copySource.status, copySource.element('ArgumentName')]).toEqual([
      400,
      'x-amz-copy-source',
    ])
  })

  test('several requests on one connection', async () => {
    const connection = await openConnection(at.gateway.port)
    for (let i = 0; i < 3; i++) {
      connection.write(at.head('GET', `/${bucket}/k`))
      const { status, text, header } = await connection.response()
      expect([status, text]).toEqual([200, body.toString()])
      expect(header('connection')).not.toBe('close')
    }
    // Pipelined: answers come in order.
    connection.write(
      Buffer.concat([
        at.head('GET', `/${bucket}/k`, { headers: { Range: 'bytes=0-0' } }),
        at.head('GET', `/${bucket}/k`),
      ]),
    )
    expect((await connection.response()).text).toBe('0')
    expect((await connection.response()).text).toBe(body.toString())
    connection.close()
  })

  test('a large object arrives whole, and in ranges', async () => {
    const large = Buffer.alloc(20 * 1024 * 1024)
    for (let i = 0; i < large.length; i += 4) large.writeUInt32LE(i, i)
    writeFileSync(at.path(bucket, 'large'), large)
    const whole = await at.send('GET', `/${bucket}/large`)
    expect(Buffer.compare(whole.body, large)).toBe(0)
    const middle = await at.send('GET', `/${bucket}/large`, {
      headers: { Range: 'bytes=1000001-12000000' },
    })
    expect(Buffer.compare(middle.body, large.subarray(1_000_001, 12_000_001))).toBe(0)
  })
})
