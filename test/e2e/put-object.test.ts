import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checksum, md5Base64, md5Hex, type ChecksumName } from '../support/checksums.ts'
import { failure, useGateway } from '../support/fixture.ts'
import { findTool } from '../support/tools.ts'
import { attributesOf, strayFiles } from '../support/tree.ts'

const at = useGateway()
const body = Buffer.from('hello, world\n')
const ALGORITHMS: readonly ChecksumName[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']

describe('PutObject', () => {
  test('a new object', async () => {
    const bucket = await at.bucket()
    const { status, header, text } = await at.send('PUT', `/${bucket}/hello.txt`, { body })
    expect(status).toBe(200)
    expect(text).toBe('')
    // contract 3.1: ETag, x-amz-object-size, the default CRC64NVME and its type
    expect(header('etag')).toBe(`"${md5Hex(body)}"`)
    expect(header('x-amz-object-size')).toBe('13')
    expect(header('x-amz-checksum-crc64nvme')).toBe(checksum('CRC64NVME', body))
    expect(header('x-amz-checksum-type')).toBe('FULL_OBJECT')
    expect(header('content-length')).toBe('0')
    expect(header('server')).toBe('VERSITYGW')
    expect(header('x-amz-request-id')).toMatch(/^[A-Z0-9]{16}/)
    expect(header('x-amz-version-id')).toBeUndefined()
    expect(readFileSync(at.path(bucket, 'hello.txt'))).toEqual(body)
  })

  test.skipIf(findTool('getfattr') === undefined)('attributes on disk', async () => {
    const bucket = await at.bucket()
    await at.s3.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: 'deep/er/file',
        Body: body,
        Metadata: { 'Mixed-Case': 'Kept <&>', plain: 'x' },
        CacheControl: 'no-store',
        ContentEncoding: 'gzip',
        ContentLanguage: 'de',
        ContentDisposition: 'attachment',
        Expires: new Date('2030-01-02T03:04:05Z'),
        WebsiteRedirectLocation: '/elsewhere',
        Tagging: 'k1=v1&k%202=v+2',
        ChecksumAlgorithm: 'CRC32',
      }),
    )
    // contract 2.3: names, formats, key order, HTML-escaped JSON, nulls included
    expect(attributesOf(at.path(bucket, 'deep/er/file'))).toEqual({
      etag: `"${md5Hex(body)}"`,
      'content-type': 'application/octet-stream',
      'cache-control': 'no-store',
      'content-encoding': 'gzip',
      'content-language': 'de',
      'content-disposition': 'attachment',
      expires: 'Wed, 02 Jan 2030 03:04:05 GMT',
      'website-redirect-location': '/elsewhere',
      metadata: '{"mixed-case":"Kept \\u003c\\u0026\\u003e","plain":"x"}',
      'X-Amz-Tagging': '{"k 2":"v 2","k1":"v1"}',
      checksums:
        `{"Algorithm":"CRC32","Type":"FULL_OBJECT","CRC32":"${checksum('CRC32', body)}","CRC32C":null,"SHA1":null,` +
        '"SHA256":null,"CRC64NVME":null,"SHA512":null,"MD5":null,"XXHASH64":null,"XXHASH3":null,"XXHASH128":null}',
    })
    expect(statSync(at.path(bucket, 'deep/er/file')).mode & 0o777).toBe(0o644)
  })

  test('Content-Type that is missing or empty is binary/octet-stream', async () => {
    const bucket = await at.bucket()
    for (const headers of [{}, { 'Content-Type': '' }]) {
      await at.send('PUT', `/${bucket}/k`, { body, headers })
      expect((await at.send('GET', `/${bucket}/k`)).header('content-type')).toBe(
        'binary/octet-stream',
      )
    }
  })

  test('an empty object and an overwrite', async () => {
    const bucket = await at.bucket()
    await at.s3.send(
      new PutObjectCommand({ Bucket: bucket, Key: 'k', Body: '', Metadata: { old: '1' } }),
    )
    expect(statSync(at.path(bucket, 'k')).size).toBe(0)
    await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'k', Body: 'second' }))
    const { Metadata, ETag } = await at.s3.send(new HeadObjectCommand({ Bucket: bucket, Key: 'k' }))
    expect(Metadata).toEqual({})
    expect(ETag).toBe(`"${md5Hex('second')}"`)
    expect(strayFiles(at.path(bucket))).toEqual(['k'])
  })

  test.each([0, 1, 65_535, 65_536, 65_537, 262_144, 1_048_577, 9_000_001])(
    'a body of %i bytes',
    async (size) => {
      const bucket = await at.bucket()
      const data = randomBytes(size)
      const { ETag } = await at.s3.send(
        new PutObjectCommand({ Bucket: bucket, Key: 'k', Body: data }),
      )
      expect(ETag).toBe(`"${md5Hex(data)}"`)
      const { Body } = await at.s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'k' }))
      expect(Buffer.compare(Buffer.from((await Body?.transformToByteArray()) ?? []), data)).toBe(0)
    },
  )

  test.each(ALGORITHMS)('checksum %s: given, answered, stored', async (algorithm) => {
    const bucket = await at.bucket()
    const name = `x-amz-checksum-${algorithm.toLowerCase()}`
    const put = await at.send('PUT', `/${bucket}/k`, {
      body,
      headers: { [name]: checksum(algorithm, body) },
    })
    expect(put.status).toBe(200)
    expect(put.header(name)).toBe(checksum(algorithm, body))
    const head = await at.send('HEAD', `/${bucket}/k`, {
      headers: { 'x-amz-checksum-mode': 'ENABLED' },
    })
    expect(head.header(name)).toBe(checksum(algorithm, body))
    expect(head.header('x-amz-checksum-type')).toBe('FULL_OBJECT')
  })

  test.each(ALGORITHMS)('checksum %s: wrong, nothing published', async (algorithm) => {
    const bucket = await at.bucket()
    const headers = {
      [`x-amz-checksum-${algorithm.toLowerCase()}`]: checksum(algorithm, 'something else'),
    }
    const { status, code, message } = await at.send('PUT', `/${bucket}/k`, { body, headers })
    expect([status, code]).toEqual([400, 'BadDigest'])
    // contract 3.1
    expect(message).toBe(`The ${algorithm} you specified did not match the calculated checksum.`)
    expect(strayFiles(at.path(bucket))).toEqual([])
  })

  test('checksum headers that cannot be right', async () => {
    const bucket = await at.bucket()
    const put = (headers: Record<string, string>) =>
      at.send('PUT', `/${bucket}/k`, { body, headers })
    const invalid = await put({ 'x-amz-checksum-crc32': 'not base64' })
    expect([invalid.status, invalid.code]).toEqual([400, 'InvalidRequest'])
    expect(invalid.message).toBe('Value for x-amz-checksum-crc32 header is invalid.')
    const two = await put({
      'x-amz-checksum-crc32': checksum('CRC32', body),
      'x-amz-checksum-sha1': checksum('SHA1', body),
    })
    expect([two.status, two.code]).toEqual([400, 'InvalidRequest'])
    expect(two.message).toBe(
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    )
    const bare = await put({ 'x-amz-sdk-checksum-algorithm': 'CRC32' })
    expect([bare.status, bare.code]).toEqual([400, 'InvalidRequest'])
    expect(bare.message).toMatch(/^x-amz-sdk-checksum-algorithm specified, but no corresponding/)
    const other = await put({
      'x-amz-sdk-checksum-algorithm': 'CRC32',
      'x-amz-checksum-sha1': checksum('SHA1', body),
    })
    expect([other.status, other.code]).toEqual([400, 'InvalidRequest'])
    expect(strayFiles(at.path(bucket))).toEqual([])
  })

  test('Content-MD5: right, wrong, malformed', async () => {
    const bucket = await at.bucket()
    const put = (value: string) =>
      at.send('PUT', `/${bucket}/k`, { body, headers: { 'Content-MD5': value } })
    const wrong = await put(md5Base64('other'))
    expect([wrong.status, wrong.code]).toEqual([400, 'BadDigest'])
    expect(wrong.element('CalculatedDigest')).toBeDefined()
    expect(wrong.element('ExpectedDigest')).toBeDefined()
    const malformed = await put('bm90IDE2IGJ5dGVz')
    expect([malformed.status, malformed.code]).toEqual([400, 'InvalidDigest'])
    expect(malformed.element('Content-MD5')).toBe('bm90IDE2IGJ5dGVz')
    expect(strayFiles(at.path(bucket))).toEqual([])
    expect((await put(md5Base64(body))).status).toBe(200)
  })

  test('x-amz-content-sha256 of another body', async () => {
    const bucket = await at.bucket()
    const { status, code, element } = await at.send('PUT', `/${bucket}/k`, {
      body,
      payloadHash: 'a'.repeat(64),
    })
    expect([status, code]).toEqual([400, 'XAmzContentSHA256Mismatch'])
    expect(element('ClientComputedContentSHA256')).toBe('a'.repeat(64))
    expect(element('S3ComputedContentSHA256')).toMatch(/^[0-9a-f]{64}$/)
    expect(strayFiles(at.path(bucket))).toEqual([])
  })

  test('conditional writes', async () => {
    const bucket = await at.bucket()
    const put = (headers: Record<string, string>, key = 'k') =>
      at.send('PUT', `/${bucket}/${key}`, { body, headers })
    expect((await put({ 'If-None-Match': '*' })).status).toBe(200)
    const exists = await put({ 'If-None-Match': '*' })
    expect([exists.status, exists.code, exists.element('Condition')]).toEqual([
      412,
      'PreconditionFailed',
      'If-None-Match',
    ])
    const etag = await put({ 'If-None-Match': '"abc"' })
    expect([etag.status, etag.code]).toEqual([501, 'NotImplemented'])
    expect((await put({ 'If-None-Match': '*', 'If-Match': '*' })).status).toBe(501)
    const mismatch = await put({ 'If-Match': '"00000000000000000000000000000000"' })
    expect([mismatch.status, mismatch.code, mismatch.element('Condition')]).toEqual([
      412,
      'PreconditionFailed',
      'If-Match',
    ])
    const missing = await put({ 'If-Match': '"abc"' }, 'missing')
    expect([missing.status, missing.code]).toEqual([404, 'NoSuchKey'])
    expect((await put({ 'If-Match': `"${md5Hex(body)}"` })).status).toBe(200)
    expect(strayFiles(at.path(bucket))).toEqual(['k'])
  })

  test('If-None-Match: * decides by existence, also for files without attributes (contract 9.2, 15)', async () => {
    const bucket = await at.bucket()
    writeFileSync(at.path(bucket, 'by-hand'), 'mine')
    const { status } = await at.send('PUT', `/${bucket}/by-hand`, {
      body,
      headers: { 'If-None-Match': '*' },
    })
    expect(status).toBe(412)
    expect(readFileSync(at.path(bucket, 'by-hand'), 'utf8')).toBe('mine')
  })

  test('If-None-Match: * has one winner among many', async () => {
    const bucket = await at.bucket()
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        at.send('PUT', `/${bucket}/k`, { body: `writer ${i}`, headers: { 'If-None-Match': '*' } }),
      ),
    )
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array<number>(15).fill(412),
    ])
    const winner = answers.findIndex(({ status }) => status === 200)
    expect(readFileSync(at.path(bucket, 'k'), 'utf8')).toBe(`writer ${winner}`)
  })

  test('directory objects', async () => {
    const bucket = await at.bucket()
    const made = await at.send('PUT', `/${bucket}/dir/`, {
      headers: { 'x-amz-meta-is': 'directory' },
    })
    expect([made.status, made.header('etag')]).toEqual([200, `"${md5Hex('')}"`])
    expect(statSync(at.path(bucket, 'dir')).isDirectory()).toBe(true)
    const head = await at.send('HEAD', `/${bucket}/dir/`)
    expect([head.status, head.header('content-type'), head.header('x-amz-meta-is')]).toEqual([
      200,
      'application/x-directory',
      'directory',
    ])
    const data = await at.send('PUT', `/${bucket}/other/`, { body })
    expect([data.status, data.code]).toEqual([400, 'DirectoryObjectContainsData'])
    // contract 9.2, 26: a wrong checksum leaves no directory behind
    const wrong = await at.send('PUT', `/${bucket}/wrong/`, {
      headers: { 'x-amz-checksum-crc32': checksum('CRC32', 'x') },
    })
    expect([wrong.status, wrong.code]).toEqual([400, 'BadDigest'])
    expect(strayFiles(at.path(bucket))).toEqual(['dir/'])
  })

  test('a beside a/b (contract 2.7)', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/file`, { body })
    mkdirSync(at.path(bucket, 'dir'))
    const below = await at.send('PUT', `/${bucket}/file/below`, { body })
    expect([below.status, below.code]).toEqual([409, 'ObjectParentIsFile'])
    const asDirectory = await at.send('PUT', `/${bucket}/file/`)
    expect([asDirectory.status, asDirectory.code]).toEqual([409, 'ObjectParentIsFile'])
    const onDirectory = await at.send('PUT', `/${bucket}/dir`, { body })
    expect([onDirectory.status, onDirectory.code]).toEqual([409, 'ExistingObjectIsDirectory'])
    expect(strayFiles(at.path(bucket))).toEqual(['dir/', 'file'])
  })

  test('metadata of 2048 bytes is the most (contract 3.1)', async () => {
    const bucket = await at.bucket()
    const put = (size: number) =>
      at.send('PUT', `/${bucket}/k`, { body, headers: { 'x-amz-meta-a': 'x'.repeat(size - 1) } })
    expect((await put(2048)).status).toBe(200)
    const large = await put(2049)
    expect([large.status, large.code]).toEqual([400, 'MetadataTooLarge'])
    expect([large.element('Size'), large.element('MaxSizeAllowed')]).toEqual(['2049', '2048'])
  })

  test('tags: malformed and forbidden characters', async () => {
    const bucket = await at.bucket()
    const put = (tagging: string) =>
      at.send('PUT', `/${bucket}/k`, { body, headers: { 'x-amz-tagging': tagging } })
    const malformed = await put('a=%zz')
    expect([malformed.status, malformed.code, malformed.element('ArgumentName')]).toEqual([
      400,
      'InvalidArgument',
      'x-amz-tagging',
    ])
    const twice = await put('a=1&a=2')
    expect([twice.status, twice.code]).toEqual([400, 'InvalidArgument'])
    expect((await put('a=%3Cb%3E')).code).toBe('InvalidTag')
    expect((await put('a=1&b=')).status).toBe(200)
    const head = await at.send('HEAD', `/${bucket}/k`)
    expect(head.header('x-amz-tagging-count')).toBe('2')
  })

  test('an object larger than S3 allows is refused before its body', async () => {
    const bucket = await at.bucket()
    const { status, code, element } = await at.send('PUT', `/${bucket}/k`, {
      headers: { 'Content-Length': String(5 * 1024 ** 3 + 1), Expect: '100-continue' },
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    expect([status, code]).toEqual([400, 'EntityTooLarge'])
    expect(element('MaxSizeAllowed')).toBe('5368709120')
    expect(element('ProposedSize')).toBe('5368709121')
  })

  test('headers that ask for what is not there', async () => {
    const bucket = await at.bucket()
    const lock = await at.send('PUT', `/${bucket}/k`, {
      body,
      headers: { 'x-amz-object-lock-legal-hold': 'ON' },
    })
    expect([lock.status, lock.code]).toEqual([400, 'InvalidRequest'])
    expect(lock.message).toMatch(/^Bucket is missing Object ?Lock ?Configuration$/)
    const redirect = await at.send('PUT', `/${bucket}/k`, {
      body,
      headers: { 'x-amz-website-redirect-location': 'ftp://x' },
    })
    expect([redirect.status, redirect.code]).toEqual([400, 'InvalidRedirectLocation'])
    const owner = await at.send('PUT', `/${bucket}/k`, {
      body,
      headers: { 'x-amz-expected-bucket-owner': 'somebody' },
    })
    expect([owner.status, owner.code]).toEqual([403, 'AccessDenied'])
    expect(strayFiles(at.path(bucket))).toEqual([])
  })

  test('a bucket that does not exist', async () => {
    const error = await failure(
      at.s3.send(new PutObjectCommand({ Bucket: 'no-such-bucket', Key: 'k', Body: 'x' })),
    )
    expect([error.status, error.name]).toEqual([404, 'NoSuchBucket'])
  })

  test('Content-Encoding: aws-chunked is not kept (contract 9.2, 16)', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/k`, {
      body,
      headers: { 'Content-Encoding': 'gzip,aws-chunked' },
    })
    expect((await at.send('HEAD', `/${bucket}/k`)).header('content-encoding')).toBe('gzip')
  })

  test('keys whose last segment has 228 bytes and more can be overwritten (contract 9.2, 29)', async () => {
    const bucket = await at.bucket()
    for (const length of [227, 228, 255]) {
      const key = 'k'.repeat(length)
      for (const text of ['first', 'second']) {
        await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: text }))
        expect(readFileSync(at.path(bucket, key), 'utf8')).toBe(text)
      }
    }
  })
})
