import { mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { RECORD_DOUBLES } from '../../src/io/syscalls.ts'
import {
  codeOf,
  makeBucket,
  newCall,
  newObject,
  payloadOf,
  put,
  read,
  useBackend,
} from './support.ts'

const BUCKET = 'bucket'
const key = (name: string): { bucket: string; key: string } => ({ bucket: BUCKET, key: name })

describe.each(['none', 'full'] as const)(
  'the directory of temporary files stays open (durability %s)',
  (durability) => {
    const t = useBackend({ durability })
    const directory = (): string => join(t.root, BUCKET, '.sgwtmp')

    /** Those that this process has open now, by their paths. */
    const open = (): string[] =>
      readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          const path = readlinkSync(`/proc/self/fd/${fd}`)
          return path.startsWith(t.root) && path.includes('.sgwtmp') ? [path] : []
        } catch {
          return [] // the one that reads this directory
        }
      })

    /** Twice: the first makes it, the second opens it. */
    const write = async (name: string, bytes = 'x'): Promise<void> => {
      await put(t.backend, key(name), bytes)
      await put(t.backend, key(name), bytes)
    }

    test('for those who write next', async () => {
      await write('a')
      expect(open()).toEqual([directory()])
      const call = newCall()
      await t.backend.putObject(key('a'), newObject({}), payloadOf('second'), call)
      const opening = call.recorder.spans.find(({ name }) => name === 'Posix.IO.OpenTmpFile')
      // The bucket and the file.
      expect(opening?.syscalls).toHaveLength(2 * RECORD_DOUBLES)
      await put(t.backend, key('new'), 'third')
      expect((await read(t, key('a'))).bytes.toString()).toBe('second')
      expect(open()).toEqual([directory()])
      expect(readdirSync(directory())).toEqual([])
    })

    test('until its bucket is deleted', async () => {
      await write('a')
      await t.backend.deleteObject(key('a'), {}, newCall())
      await t.backend.deleteBucket(BUCKET, newCall())
      await vi.waitFor(() => expect(open()).toEqual([]))
      expect(await codeOf(put(t.backend, key('a'), 'x'))).toBe('NoSuchBucket')
      await makeBucket(t.backend)
      await write('a', 'again')
      expect((await read(t, key('a'))).bytes.toString()).toBe('again')
    })

    test('though it is removed behind our back it is made anew', async () => {
      await write('a')
      rmSync(directory(), { recursive: true })
      await Promise.all(['a', 'b', 'c'].map((name) => write(name, `${name} again`)))
      for (const name of ['a', 'b', 'c'])
        expect((await read(t, key(name))).bytes.toString()).toBe(`${name} again`)
      expect(open()).toEqual([directory()])
    })

    test('though the bucket is another one by now', async () => {
      await write('a')
      renameSync(join(t.root, BUCKET), join(t.root, 'moved'))
      mkdirSync(join(t.root, BUCKET))
      await write('a', 'in the new bucket')
      expect((await read(t, key('a'))).bytes.toString()).toBe('in the new bucket')
      const moved = await read(t, { bucket: 'moved', key: 'a' })
      expect(moved.bytes.toString()).toBe('x')
      rmSync(join(t.root, 'moved'), { recursive: true })
      await write('a', 'and again')
      expect((await read(t, key('a'))).bytes.toString()).toBe('and again')
    })

    // Its bucket was put aside and is read-only, somebody else's, immutable, on a disk that failed: the one now is not.
    test.each(['EROFS', 'EACCES', 'EPERM', 'EIO', 'ENOTCONN'] as const)(
      'unless linking through it fails with %s: then the one there is now is opened',
      async (code) => {
        await write('a')
        const errno = constants.errno[code]
        // The first link finds the name taken, the second is through the directory.
        t.io.faults.set({ errno, call: 'linkat', after: 1, times: 1 })
        await put(t.backend, key('a'), 'y')
        expect(t.io.faults.remaining()).toBe(0)
        t.io.faults.clear()
        const call = newCall()
        await t.backend.putObject(key('a'), newObject({}), payloadOf('z'), call)
        const made = call.recorder.spans.find(({ name }) => name === 'Posix.IO.OpenTmpFile')
        expect(made?.attributes['posix.tmp_method']).toBe('o_tmpfile')
        expect((await read(t, key('a'))).bytes.toString()).toBe('z')
        expect(open()).toEqual([directory()])
        expect(readdirSync(directory())).toEqual([])
      },
    )

    test('unless there are no descriptors left', async () => {
      await makeBucket(t.backend, 'other')
      await put(t.backend, { bucket: 'other', key: 'a' }, 'x')
      await put(t.backend, { bucket: 'other', key: 'a' }, 'x')
      await write('a')
      expect(open()).toHaveLength(2)
      t.io.faults.set({ errno: constants.errno.EMFILE, times: 1 })
      expect(await codeOf(put(t.backend, key('a'), 'y'))).toBe('SlowDown')
      await vi.waitFor(() => expect(open()).toEqual([]))
      await write('a', 'y')
      expect((await read(t, key('a'))).bytes.toString()).toBe('y')
      expect(open()).toEqual([directory()])
    })

    test('and one that refuses each time is told of', async () => {
      await write('a')
      t.io.faults.set({ errno: constants.errno.EACCES, call: 'renameat2' })
      expect(await codeOf(put(t.backend, key('a'), 'y'))).toBe('AccessDenied')
      t.io.faults.clear()
      expect((await read(t, key('a'))).bytes.toString()).toBe('x')
      expect(readdirSync(directory())).toEqual([])
      expect(open()).toEqual([])
    })

    test('and a link in its place is not followed', async () => {
      await write('a')
      const elsewhere = join(t.root, 'elsewhere')
      mkdirSync(elsewhere)
      renameSync(directory(), join(t.root, 'aside'))
      symlinkSync(elsewhere, directory())
      expect(await codeOf(put(t.backend, key('a'), 'y'))).not.toBe('')
      expect(readdirSync(elsewhere)).toEqual([])
      expect((await read(t, key('a'))).bytes.toString()).toBe('x')
    })
  },
)
