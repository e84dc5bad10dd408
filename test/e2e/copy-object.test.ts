import { CopyObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { randomBytes } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { checksum, md5Hex } from '../support/checksums.ts'
import { failure, useGateway } from '../support/fixture.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { strayFiles } from '../support/tree.ts'

const at = useGateway()
const body = Buffer.from('to be copied')
let bucket = ''

beforeEach(async () => {
  bucket = await at.bucket()
  await at.s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: 'source',
      Body: body,
      ContentType: 'text/css',
      CacheControl: 'no-store',
      Metadata: { kept: 'yes' },
      Tagging: 'tag=1',
      WebsiteRedirectLocation: '/x',
    }),
  )
})

function copy(
  target: string,
  source: string,
  headers: Record<string, string> = {},
): Promise<RawResponse> {
  return at.send('PUT', `/${bucket}/${target}`, {
    headers: { 'x-amz-copy-source': source, ...headers },
  })
}

describe('CopyObject', () => {
  test('headers, metadata and tags come along (contract 3.5)', async () => {
    const { status, text } = await copy('target', `/${bucket}/source`)
    expect(status).toBe(200)
    expect(text).toMatch(
      /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<CopyObjectResult><LastModified>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ<\/LastModified><ChecksumCRC32>[^<]+<\/ChecksumCRC32><ChecksumType>FULL_OBJECT<\/ChecksumType><ETag>&#34;[0-9a-f]{32}&#34;<\/ETag><\/CopyObjectResult>$/,
    )
    const head = await at.send('HEAD', `/${bucket}/target`)
    expect(head.header('etag')).toBe(`"${md5Hex(body)}"`)
    expect(head.header('content-type')).toBe('text/css')
    expect(head.header('cache-control')).toBe('no-store')
    expect(head.header('x-amz-meta-kept')).toBe('yes')
    expect(head.header('x-amz-tagging-count')).toBe('1')
    expect(head.header('x-amz-website-redirect-location')).toBeUndefined()
    expect(readFileSync(at.path(bucket, 'target'))).toEqual(body)
    expect(statSync(at.path(bucket, 'target')).ino).not.toBe(
      statSync(at.path(bucket, 'source')).ino,
    )
  })

  test('REPLACE takes what the request has', async () => {
    await copy('target', `${bucket}/source`, {
      'x-amz-metadata-directive': 'REPLACE',
      'x-amz-meta-new': '1',
      'Content-Type': 'text/x-new',
      'x-amz-tagging-directive': 'REPLACE',
      'x-amz-tagging': 'a=1&b=2',
    })
    const head = await at.send('HEAD', `/${bucket}/target`)
    expect(head.header('x-amz-meta-new')).toBe('1')
    expect(head.header('x-amz-meta-kept')).toBeUndefined()
    expect(head.header('content-type')).toBe('text/x-new')
    expect(head.header('cache-control')).toBeUndefined()
    expect(head.header('x-amz-tagging-count')).toBe('2')
  })

  test('another checksum on request', async () => {
    const { text } = await copy('target', `${bucket}/source`, {
      'x-amz-checksum-algorithm': 'SHA256',
    })
    expect(text).toContain(`<ChecksumSHA256>${checksum('SHA256', body)}</ChecksumSHA256>`)
    const head = await at.send('HEAD', `/${bucket}/target`, {
      headers: { 'x-amz-checksum-mode': 'ENABLED' },
    })
    expect(head.header('x-amz-checksum-sha256')).toBe(checksum('SHA256', body))
  })

  test('between buckets, of a large object, onto an existing one', async () => {
    const other = await at.bucket()
    const large = randomBytes(12_000_001)
    writeFileSync(at.path(bucket, 'large'), large)
    await at.send('PUT', `/${other}/deep/target`, { body: 'old' })
    const { CopyObjectResult } = await at.s3.send(
      new CopyObjectCommand({ Bucket: other, Key: 'deep/target', CopySource: `${bucket}/large` }),
    )
    expect(CopyObjectResult?.ETag).toBe(`"${md5Hex(large)}"`)
    expect(Buffer.compare(readFileSync(at.path(other, 'deep/target')), large)).toBe(0)
    expect(strayFiles(at.path(other))).toEqual(['deep/', 'deep/target'])
  })

  test('source keys: encoded once, plus means space', async () => {
    for (const key of ['with space', 'per%20cent', 'ünï/日本', 'a&b=c?d']) {
      await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: key }))
      const { status } = await copy('target', `${bucket}/${encodeURIComponent(key)}`)
      expect([key, status, readFileSync(at.path(bucket, 'target'), 'utf8')]).toEqual([
        key,
        200,
        key,
      ])
    }
    await copy('target2', `${bucket}/with+space`)
    expect(readFileSync(at.path(bucket, 'target2'), 'utf8')).toBe('with space')
  })

  test('onto itself', async () => {
    const refused = await copy('source', `${bucket}/source`)
    expect([refused.status, refused.code]).toEqual([400, 'InvalidRequest'])
    expect(refused.message).toMatch(/^This copy request is illegal because/)
    const replaced = await copy('source', `${bucket}/source`, {
      'x-amz-metadata-directive': 'REPLACE',
      'x-amz-meta-new': '1',
      'x-amz-checksum-algorithm': 'SHA1',
    })
    expect(replaced.status).toBe(200)
    const head = await at.send('HEAD', `/${bucket}/source`, {
      headers: { 'x-amz-checksum-mode': 'ENABLED' },
    })
    expect([head.header('x-amz-meta-new'), head.header('x-amz-meta-kept')]).toEqual([
      '1',
      undefined,
    ])
    // contract 9.2, 3: never the checksum of the empty string
    expect(head.header('x-amz-checksum-sha1')).toBe(checksum('SHA1', body))
    expect(readFileSync(at.path(bucket, 'source'))).toEqual(body)
  })

  test('directory objects can be copied (contract 9.2, 11)', async () => {
    await at.send('PUT', `/${bucket}/dir/`, { headers: { 'x-amz-meta-d': '1' } })
    const { status } = await copy('copy-of-dir/', `${bucket}/dir/`)
    expect(status).toBe(200)
    expect((await at.send('HEAD', `/${bucket}/copy-of-dir/`)).header('x-amz-meta-d')).toBe('1')
  })

  test('conditions on the source', async () => {
    const mismatch = await copy('t', `${bucket}/source`, { 'x-amz-copy-source-if-match': '"abc"' })
    expect([mismatch.status, mismatch.code, mismatch.element('Condition')]).toEqual([
      412,
      'PreconditionFailed',
      'If-Match',
    ])
    const modified = await copy('t', `${bucket}/source`, {
      'x-amz-copy-source-if-unmodified-since': 'Wed, 02 Jan 2019 03:04:05 GMT',
    })
    expect([modified.status, modified.element('Condition')]).toEqual([412, 'If-Unmodified-Since'])
    // VersityGW answers 304 here, AWS and the contract (3.5) 412: no client may take it for a copy.
    const same = await copy('t', `${bucket}/source`, {
      'x-amz-copy-source-if-none-match': `"${md5Hex(body)}"`,
    })
    expect([304, 412]).toContain(same.status)
    expect(strayFiles(at.path(bucket))).toEqual(['source'])
    expect(
      (await copy('t', `${bucket}/source`, { 'x-amz-copy-source-if-match': `"${md5Hex(body)}"` }))
        .status,
    ).toBe(200)
  })

  test('errors', async () => {
    const cases: [source: string, headers: Record<string, string>, status: number, code: string][] =
      [
        [`${bucket}/none`, {}, 404, 'NoSuchKey'],
        ['no-such-bucket/k', {}, 404, 'NoSuchBucket'],
        ['nokey', {}, 400, 'InvalidArgument'],
        [`${bucket}/%zz`, {}, 400, 'InvalidArgument'],
        ['../../x', {}, 400, 'InvalidArgument'],
        [`${bucket}/source`, { 'x-amz-metadata-directive': 'MERGE' }, 400, 'InvalidArgument'],
      ]
    for (const [source, headers, status, code] of cases) {
      const answer = await copy('t', source, headers)
      expect([source, answer.status, answer.code]).toEqual([source, status, code])
    }
    const withBody = await at.send('PUT', `/${bucket}/t`, {
      headers: { 'x-amz-copy-source': `${bucket}/source` },
      body: 'x',
    })
    expect([withBody.status, withBody.code]).toEqual([400, 'InvalidRequest'])
    const noBucket = await failure(
      at.s3.send(
        new CopyObjectCommand({
          Bucket: 'no-such-bucket',
          Key: 't',
          CopySource: `${bucket}/source`,
        }),
      ),
    )
    expect([noBucket.status, noBucket.name]).toEqual([404, 'NoSuchBucket'])
    expect(strayFiles(at.path(bucket))).toEqual(['source'])
  })

  test('If-None-Match on the target', async () => {
    await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'taken', Body: 'mine' }))
    const { status } = await copy('taken', `${bucket}/source`, { 'If-None-Match': '*' })
    expect(status).toBe(412)
    expect(
      (await at.s3.send(new HeadObjectCommand({ Bucket: bucket, Key: 'taken' }))).ContentLength,
    ).toBe(4)
  })
})
