import { constants } from 'node:os'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { strayFiles } from '../support/tree.ts'
import {
  makeBucket,
  newCall,
  newObject,
  openBackend,
  outcomeOf,
  payloadOf,
  put,
  read,
  someBytes,
  spanTree,
  type TestBackend,
} from './support.ts'

const BUCKET = 'bucket'

describe('PutObject, its trace and what can go wrong', () => {
  let t: TestBackend
  afterEach(() => t.close())
  const ref = { bucket: BUCKET, key: 'dir/object' }

  test.each([
    ['none', ['OpenTmpFile', 'WriteData', 'WriteMetadata', 'MakeParents', 'LinkFile']],
    [
      'full',
      ['OpenTmpFile', 'WriteData', 'WriteMetadata', 'Sync', 'MakeParents', 'LinkFile', 'Sync'],
    ],
  ] as const)('the trace, small and large (durability %s)', async (durability, expected) => {
    t = await openBackend({ durability })
    await makeBucket(t.backend)
    await put(t.backend, { bucket: BUCKET, key: 'dir/other' }, 'x')
    for (const bytes of [someBytes(4096), someBytes(700_000)]) {
      const call = newCall()
      await t.backend.putObject(ref, newObject(), payloadOf(bytes), call)
      const names = spanTree(call.span).map((line) => line.replace('Posix.IO.', ''))
      expect(
        names.filter((name, i) => !(name === 'OpenFile' && i < names.indexOf('OpenTmpFile'))),
      ).toEqual(expected)
      const span = (name: string) =>
        call.recorder.spans.find((s) => s.name === `Posix.IO.${name}`)?.attributes
      expect(span('OpenTmpFile')).toMatchObject({
        'posix.dir': 'bucket/.sgwtmp',
        'posix.bucket': BUCKET,
        'posix.object': 'dir/object',
        'posix.size': bytes.length,
        'posix.tmp_method': 'o_tmpfile',
      })
      expect(span('WriteData')).toMatchObject({ 'posix.bytes_written': bytes.length })
      expect(span('LinkFile')).toMatchObject({
        'posix.bucket': BUCKET,
        'posix.object': 'dir/object',
      })
    }
  })

  test('where O_TMPFILE is refused, a name serves, and is remembered', async () => {
    for (const bytes of ['small', someBytes(300_000)]) {
      t = await openBackend()
      await makeBucket(t.backend)
      await put(t.backend, { bucket: BUCKET, key: 'first' }, 'x')
      t.io.faults.set({ errno: constants.errno.EOPNOTSUPP, call: 'openat', after: 1, times: 1 })
      await put(t.backend, ref, bytes)
      t.io.faults.clear()
      const call = newCall()
      await t.backend.putObject(ref, newObject(), payloadOf('x'), call)
      expect(
        call.recorder.spans.find((s) => s.name === 'Posix.IO.OpenTmpFile')?.attributes[
          'posix.tmp_method'
        ],
      ).toBe('named')
      expect(strayFiles(join(t.root, BUCKET))).toEqual(['dir/', 'dir/object', 'first'])
      await t.close()
    }
    t = await openBackend()
  })

  test.each([
    ['small, the first', 'small', { call: 'openat', after: 1 }],
    ['small, the second', 'small', { call: 'openat2' }],
    ['large', someBytes(300_000), { call: 'openat', after: 1 }],
  ] as const)(
    'where ext4 answers EPERM to O_TMPFILE, since the directory is being removed, it is made anew: %s',
    async (which, bytes, fault) => {
      t = await openBackend()
      await makeBucket(t.backend)
      const { EPERM } = constants.errno
      for (const key of ['first', 'first'].slice(which === 'small, the second' ? 0 : 1))
        await put(t.backend, { bucket: BUCKET, key }, 'x')
      t.io.faults.set({ errno: EPERM, times: 1, ...fault })
      await put(t.backend, ref, bytes)
      expect(t.io.faults.remaining()).toBe(0)
      t.io.faults.clear()
      const call = newCall()
      await t.backend.putObject(ref, newObject(), payloadOf('x'), call)
      const made = call.recorder.spans.find((s) => s.name === 'Posix.IO.OpenTmpFile')
      expect(made?.attributes['posix.tmp_method']).toBe('o_tmpfile')
      // An immutable directory refuses it each time.
      t.io.faults.set({ errno: EPERM, after: 1 })
      expect(await outcomeOf(put(t.backend, ref, 'y'))).toBe('AccessDenied')
      t.io.faults.clear()
    },
  )

  test('where the directory of locks is removed before a lock is taken, it is made anew', async () => {
    t = await openBackend()
    await makeBucket(t.backend)
    const precondition = { ifMatch: '*' }
    for (const bytes of ['old', 'older']) await put(t.backend, ref, bytes)
    await put(t.backend, ref, 'conditional', { precondition })
    const { ENOENT } = constants.errno
    for (const after of [0, 1]) {
      t.io.faults.set({ errno: ENOENT, call: 'openat2', after, times: 1 })
      await put(t.backend, ref, `again ${after}`, { precondition })
      expect(t.io.faults.remaining()).toBe(0)
      t.io.faults.clear()
      expect((await read(t, ref)).bytes.toString()).toBe(`again ${after}`)
    }
  })

  test('where linkat is refused, or lands on another file system, the object gets there all the same', async () => {
    const { EPERM, EXDEV } = constants.errno
    for (const errno of [EPERM, EXDEV]) {
      for (const bytes of [Buffer.from('small'), someBytes(300_000)]) {
        t = await openBackend()
        await makeBucket(t.backend)
        await put(t.backend, { bucket: BUCKET, key: 'first' }, 'x')
        t.io.faults.set({ errno, call: 'linkat', times: 1 })
        await put(t.backend, ref, bytes)
        t.io.faults.clear()
        expect((await read(t, ref)).bytes.equals(bytes)).toBe(true)
        expect(strayFiles(join(t.root, BUCKET))).toEqual(['dir/', 'dir/object', 'first'])
        await t.close()
      }
    }
    t = await openBackend()
  })

  test.each([
    ['ENOSPC', 'InsufficientStorage'],
    ['EDQUOT', 'QuotaExceeded'],
    ['EROFS', 'MethodNotAllowed'],
    ['EACCES', 'AccessDenied'],
    ['EMFILE', 'SlowDown'],
    ['ESTALE', 'SlowDown'],
    ['EIO', 'InternalError'],
  ] as const)(
    'whatever call fails with %s: %s or success, never half an object, never a leftover',
    async (name, code) => {
      t = await openBackend({ durability: 'full' })
      await makeBucket(t.backend)
      const errno = constants.errno[name]
      await put(t.backend, { bucket: BUCKET, key: 'kept' }, 'kept')
      for (const bytes of [Buffer.from('small'), someBytes(300_000)]) {
        for (let after = 0; after < 40; after++) {
          t.io.faults.set({ errno, after, times: 1 })
          const outcome = await outcomeOf(put(t.backend, { bucket: BUCKET, key: 'new/k' }, bytes))
          t.io.faults.clear()
          expect(['ok', code]).toContain(outcome)
          const stray = strayFiles(join(t.root, BUCKET)).filter((path) => path !== 'kept')
          const exists = stray.includes('new/k')
          // A sync that fails comes after the name was given: the client is told of a failure, the object is whole.
          if (outcome === 'ok') expect(exists).toBe(true)
          if (exists) expect(readFileSync(join(t.root, BUCKET, 'new/k')).equals(bytes)).toBe(true)
          expect(stray).toEqual(exists ? ['new/', 'new/k'] : [])
          await t.backend.deleteObject({ bucket: BUCKET, key: 'new/k' }, {}, newCall())
        }
      }
    },
  )
})
