import { constants } from 'node:os'
import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ObjectSubresource } from '../../src/backend/backend.ts'
import { attributesOf } from '../support/tree.ts'
import {
  codeOf,
  makeBucket,
  newCall,
  openBackend,
  put,
  spanTree,
  type TestBackend,
} from './support.ts'

const TAGS = 'X-Amz-Tagging'

describe.each(['none', 'full'] as const)('subresources, durability %s', (durability) => {
  let t: TestBackend
  beforeEach(async () => {
    t = await openBackend({ durability })
    await makeBucket(t.backend)
  })
  afterEach(() => t.close())
  const at = (key: string) => ({ bucket: 'bucket', key })
  const get = async (key: string, name: ObjectSubresource = TAGS) =>
    (await t.backend.getObjectSubresource(at(key), name, newCall()))?.toString()
  const write = (key: string, value = '{"a":"1"}') =>
    t.backend.putObjectSubresource(at(key), TAGS, value, newCall())
  const remove = (key: string) => t.backend.deleteObjectSubresource(at(key), TAGS, newCall())

  test('a bucket’s document comes back byte for byte and goes', async () => {
    const { backend } = t
    const value = Buffer.from([0, 1, 255, 10])
    await backend.putBucketSubresource('bucket', 'policy', value, newCall())
    expect(await backend.getBucketSubresource('bucket', 'policy', newCall())).toEqual(value)
    await backend.deleteBucketSubresource('bucket', 'policy', newCall())
    await backend.deleteBucketSubresource('bucket', 'policy', newCall())
    expect(await backend.getBucketSubresource('bucket', 'policy', newCall())).toBeUndefined()
    const written = backend.putBucketSubresource('none', 'policy', value, newCall())
    expect(await codeOf(written)).toBe('NoSuchBucket')
    const removed = backend.deleteBucketSubresource('none', 'policy', newCall())
    expect(await codeOf(removed)).toBe('NoSuchBucket')
  })

  test('an object’s document comes back and goes; other attributes stay', async () => {
    for (const key of ['k', 'dir/']) {
      await put(t.backend, at(key), '', { userMetadata: { m: 'x' } })
      const before = attributesOf(join(t.root, 'bucket', key))
      expect(await get(key)).toBeUndefined()
      await write(key)
      expect(await get(key)).toBe('{"a":"1"}')
      expect(attributesOf(join(t.root, 'bucket', key))).toEqual({ ...before, [TAGS]: '{"a":"1"}' })
      await remove(key)
      await remove(key)
      expect(attributesOf(join(t.root, 'bucket', key))).toEqual(before)
    }
  })

  test('what is no object has no documents, and none is hung on it (contract 2.7)', async () => {
    const dir = join(t.root, 'bucket')
    mkdirSync(join(dir, 'plain'))
    symlinkSync('/etc/passwd', join(dir, 'link'))
    execFileSync('mkfifo', [join(dir, 'fifo')])
    await put(t.backend, at('file'), 'x')
    writeFileSync(join(dir, 'marker'), '')
    execFileSync('setfattr', ['-n', 'user.delete-marker', join(dir, 'marker')])
    const marked = attributesOf(join(dir, 'marker'))
    for (const key of ['none', 'no/such', 'plain', 'plain/', 'link', 'fifo', 'file/', 'marker']) {
      expect([key, await codeOf(get(key))]).toEqual([key, 'NoSuchKey'])
      expect(await codeOf(write(key))).toBe('NoSuchKey')
      expect(await codeOf(remove(key))).toBe('NoSuchKey')
      const decided = t.backend.putObjectSubresource(at(key), TAGS, () => 'x', newCall())
      expect(await codeOf(decided)).toBe('NoSuchKey')
    }
    expect(attributesOf(join(dir, 'plain'))).toEqual({})
    expect(attributesOf(join(dir, 'marker'))).toEqual(marked)
    expect(await codeOf(write('../bucket/file'))).toBe('400')
  })

  test('one hop to the I/O pool a call, and one sync in the durable mode', async () => {
    await put(t.backend, at('k'), 'x')
    const sync = durability === 'full' ? ['Posix.IO.Sync'] : []
    const tree = async (run: (call: ReturnType<typeof newCall>) => Promise<unknown>) => {
      const call = newCall()
      const { jobs } = t.io.stats()
      await run(call)
      expect(t.io.stats().jobs - jobs).toBe(1)
      return spanTree(call.span)
    }
    const { backend } = t
    expect(await tree((call) => backend.putObjectSubresource(at('k'), TAGS, 'x', call))).toEqual([
      'Posix.IO.OpenFile',
      'Posix.IO.WriteMetadata',
      ...sync,
    ])
    expect(await tree((call) => backend.getObjectSubresource(at('k'), TAGS, call))).toEqual([
      'Posix.IO.OpenFile',
      'Posix.IO.ReadMetadata',
    ])
    await tree((call) => backend.deleteObjectSubresource(at('k'), TAGS, call))
    expect(await tree((call) => backend.putBucketSubresource('bucket', 'cors', 'x', call))).toEqual(
      ['Posix.IO.OpenFile', 'Posix.IO.WriteMetadata', ...sync],
    )
    await tree((call) => backend.deleteBucketSubresource('bucket', 'cors', call))
  })

  test('a document goes to the file that was opened, not to the one that took its place', async () => {
    await put(t.backend, at('k'), 'old')
    await put(t.backend, at('new'), 'new')
    const dir = join(t.root, 'bucket')
    const value = (): string => {
      renameSync(join(dir, 'k'), join(dir, 'aside'))
      renameSync(join(dir, 'new'), join(dir, 'k'))
      return 'decided'
    }
    await t.backend.putObjectSubresource(at('k'), TAGS, value, newCall())
    expect(attributesOf(join(dir, 'aside'))[TAGS]).toBe('decided')
    expect(attributesOf(join(dir, 'k'))[TAGS]).toBeUndefined()
  })

  test('of many that decide by what is there none is lost', async () => {
    await put(t.backend, at('k'), 'x')
    const count = (stored: Buffer | undefined): string => String(Number(stored ?? 0) + 1)
    await Promise.all(
      Array.from({ length: 20 }, () =>
        t.backend.putObjectSubresource(at('k'), TAGS, count, newCall()),
      ),
    )
    expect(await get('k')).toBe('20')
  })

  test('a decision that refuses changes nothing', async () => {
    await put(t.backend, at('k'), 'x')
    await write('k', 'first')
    const refuse = (): string => {
      throw new Error('no')
    }
    await expect(t.backend.putObjectSubresource(at('k'), TAGS, refuse, newCall())).rejects.toThrow(
      'no',
    )
    expect(await get('k')).toBe('first')
  })

  test('what the disk refuses is told', async () => {
    await put(t.backend, at('k'), 'x')
    for (const [errno, code] of [
      [constants.errno.ENOSPC, 'InsufficientStorage'],
      [constants.errno.EDQUOT, 'QuotaExceeded'],
      [constants.errno.EROFS, 'MethodNotAllowed'],
    ] as const) {
      t.io.faults.set({ errno, call: 'fsetxattr', times: 1 })
      expect(await codeOf(write('k'))).toBe(code)
      t.io.faults.clear()
      t.io.faults.set({ errno, call: 'fsetxattr', times: 1 })
      const bucket = t.backend.putBucketSubresource('bucket', 'cors', 'x', newCall())
      expect(await codeOf(bucket)).toBe(code)
      t.io.faults.clear()
    }
  })
})
