import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { mountFileSystem } from '../native/loop-mount.ts'
import { attributesOf, setAttribute, strayFiles, treeOf } from '../support/tree.ts'
import {
  codeOf,
  makeBucket,
  md5,
  newCall,
  newObject,
  openBackend,
  payloadOf,
  put,
  read,
  someBytes,
  spanTree,
  type TestBackend,
} from './support.ts'
import { etagOf, listed } from './uploads.ts'

const BUCKET = 'bucket'
const key = (name: string): { bucket: string; key: string } => ({ bucket: BUCKET, key: name })
const TAGS = 'X-Amz-Tagging'
const NEW_UPLOAD = { headers: {}, userMetadata: { m: '1' }, tags: undefined, checksum: undefined }
const COMPLETION = { checksumType: undefined, checksum: undefined, objectSize: undefined }

describe('attributes in a sidecar directory', () => {
  let t: TestBackend
  beforeEach(async () => {
    t = await openBackend({ sidecar: true, durability: 'full' })
    await makeBucket(t.backend)
  })
  afterEach(() => t.close())
  const sidecar = (...names: string[]): string => join(`${t.root}.sidecar`, ...names)
  const at = (...names: string[]): string => join(t.root, BUCKET, ...names)
  const remove = (name: string): Promise<unknown> =>
    t.backend.deleteObject(key(name), {}, newCall())
  const list = async (): Promise<string[]> => {
    const page = { prefix: '', delimiter: '', after: '', maxKeys: 1000 }
    const { objects } = await t.backend.listObjects(BUCKET, page, newCall())
    return objects.map((object) => `${object.key} ${object.etag}`)
  }

  test('contract 2.6: each is a file of its raw value; they go with what they are of', async () => {
    await put(t.backend, key('a/b.txt'), 'hello', {
      headers: { contentType: 'text/x' },
      userMetadata: { Color: 'blue' },
      tags: { k: 'v' },
    })
    await put(t.backend, key('dir/'), '')
    const { ref, part } = await startUpload()
    expect(attributesOf(at('a/b.txt'))).toEqual({
      [TAGS]: '{"k":"v"}',
      checksums: expect.stringContaining('"CRC64NVME"') as string,
      'content-type': 'text/x',
      etag: `"${md5('hello')}"`,
      metadata: '{"Color":"blue"}',
    })
    expect(Object.keys(attributesOf(at('dir')))).toEqual(['checksums', 'content-type', 'etag'])
    const uploads = `.sgwtmp/multipart/${hash('mp/x')}`
    expect(attributesOf(at(uploads))).toEqual({ objname: 'mp/x' })
    expect(attributesOf(at(uploads, ref.uploadId))).toMatchObject({ metadata: '{"m":"1"}' })
    expect(Object.keys(attributesOf(at(uploads, ref.uploadId, '1')))).toEqual([
      'etag',
      'part-crc64nvme',
    ])
    await complete(ref, part.etag)
    expect(await list()).toEqual([
      `a/b.txt "${md5('hello')}"`,
      `dir/ "${md5('')}"`,
      `mp/x ${etagOf('part')}`,
    ])
    // 9.2, row 27: nothing of the upload stays behind.
    expect(treeOf(sidecar()).filter((path) => path.includes('.sgwtmp'))).toEqual([])
    for (const name of ['a/b.txt', 'dir/', 'mp/x']) await remove(name)
    expect(treeOf(sidecar())).toEqual([`${BUCKET}/`])
    expect(strayFiles(at())).toEqual([])
  })

  test('an upload that is aborted, or cannot be completed, leaves nothing or all', async () => {
    const { ref, part } = await startUpload()
    expect(await codeOf(complete(ref, '"no"'))).toBe('InvalidPart')
    await complete(ref, part.etag)
    const other = await startUpload()
    await t.backend.abortUpload(other.ref, undefined, newCall())
    expect(treeOf(sidecar()).filter((path) => path.includes('.sgwtmp'))).toEqual([])
    expect((await read(t, key('mp/x'))).head.userMetadata).toEqual({ m: '1' })
  })

  test('what VersityGW left is served: no stamps, an upload under way, one it was completing', async () => {
    const foreign: Record<string, string> = {
      etag: '"e"',
      'content-type': 'a/b',
      metadata: '{"x":"1"}',
    }
    mkdirSync(at('q'))
    writeFileSync(at('q/f'), 'data')
    for (const [name, value] of Object.entries(foreign)) setAttribute(at('q/f'), name, value)
    const { head } = await read(t, key('q/f'))
    expect([head.etag, head.headers.contentType, head.userMetadata]).toEqual([
      '"e"',
      'a/b',
      { x: '1' },
    ])

    const { ref, part } = await startUpload()
    const uploads = at(`.sgwtmp/multipart/${hash('mp/x')}`)
    rmSync(sidecar(BUCKET, `.sgwtmp/multipart/${hash('mp/x')}/${ref.uploadId}/1/meta/sgw-file`))
    renameSync(
      join(uploads, ref.uploadId),
      join(uploads, `${ref.uploadId}.${md5('x')}-1.inprogress`),
    )
    await complete(ref, part.etag)
    expect((await read(t, key('mp/x'))).head.userMetadata).toEqual({ m: '1' })
    await put(t.backend, key('q/f'), 'new')
    expect((await read(t, key('q/f'))).head.userMetadata).toEqual({})
  })

  test('what puts a file there by itself is an object without attributes; a copied tree keeps its own', async () => {
    writeFileSync(at('by-hand'), 'x')
    expect((await read(t, key('by-hand'))).head.etag).toBe('')
    await t.backend.putObjectSubresource(key('by-hand'), TAGS, '{"a":"1"}', newCall())
    expect(attributesOf(at('by-hand'))).toEqual({ [TAGS]: '{"a":"1"}' })
    await put(t.backend, key('moved'), 'bytes')
    const bytes = readFileSync(at('moved'))
    rmSync(at('moved'))
    writeFileSync(at('moved'), bytes)
    expect((await read(t, key('moved'))).head.etag).toBe(`"${md5('bytes')}"`)
  })

  test('contract 9.2, row 27: keys with `meta` and names of attributes in them', async () => {
    const keys = [
      'meta/acl',
      'meta/etag',
      'meta/x',
      'q/',
      'q/meta/',
      'q/meta/etag',
      'q/meta/y',
      'z/meta',
    ]
    const acl = '{"Owner":"root"}'
    await t.backend.putBucketSubresource(BUCKET, 'acl', acl, newCall())
    for (const name of keys) await put(t.backend, key(name), name.endsWith('/') ? '' : name)
    for (const name of keys)
      expect((await read(t, key(name))).head.etag).toBe(`"${md5(name.endsWith('/') ? '' : name)}"`)
    expect(await list()).toHaveLength(keys.length)
    for (const name of keys.toReversed()) {
      await remove(name)
      keys.pop()
      expect((await list()).map((line) => line.split(' ')[0])).toEqual(keys)
    }
    expect((await t.backend.getBucketSubresource(BUCKET, 'acl', newCall()))?.toString()).toBe(acl)
    expect(treeOf(sidecar())).toEqual([`${BUCKET}/`, `${BUCKET}/meta/`, `${BUCKET}/meta/acl`])
  })

  test('a bucket takes its attributes with it, and a new one has none of an older', async () => {
    await t.backend.putBucketSubresource(BUCKET, 'policy', '{}', newCall())
    const stray = sidecar(BUCKET, 'gone/k/meta/etag')
    mkdirSync(dirname(stray), { recursive: true })
    writeFileSync(stray, '"x"')
    await t.backend.deleteBucket(BUCKET, newCall())
    expect(treeOf(sidecar())).toEqual([])
    mkdirSync(sidecar(BUCKET, 'meta'), { recursive: true })
    writeFileSync(sidecar(BUCKET, 'meta/policy'), '{}')
    await makeBucket(t.backend)
    expect(await t.backend.getBucketSubresource(BUCKET, 'policy', newCall())).toBeUndefined()
  })

  test('where a bucket is deleted and made again, what is written into the new one is', async () => {
    const { ENOENT } = constants.errno
    // Where attributes are written has gone in between.
    t.io.faults.set({ errno: ENOENT, call: 'renameat2', times: 1 })
    await put(t.backend, key('k'), 'x')
    expect(t.io.faults.remaining()).toBe(0)
    expect(attributesOf(at('k'))['etag']).toBe(`"${md5('x')}"`)
    expect(strayFiles(at())).toEqual(['k'])
    t.io.faults.set({ errno: ENOENT, call: 'renameat2', times: 1 })
    await t.backend.putBucketSubresource(BUCKET, 'policy', '{}', newCall())
    t.io.faults.clear()
    expect((await t.backend.getBucketSubresource(BUCKET, 'policy', newCall()))?.toString()).toBe(
      '{}',
    )
  })

  // A reader who looks while others move what he looks for, several times within one look, may still find none: rarely.
  const rarely = { retry: 2 }
  test(
    'a write that loses to a later one, and deletes in between: data and attributes agree throughout',
    rarely,
    async () => {
      const bodies = [0, 1, 2].map((seed) => someBytes(3000 + seed, seed))
      const etags = new Map(bodies.map((bytes) => [`"${md5(bytes)}"`, bytes]))
      const state = { isWriting: true, isReading: true, reads: 0 }
      const isShort = (): boolean => state.isReading && state.reads <= 5
      const writers = [
        ...bodies.map(async (bytes) => {
          for (let i = 0; i < 60 || isShort(); i++) await put(t.backend, key('dir/k'), bytes)
        }),
        (async () => {
          for (let i = 0; i < 60; i++) await remove('dir/k')
        })(),
      ]
      const done = Promise.all(writers).finally(() => (state.isWriting = false))
      try {
        while (state.isWriting) {
          const found = await read(t, key('dir/k')).catch(() => undefined)
          for (const line of await list()) expect(etags.has(line.split(' ')[1] ?? '')).toBe(true)
          if (found === undefined) continue
          expect(etags.get(found.head.etag)?.equals(found.bytes)).toBe(true)
          state.reads++
        }
      } finally {
        state.isReading = false
        await done
      }
      expect(state.reads).toBeGreaterThan(5)
      await put(t.backend, key('dir/k'), 'last')
      expect((await read(t, key('dir/k'))).head.etag).toBe(`"${md5('last')}"`)
      await remove('dir/k')
      expect(treeOf(sidecar())).toEqual([`${BUCKET}/`])
    },
  )

  test('the trace says where attributes are', async () => {
    const writing = newCall()
    await t.backend.putObject(key('k'), newObject(), payloadOf('x'), writing)
    const reading = newCall()
    await t.backend.headObject(key('k'), reading)
    expect(spanTree(writing.span).slice(-6)).toEqual(
      ['OpenTmpFile', 'WriteData', 'Sync', 'WriteMetadata', 'LinkFile', 'Sync'].map(
        (name) => `Posix.IO.${name}`,
      ),
    )
    expect(spanTree(reading.span).at(-1)).toBe('Posix.IO.ReadMetadata')
    const stores = [...writing.recorder.spans, ...reading.recorder.spans]
      .filter(({ name }) => name.endsWith('Metadata'))
      .map(({ attributes }) => attributes['posix.meta_store'])
    expect(stores).toEqual(['sidecar', 'sidecar'])
  })

  async function startUpload() {
    const { uploadId } = await t.backend.createUpload(key('mp/x'), NEW_UPLOAD, newCall())
    const ref = { ...key('mp/x'), uploadId }
    const part = await t.backend.uploadPart(
      { ...ref, partNumber: 1 },
      payloadOf('part'),
      undefined,
      newCall(),
    )
    return { ref, part: listed(1, part) }
  }

  function complete(ref: Awaited<ReturnType<typeof startUpload>>['ref'], etag: string) {
    const parts = [{ partNumber: 1, etag, checksums: {} }]
    return t.backend.completeUpload(ref, { ...COMPLETION, parts, precondition: {} }, newCall())
  }
})

test('versions have attributes of their own, under the absolute path of their directory', async () => {
  const versioningDirectory = mkdtempSync(join(tmpdir(), 'vgw-versions-'))
  const t = await openBackend({ sidecar: true, versioningDirectory })
  await makeBucket(t.backend)
  await t.backend.putBucketSubresource(BUCKET, 'versioning', Buffer.from([1]), newCall())
  const ids: string[] = []
  for (const body of ['one', 'two', 'three']) {
    const object = newObject({ userMetadata: { body } })
    const written = await t.backend.putObject(key('k'), object, payloadOf(body), newCall())
    ids.push(written.versionId ?? '')
  }
  const look = async (versionId?: string): Promise<unknown> => {
    const head = await t.backend.headObject({ ...key('k'), versionId }, newCall())
    return [head.userMetadata, head.etag, head.versionId]
  }
  const expected = (body: string, i: number) => [{ body }, `"${md5(body)}"`, ids[i]]
  expect(await look()).toEqual(expected('three', 2))
  expect(await look(ids[0])).toEqual(expected('one', 0))
  const h = createHash('sha256').update('k').digest('hex')
  const place = `${BUCKET}/${h.slice(0, 2)}/${h.slice(2, 4)}/${h.slice(4, 6)}/${h}/${ids[1]}`
  const attributes = join(`${t.root}.sidecar`, versioningDirectory, place, 'meta')
  expect(readFileSync(join(attributes, 'metadata'), 'utf8')).toBe('{"body":"two"}')
  await t.backend.deleteObject({ ...key('k'), versionId: ids[2] }, {}, newCall())
  expect(await look()).toEqual(expected('two', 1))
  await t.backend.deleteObject({ ...key('k'), versionId: ids[0] }, {}, newCall())
  expect(await look()).toEqual(expected('two', 1))
  await t.backend.deleteObject({ ...key('k'), versionId: ids[1] }, {}, newCall())
  expect(treeOf(`${t.root}.sidecar`).filter((path) => path.endsWith('metadata'))).toEqual([])
  await t.close()
  rmSync(versioningDirectory, { recursive: true })
})

describe('a file system without extended attributes', () => {
  const mount = mountFileSystem('ramfs')
  if (typeof mount === 'string') {
    test.skip(mount)
    return
  }
  afterAll(() => mount.unmount())

  test('is served with a sidecar directory, and without attributes, but not as it is', async () => {
    const directory = (name: string): string => {
      mkdirSync(join(mount.path, name))
      return join(mount.path, name)
    }
    await expect(openBackend({ root: directory('plain') })).rejects.toThrow(
      'no extended attributes',
    )
    for (const [name, how, etag] of [
      ['sidecar', { sidecar: true }, `"${md5('x')}"`],
      ['none', { ioOptions: { attributes: 'none' } }, ''],
    ] as const) {
      const t = await openBackend({ root: directory(name), ...how })
      await makeBucket(t.backend)
      await put(t.backend, key('a/k'), 'x')
      const { head, bytes } = await read(t, key('a/k'))
      expect([head.etag, bytes.toString()]).toEqual([etag, 'x'])
      await t.backend.deleteObject(key('a/k'), {}, newCall())
      await t.backend.deleteBucket(BUCKET, newCall())
      expect(treeOf(t.root)).toEqual([])
      await t.close()
    }
  })
})

function hash(name: string): string {
  return createHash('sha256').update(name).digest('hex')
}
