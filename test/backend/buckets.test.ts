import { constants } from 'node:os'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ownerGrant, renderAcl } from '../../src/auth/acl.ts'
import { attributesOf } from '../support/tree.ts'
import {
  codeOf,
  makeBucket,
  newCall,
  openBackend,
  outcomeOf,
  put,
  spanTree,
  type TestBackend,
} from './support.ts'

describe.each(['none', 'full'] as const)('buckets, durability %s', (durability) => {
  let t: TestBackend
  beforeEach(async () => {
    t = await openBackend({ durability })
  })
  afterEach(() => t.close())
  const create = (name: string, owner = 'root'): Promise<void> =>
    t.backend.createBucket(
      {
        name,
        owner,
        subresources: new Map([
          ['acl', renderAcl({ owner, grantees: [ownerGrant(owner)] })],
          ['ownership', 'BucketOwnerEnforced'],
        ]),
      },
      newCall(),
    )

  test('a new bucket has what hangs on it, byte for byte (contract 2.2)', async () => {
    await create('b', 'o<w"ner')
    expect(attributesOf(join(t.root, 'b'))).toEqual({
      acl: '{"Owner":"o\\u003cw\\"ner","Grantees":[{"Permission":"FULL_CONTROL","Access":"o\\u003cw\\"ner","Type":"CanonicalUser"}]}',
      ownership: 'BucketOwnerEnforced',
    })
    expect(readdirSync(join(t.root, 'b'))).toEqual([])
    expect((await t.backend.getBucketSubresource('b', 'ownership', newCall()))?.toString()).toBe(
      'BucketOwnerEnforced',
    )
    expect(await t.backend.getBucketSubresource('b', 'policy', newCall())).toBeUndefined()
    expect(await codeOf(t.backend.getBucketSubresource('none', 'acl', newCall()))).toBe(
      'NoSuchBucket',
    )
  })

  test('a name that is taken', async () => {
    await create('b', 'alice')
    expect(await codeOf(create('b', 'alice'))).toBe('BucketAlreadyOwnedByYou')
    expect(await codeOf(create('b', 'bob'))).toBe('BucketAlreadyExists')
    mkdirSync(join(t.root, 'plain'))
    writeFileSync(join(t.root, 'file'), '')
    expect(await codeOf(create('plain'))).toBe('BucketAlreadyExists')
    expect(await codeOf(create('file'))).toBe('BucketAlreadyExists')
    expect(await codeOf(t.backend.headBucket('file', newCall()))).toBe('NoSuchBucket')
  })

  test('a bucket that could not be made whole is not there', async () => {
    for (const call of ['fsetxattr', 'openat2', 'fsync'] as const) {
      if (call === 'fsync' && durability === 'none') continue
      t.io.faults.set({ errno: constants.errno.EDQUOT, call, times: 1 })
      expect(await codeOf(create('b'))).toBe('QuotaExceeded')
      t.io.faults.clear()
      expect(readdirSync(t.root)).toEqual([])
    }
  })

  test('the list: directories in byte order, without the hidden ones', async () => {
    for (const name of ['b-1', 'b', 'b.1', 'a']) await create(name)
    for (const name of ['.sgwtmp', '.hidden']) mkdirSync(join(t.root, name))
    writeFileSync(join(t.root, 'file'), '')
    const buckets = await t.backend.listBuckets(newCall())
    expect(buckets.map(({ name }) => name)).toEqual(['a', 'b', 'b-1', 'b.1'])
    expect(buckets[0]?.creationDate.getTime()).toBe(Math.floor(statSync(join(t.root, 'a')).mtimeMs))
  })

  test('only an empty bucket goes; uploads in progress go with it', async () => {
    await makeBucket(t.backend)
    const ref = { bucket: 'bucket', key: 'a/k' }
    await put(t.backend, ref, 'x')
    expect(await codeOf(t.backend.deleteBucket('bucket', newCall()))).toBe('BucketNotEmpty')
    await t.backend.deleteObject(ref, {}, newCall())
    await t.backend.createUpload(
      ref,
      { headers: {}, userMetadata: {}, tags: undefined, checksum: undefined },
      newCall(),
    )
    await t.backend.deleteBucket('bucket', newCall())
    expect(readdirSync(t.root)).toEqual([])
    expect(await codeOf(t.backend.deleteBucket('bucket', newCall()))).toBe('NoSuchBucket')
    expect(await codeOf(put(t.backend, ref, 'x'))).toBe('NoSuchBucket')
  })

  test('a bucket that goes while objects are put into it is either gone or whole', async () => {
    for (let round = 0; round < 20; round++) {
      await makeBucket(t.backend)
      const ref = { bucket: 'bucket', key: 'a/b/k' }
      const outcomes = await Promise.all([
        outcomeOf(put(t.backend, ref, 'x')),
        outcomeOf(t.backend.deleteBucket('bucket', newCall())),
        outcomeOf(put(t.backend, { ...ref, key: 'top' }, 'x')),
      ])
      const [first, deleted, second] = outcomes
      for (const outcome of [first, second]) expect(['ok', 'NoSuchBucket']).toContain(outcome)
      expect(['ok', 'BucketNotEmpty']).toContain(deleted)
      if (deleted === 'ok') expect([first, second]).toEqual(['NoSuchBucket', 'NoSuchBucket'])
      else {
        for (const key of ['a/b/k', 'top'])
          await t.backend.deleteObject({ bucket: 'bucket', key }, {}, newCall())
        await t.backend.deleteBucket('bucket', newCall())
      }
    }
  })

  test('what is synced', async () => {
    const syncs = async (
      run: (call: ReturnType<typeof newCall>) => Promise<unknown>,
    ): Promise<number> => {
      const call = newCall()
      await run(call)
      return spanTree(call.span).filter((line) => line.includes('Sync')).length
    }
    const times = durability === 'full' ? 1 : 0
    expect(
      await syncs((call) =>
        t.backend.createBucket({ name: 'b', owner: 'o', subresources: new Map() }, call),
      ),
    ).toBe(2 * times)
    expect(await syncs((call) => t.backend.deleteBucket('b', call))).toBe(times)
  })

  test('where rename cannot be told to replace nothing (NFS), the directory is made in place', async () => {
    const make = (): Promise<string> => {
      t.io.faults.set({ errno: constants.errno.EINVAL, call: 'renameat2', times: 1 })
      return outcomeOf(create('in-place'))
    }
    expect([await make(), await make()]).toEqual(['ok', 'BucketAlreadyOwnedByYou'])
    t.io.faults.clear()
    expect(attributesOf(join(t.root, 'in-place'))).toHaveProperty('ownership')
    expect(readdirSync(t.root).filter((name) => name.startsWith('.'))).toEqual([])
    expect(readdirSync(t.root)).toContain('in-place')
  })
})
