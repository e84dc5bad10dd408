import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { failure, useGateway } from '../support/fixture.ts'
import { strayFiles } from '../support/tree.ts'

const at = useGateway()

async function bucketWith(...keys: string[]): Promise<string> {
  const bucket = await at.bucket()
  for (const key of keys) {
    await at.s3.send(
      new PutObjectCommand({ Bucket: bucket, Key: key, Body: key.endsWith('/') ? '' : key }),
    )
  }
  return bucket
}

describe('DeleteObject', () => {
  test('an object, and one that is not there', async () => {
    const bucket = await bucketWith('k')
    for (let i = 0; i < 2; i++) {
      const { status, text, header } = await at.send('DELETE', `/${bucket}/k`)
      expect([status, text]).toEqual([204, ''])
      expect(header('content-length')).toBeUndefined()
      expect(header('x-amz-delete-marker')).toBeUndefined()
    }
    expect(existsSync(at.path(bucket, 'k'))).toBe(false)
    const error = await failure(
      at.s3.send(new DeleteObjectCommand({ Bucket: 'no-such-bucket', Key: 'k' })),
    )
    expect([error.status, error.name]).toEqual([404, 'NoSuchBucket'])
  })

  test('empty parents go, others stay (contract 2.7)', async () => {
    const bucket = await bucketWith('a/b/c/d', 'a/x', 'explicit/', 'explicit/deep/file')
    await at.send('DELETE', `/${bucket}/a/b/c/d`)
    await at.send('DELETE', `/${bucket}/explicit/deep/file`)
    expect(strayFiles(at.path(bucket))).toEqual(['a/', 'a/x', 'explicit/'])
    await at.send('DELETE', `/${bucket}/a/x`)
    expect(strayFiles(at.path(bucket))).toEqual(['explicit/'])
    expect(existsSync(at.path(bucket))).toBe(true)
  })

  test('directories (contract 2.3, 2.7)', async () => {
    const bucket = await bucketWith('explicit/', 'explicit/child', 'implicit/child')
    mkdirSync(at.path(bucket, 'empty'))
    // A directory is not the object of that name without a slash.
    expect((await at.send('DELETE', `/${bucket}/implicit`)).status).toBe(204)
    expect(statSync(at.path(bucket, 'implicit')).isDirectory()).toBe(true)
    const implicit = await at.send('DELETE', `/${bucket}/implicit/`)
    expect([implicit.status, implicit.code]).toEqual([400, 'ErrDirectoryNotEmpty'])
    // An explicit one with children becomes implicit.
    expect((await at.send('DELETE', `/${bucket}/explicit/`)).status).toBe(204)
    expect((await at.send('HEAD', `/${bucket}/explicit/`)).status).toBe(404)
    expect(existsSync(at.path(bucket, 'explicit/child'))).toBe(true)
    expect((await at.send('DELETE', `/${bucket}/empty/`)).status).toBe(204)
    expect(existsSync(at.path(bucket, 'empty'))).toBe(false)
  })

  test('a file under the name of a directory stays', async () => {
    const bucket = await bucketWith('file')
    expect((await at.send('DELETE', `/${bucket}/file/`)).status).toBe(204)
    expect((await at.send('DELETE', `/${bucket}/file/below`)).status).toBe(204)
    expect(existsSync(at.path(bucket, 'file'))).toBe(true)
  })

  test('conditions (contract 3.9)', async () => {
    const bucket = await bucketWith('k')
    const remove = (headers: Record<string, string>, key = 'k') =>
      at.send('DELETE', `/${bucket}/${key}`, { headers })
    const etag = await remove({ 'If-Match': '"abc"' })
    expect([etag.status, etag.code, etag.element('Condition')]).toEqual([
      412,
      'PreconditionFailed',
      'If-Match',
    ])
    const size = await remove({ 'x-amz-if-match-size': '99' })
    expect([size.status, size.element('Condition')]).toEqual([412, 'If-Match-Size'])
    const time = await remove({
      'x-amz-if-match-last-modified-time': 'Wed, 02 Jan 2019 03:04:05 GMT',
    })
    expect([time.status, time.element('Condition')]).toEqual([412, 'If-Match-Last-Mod-Time'])
    // A missing object has nothing to compare with.
    expect((await remove({ 'If-Match': '"abc"' }, 'none')).status).toBe(204)
    const mtime = new Date(statSync(at.path(bucket, 'k')).mtimeMs).toUTCString()
    expect(
      (await remove({ 'x-amz-if-match-size': '1', 'x-amz-if-match-last-modified-time': mtime }))
        .status,
    ).toBe(204)
    expect(existsSync(at.path(bucket, 'k'))).toBe(false)
  })

  test('many at once below one parent, with writers beside them', async () => {
    const bucket = await at.bucket()
    const keys = Array.from({ length: 40 }, (_, i) => `shared/deep/${i}`)
    await Promise.all(keys.map((key) => at.send('PUT', `/${bucket}/${key}`, { body: 'x' })))
    const work = keys.flatMap((key, i) => [
      at.send('DELETE', `/${bucket}/${key}`),
      at.send('PUT', `/${bucket}/shared/other/${i}`, { body: 'y' }),
    ])
    const statuses = (await Promise.all(work)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([200, 204]))
    expect(strayFiles(at.path(bucket)).filter((path) => !path.endsWith('/'))).toHaveLength(40)
  })

  test('versionId without versioning', async () => {
    const bucket = await bucketWith('k')
    const { status, code } = await at.send('DELETE', `/${bucket}/k?versionId=abc`)
    expect([status, code]).toEqual([400, 'InvalidArgument'])
    expect(existsSync(at.path(bucket, 'k'))).toBe(true)
  })
})
