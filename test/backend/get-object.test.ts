import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { gzipSync } from 'node:zlib'
import { setAttribute } from '../support/tree.ts'
import {
  codeOf,
  makeBucket,
  newCall,
  openBackend,
  put,
  read,
  someBytes,
  spanTree,
  type TestBackend,
} from './support.ts'

const BUCKET = 'bucket'

describe('GetObject and HeadObject', () => {
  let t: TestBackend
  beforeEach(async () => {
    t = await openBackend({ defaultEtag: 'none' })
    await makeBucket(t.backend)
  })
  afterEach(() => t.close())
  const at = (...names: string[]): string => join(t.root, BUCKET, ...names)
  const key = (name: string): { bucket: string; key: string } => ({ bucket: BUCKET, key: name })

  test('slices of a small object and of a large one', async () => {
    for (const size of [1000, 65_536, 65_537, 1_000_000]) {
      const bytes = someBytes(size)
      await put(t.backend, key('k'), bytes)
      for (const slice of [
        { offset: 0, length: 0 },
        { offset: 10, length: 20 },
        { offset: size - 1, length: 1 },
      ]) {
        const got = await read(t, key('k'), slice)
        expect(got.bytes.equals(bytes.subarray(slice.offset, slice.offset + slice.length))).toBe(
          true,
        )
      }
    }
  })

  test('a small object is one job and never more than read at once', async () => {
    await put(t.backend, key('d/k'), someBytes(4096))
    const call = newCall()
    await t.backend.getObject(key('d/k'), ({ size }) => ({ offset: 0, length: size }), call)
    expect(spanTree(call.span)).toEqual([
      'Posix.IO.OpenFile',
      'Posix.IO.ReadMetadata',
      'Posix.IO.ReadData',
    ])
    const head = newCall()
    await t.backend.headObject(key('d/k'), head)
    expect(spanTree(head.span)).toEqual(['Posix.IO.OpenFile', 'Posix.IO.ReadMetadata'])
  })

  test('what select throws is what the caller gets, and no descriptor stays open', async () => {
    await put(t.backend, key('small'), 'x')
    await put(t.backend, key('large'), someBytes(100_000))
    await put(t.backend, key('dir/'), '')
    const before = openFiles()
    for (const name of ['small', 'large', 'dir/']) {
      const refused = t.backend.getObject(
        key(name),
        () => {
          throw new Error('304')
        },
        newCall(),
      )
      await expect(refused).rejects.toThrow('304')
    }
    expect(openFiles()).toEqual(before)
  })

  test('what is no object is not found, and not waited for (threats, A7)', async () => {
    execFileSync('mkfifo', [at('fifo')])
    mkdirSync(at('implicit'))
    const socket = createServer().listen(at('socket'))
    await put(t.backend, key('file'), 'x')
    await put(t.backend, key('explicit/'), '')
    const before = openFiles()
    for (const name of [
      'fifo',
      'socket',
      'implicit',
      'implicit/',
      'file/',
      'explicit',
      'none',
      'none/',
      'none/deep',
      'file/below',
      'fifo/',
    ]) {
      expect(await codeOf(read(t, key(name)))).toBe('NoSuchKey')
      expect(await codeOf(t.backend.headObject(key(name), newCall()))).toBe('NoSuchKey')
    }
    expect(openFiles()).toEqual(before)
    expect(await codeOf(read(t, { bucket: 'none', key: 'k' }))).toBe('NoSuchBucket')
    socket.close()
  })

  test('a file that was put there without S3 (contract 2.3)', async () => {
    writeFileSync(at('foreign'), 'hello')
    utimesSync(at('foreign'), 1_600_000_000.25, 1_600_000_000.25)
    const { head, bytes } = await read(t, key('foreign'))
    expect(bytes.toString()).toBe('hello')
    expect(head).toMatchObject({
      size: 5,
      etag: 'none',
      lastModifiedMs: 1_600_000_000_250,
      headers: {},
      tagCount: 0,
    })
    expect([head.checksum, head.partEnds, head.versionId, head.retention, head.legalHold]).toEqual(
      Array(5).fill(undefined),
    )
    expect({ ...head.userMetadata }).toEqual({})
  })

  test('attributes in every form that VersityGW writes', async () => {
    writeFileSync(at('k'), 'hello')
    setAttribute(at('k'), 'X-Amz-Meta.Color', 'blue')
    setAttribute(at('k'), 'X-Amz-Meta.path', '/a/b')
    expect({ ...(await read(t, key('k'))).head.userMetadata }).toEqual({
      Color: 'blue',
      path: '/a/b',
    })
    setAttribute(at('k'), 'metadata', '{"x":"1"}')
    setAttribute(
      at('k'),
      'object-retention',
      '{"XMLName":{"Space":"","Local":"Retention"},"Mode":"COMPLIANCE","RetainUntilDate":"2126-01-02T03:04:05Z"}',
    )
    setAttribute(at('k'), 'object-legal-hold', '\u0001')
    setAttribute(at('k'), 'version-id', '01M7YWYTHQM1RXRRBW4ZYD14RF')
    setAttribute(at('k'), 'mp-metadata', '{"uploadId":"u","parts":[2,5]}')
    const { head } = await read(t, key('k'))
    expect({ ...head.userMetadata }).toEqual({ x: '1' })
    expect(head).toMatchObject({
      retention: { mode: 'COMPLIANCE', retainUntil: '2126-01-02T03:04:05Z' },
      legalHold: true,
      versionId: '01M7YWYTHQM1RXRRBW4ZYD14RF',
      partEnds: [2, 5],
    })
    execFileSync('setfattr', [
      '-n',
      'user.mp-metadata',
      '-v',
      `0x${gzipSync('{"uploadId":"u","parts":[5]}').toString('hex')}`,
      at('k'),
    ])
    expect((await read(t, key('k'))).head.partEnds).toEqual([5])
  })

  test('attributes that mean nothing are no error', async () => {
    writeFileSync(at('k'), 'hello')
    for (const name of [
      'metadata',
      'X-Amz-Tagging',
      'checksums',
      'mp-metadata',
      'object-retention',
    ])
      setAttribute(at('k'), name, '{"[')
    const { head } = await read(t, key('k'))
    expect([head.tagCount, head.checksum, head.partEnds, head.retention]).toEqual([
      0,
      undefined,
      undefined,
      undefined,
    ])
    expect({ ...head.userMetadata }).toEqual({})
  })

  test('directory objects', async () => {
    const written = await put(t.backend, key('a/b/'), '', { userMetadata: { x: '1' } })
    expect(written.etag).toBe('"d41d8cd98f00b204e9800998ecf8427e"')
    const { head, bytes } = await read(t, key('a/b/'))
    expect(bytes).toHaveLength(0)
    expect(head).toMatchObject({
      size: 0,
      etag: written.etag,
      headers: { contentType: 'application/x-directory' },
    })
    expect(head.checksum).toEqual({
      algorithm: 'CRC64NVME',
      type: 'FULL_OBJECT',
      value: 'AAAAAAAAAAA=',
    })
    expect(
      await codeOf(put(t.backend, key('a/b/'), '', { precondition: { ifNoneMatch: '*' } })),
    ).toBe('PreconditionFailed')
    expect(await codeOf(put(t.backend, key('a/b/'), '', { precondition: { ifMatch: 'x' } }))).toBe(
      'PreconditionFailed',
    )
    // The implicit parent is no object yet.
    await put(t.backend, key('a/'), '', { precondition: { ifNoneMatch: '*' } })
    await put(t.backend, key('a/b/'), '')
    expect({ ...(await read(t, key('a/b/'))).head.userMetadata }).toEqual({})
  })
})

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').sort()
}

test('links are followed where that is asked for', async () => {
  const t = await openBackend({ ioOptions: { followSymlinks: true } })
  await makeBucket(t.backend)
  const at = (...names: string[]): string => join(t.root, BUCKET, ...names)
  mkdirSync(join(t.root, 'outside'))
  writeFileSync(join(t.root, 'outside', 'k'), 'outside')
  symlinkSync('../outside', at('dir'))
  symlinkSync('../outside/k', at('file'))
  for (const key of ['dir/k', 'file']) {
    expect((await read(t, { bucket: BUCKET, key })).bytes.toString()).toBe('outside')
  }
  await put(t.backend, { bucket: BUCKET, key: 'dir/new' }, 'new')
  const page = { prefix: '', delimiter: '', after: '', maxKeys: 10 }
  const { objects } = await t.backend.listObjects(BUCKET, page, newCall())
  expect(objects.map(({ key, size }) => [key, size])).toEqual([
    ['dir/k', 7],
    ['dir/new', 3],
    ['file', 7],
  ])
  await t.close()
})
