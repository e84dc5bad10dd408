import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Call } from '../../src/backend/backend.ts'
import { isRoot } from '../support/tools.ts'
import {
  codeOf,
  newCall,
  newObject,
  openBackend,
  payloadOf,
  someBytes,
  VARIANTS,
  type TestBackend,
} from './support.ts'

const ACCOUNT = { userId: 12_345, groupId: 23_456 }
const BUCKET = 'bucket'

let t: TestBackend
afterEach(() => t.close())

/** A call of the account. */
const call = (account: Call['account'] = ACCOUNT): Call => ({ ...newCall(), account })
const ref = (key: string): { bucket: string; key: string } => ({ bucket: BUCKET, key })

function owner(...names: string[]): readonly [uid: number, gid: number] {
  const { uid, gid } = statSync(join(t.root, BUCKET, ...names))
  return [uid, gid]
}

async function makeBucket(account?: Call['account']): Promise<void> {
  await t.backend.createBucket(
    { name: BUCKET, owner: 'alice', subresources: new Map() },
    call(account),
  )
}

function put(key: string, body: Uint8Array | string, account?: Call['account']): Promise<unknown> {
  return t.backend.putObject(ref(key), newObject(), payloadOf(body), call(account))
}

const BOTH = [ACCOUNT.userId, ACCOUNT.groupId]

describe.skipIf(!isRoot)(
  '--chuid, --chgid (contract 1.3, 2.7; only root can give files away)',
  () => {
    describe.each(VARIANTS)('$name', ({ useTmpFile, durability }) => {
      const open = async (): Promise<void> => {
        t = await openBackend({ useTmpFile, durability, chownUid: true, chownGid: true })
      }

      test('buckets, directories and objects, small and streamed', async () => {
        await open()
        await makeBucket()
        await put('a/b/small', 'x')
        await put('large', someBytes(3 * 1024 * 1024))
        await put('dir/object/', '')
        const paths = ['', 'a', 'a/b', 'a/b/small', 'large', 'dir', 'dir/object']
        expect(paths.map((path) => owner(path))).toEqual(paths.map(() => BOTH))
      })

      test('an object that is replaced belongs to who replaced it', async () => {
        await open()
        await makeBucket()
        await put('k', 'x')
        await put('k', 'y', { userId: 777, groupId: 888 })
        expect(owner('k')).toEqual([777, 888])
      })

      test('copies, parts and completed uploads', async () => {
        await open()
        await makeBucket()
        await put('from', 'content', {})
        const source = { ...ref('from'), check: () => undefined }
        const asItIs = {
          metadata: 'COPY',
          tags: 'COPY',
          checksum: undefined,
          precondition: {},
        } as const
        await t.backend.copyObject(source, ref('new/copy'), asItIs, call())
        const upload = { headers: {}, userMetadata: {}, tags: undefined, checksum: undefined }
        const { uploadId } = await t.backend.createUpload(ref('up/loaded'), upload, call())
        const part = { ...ref('up/loaded'), uploadId, partNumber: 1 }
        const { etag } = await t.backend.uploadPart(part, payloadOf('part'), undefined, call())
        const completion = {
          parts: [{ partNumber: 1, etag, checksums: {} }],
          checksumType: undefined,
          checksum: undefined,
          objectSize: undefined,
          precondition: {},
        }
        await t.backend.completeUpload({ ...ref('up/loaded'), uploadId }, completion, call())
        expect(owner('from')).toEqual([0, 0])
        const paths = ['new', 'new/copy', 'up', 'up/loaded']
        expect(paths.map((path) => owner(path))).toEqual(paths.map(() => BOTH))
      })
    })

    test('a directory that was there stays whose it is', async () => {
      t = await openBackend({ chownUid: true, chownGid: true })
      await makeBucket()
      mkdirSync(join(t.root, BUCKET, 'there'))
      await put('there/new/k', 'x')
      expect([owner('there'), owner('there', 'new')]).toEqual([[0, 0], BOTH])
    })

    test('each alone', async () => {
      t = await openBackend({ chownUid: true })
      await makeBucket()
      await put('k', 'x')
      expect([owner(), owner('k')]).toEqual([
        [ACCOUNT.userId, 0],
        [ACCOUNT.userId, 0],
      ])
      await t.close()
      t = await openBackend({ chownGid: true })
      await makeBucket()
      await put('k', 'x')
      expect([owner(), owner('k')]).toEqual([
        [0, ACCOUNT.groupId],
        [0, ACCOUNT.groupId],
      ])
    })

    test('neither: everything is the process’s', async () => {
      t = await openBackend({})
      await makeBucket()
      await put('a/k', 'x')
      expect([owner(), owner('a'), owner('a', 'k')]).toEqual([
        [0, 0],
        [0, 0],
        [0, 0],
      ])
    })

    test.each([
      ['the process’s own ids', { userId: 0, groupId: 0 }],
      ['no ids', {}],
      ['nobody', undefined],
    ])('%s: there is nothing to change', async (_, account) => {
      t = await openBackend({ chownUid: true, chownGid: true })
      t.io.faults.set({ call: 'fchown', errno: 1 })
      await t.backend.createBucket(
        { name: BUCKET, owner: 'alice', subresources: new Map() },
        { ...newCall(), account },
      )
      await t.backend.putObject(ref('a/k'), newObject(), payloadOf('x'), { ...newCall(), account })
      t.io.faults.clear()
      expect(owner('a', 'k')).toEqual([0, 0])
    })

    test('an owner that cannot be given fails the request and leaves nothing', async () => {
      t = await openBackend({ chownUid: true, chownGid: true })
      await makeBucket({})
      t.io.faults.set({ call: 'fchown', errno: 1 })
      expect(await codeOf(put('a/k', 'x'))).toBe('AccessDenied')
      t.io.faults.clear()
      expect(() => owner('a')).toThrow('ENOENT')
    })

    test.each([-5, 0xffff_ffff, 2 ** 40, 1.5])('%d is no id', async (userId) => {
      t = await openBackend({ chownUid: true, chownGid: true })
      await makeBucket()
      expect(
        await codeOf(Promise.resolve().then(() => put('k', 'x', { userId, groupId: 0 }))),
      ).toBe('InternalError')
    })
  },
)
