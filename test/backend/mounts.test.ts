import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { mountFileSystem } from '../native/loop-mount.ts'
import { strayFiles } from '../support/tree.ts'
import {
  codeOf,
  makeBucket,
  newCall,
  openBackend,
  payloadOf,
  put,
  read,
  someBytes,
  type TestBackend,
} from './support.ts'

const BUCKET = 'bucket'
const key = (name: string): { bucket: string; key: string } => ({ bucket: BUCKET, key: name })
const bodies = [Buffer.from('small'), someBytes(600_000)]

describe.each([true, false])(
  'a file system mounted below a bucket (O_TMPFILE: %s)',
  (useTmpFile) => {
    const mount = mountFileSystem('tmpfs')
    if (typeof mount === 'string') {
      test.skip(mount)
      return
    }
    afterAll(() => mount.unmount())
    let t: TestBackend
    let below: string
    beforeEach(async () => {
      t = await openBackend({ useTmpFile, durability: 'full' })
      await makeBucket(t.backend)
      below = join(t.root, BUCKET, 'below')
      mkdirSync(below)
      execFileSync('mount', ['--bind', mkdtempSync(join(mount.path, 'fs-')), below])
    })
    afterEach(async () => {
      execFileSync('umount', [below])
      await t.close()
    })

    test('objects get there, and go, like everywhere else', async () => {
      const names = ['below/top', 'below/new/dir/deep', 'beside']
      for (const bytes of bodies) {
        for (const name of names) {
          for (let round = 0; round < 2; round++) await put(t.backend, key(name), bytes)
          expect((await read(t, key(name))).bytes.equals(bytes)).toBe(true)
        }
      }
      expect(
        await codeOf(put(t.backend, key('below/top'), 'x', { precondition: { ifNoneMatch: '*' } })),
      ).toBe('PreconditionFailed')
      const object = {
        metadata: 'COPY',
        tags: 'COPY',
        checksum: undefined,
        precondition: {},
      } as const
      for (const [from, to] of [
        ['beside', 'below/copy'],
        ['below/top', 'copy'],
      ] as const) {
        await t.backend.copyObject(
          { ...key(from), check: () => undefined },
          key(to),
          object,
          newCall(),
        )
        expect((await read(t, key(to))).bytes).toHaveLength(600_000)
      }
      const all: string[] = []
      const page = { prefix: '', delimiter: '', after: '', maxKeys: 1000 }
      for (const { key: name } of (await t.backend.listObjects(BUCKET, page, newCall())).objects)
        all.push(name)
      expect(all).toEqual(['below/copy', 'below/new/dir/deep', 'below/top', 'beside', 'copy'])
      for (const name of all) await t.backend.deleteObject(key(name), {}, newCall())
      // A mount point cannot be removed.
      expect(strayFiles(join(t.root, BUCKET))).toEqual(['below/'])
    })

    test('an upload of parts ends there', async () => {
      const ref = key('below/parts/object')
      const upload = { headers: {}, userMetadata: {}, tags: undefined, checksum: undefined }
      const { uploadId } = await t.backend.createUpload(ref, upload, newCall())
      const part = await t.backend.uploadPart(
        { ...ref, uploadId, partNumber: 1 },
        payloadOf(bodies[1] ?? ''),
        undefined,
        newCall(),
      )
      const parts = [{ partNumber: 1, etag: part.etag, checksums: {} }]
      const completion = {
        parts,
        checksumType: undefined,
        checksum: undefined,
        objectSize: undefined,
        precondition: {},
      }
      await t.backend.completeUpload({ ...ref, uploadId }, completion, newCall())
      expect((await read(t, ref)).bytes.equals(bodies[1] ?? Buffer.alloc(0))).toBe(true)
      expect(strayFiles(join(t.root, BUCKET))).toEqual([
        'below/',
        'below/parts/',
        'below/parts/object',
      ])
    })
  },
)

test('a bucket by a link is served, told of by name only, and goes without what it leads to', async () => {
  const t = await openBackend()
  const elsewhere = mkdtempSync(join(tmpdir(), 'vgw-linked-'))
  symlinkSync(elsewhere, join(t.root, 'linked'))
  for (const bytes of bodies) await put(t.backend, { bucket: 'linked', key: 'a/k' }, bytes)
  expect((await read(t, { bucket: 'linked', key: 'a/k' })).bytes).toHaveLength(600_000)
  await t.backend.headBucket('linked', newCall())
  expect(await t.backend.listBuckets(newCall())).toEqual([])
  expect(await codeOf(t.backend.deleteBucket('linked', newCall()))).toBe('BucketNotEmpty')
  await t.backend.deleteObject({ bucket: 'linked', key: 'a/k' }, {}, newCall())
  await t.backend.deleteBucket('linked', newCall())
  expect(await codeOf(t.backend.headBucket('linked', newCall()))).toBe('NoSuchBucket')
  expect(strayFiles(elsewhere)).toEqual([])
  await t.close()
})
