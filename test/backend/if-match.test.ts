import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { strayFiles } from '../support/tree.ts'
import { mountFileSystem, type FileSystem, type Mount } from '../native/loop-mount.ts'
import {
  VARIANTS,
  makeBucket,
  md5,
  newCall,
  openBackend,
  outcomeOf,
  put,
  read,
  someBytes,
  type TestBackend,
} from './support.ts'

const ref = { bucket: 'bucket', key: 'dir/object' }
const ifMatch = (content: Uint8Array | string) => ({ precondition: { ifMatch: md5(content) } })

/**
 * RFC 9110, 13.1.1: If-Match is there "to prevent accidental overwrites when multiple user agents might be acting in
 * parallel on the same resource (i.e., to prevent the 'lost update' problem)". Others need not ask for a condition.
 */
describe.each(VARIANTS)('If-Match against writes without a condition ($name)', (variant) => {
  let t: TestBackend
  beforeEach(async () => {
    t = await openBackend(variant)
    await makeBucket(t.backend)
  })
  afterEach(async () => {
    expect(strayFiles(join(t.root, 'bucket'))).toEqual(['dir/', 'dir/object'])
    await t.close()
  })
  const content = async (): Promise<string> => (await read(t, ref)).bytes.toString()

  test('a write in between is not lost: either it comes after, or the condition fails', async () => {
    const outcomes = { first: 0, refused: 0 }
    for (let round = 0; round < 300 || outcomes.refused === 0; round++) {
      await put(t.backend, ref, `old ${round}`)
      // Every second time the calls that give names are slow, so that they meet.
      if (round % 2 === 0) t.io.faults.set({ delayMs: 1, call: 'renameat2' })
      const conditional = outcomeOf(
        put(t.backend, ref, `conditional ${round}`, ifMatch(`old ${round}`)),
      )
      await sleep(Math.random() * 2)
      const plain = [1, 2].map((i) => put(t.backend, ref, `plain ${round} ${i}`))
      await Promise.all(plain)
      const outcome = await conditional
      t.io.faults.clear()
      expect(['ok', 'PreconditionFailed']).toContain(outcome)
      // Were the conditional write the last one, it would have overwritten what it did not compare with.
      expect([round, await content()]).toEqual([
        round,
        expect.stringMatching(`^plain ${round} [12]$`),
      ])
      if (outcome === 'ok') outcomes.first++
      else outcomes.refused++
    }
  })

  test('of many conditional ones and plain ones, no acknowledged write is lost', async () => {
    await put(t.backend, ref, '0')
    for (let round = 0; round < 30; round++) {
      const now = await content()
      const conditional = Array.from({ length: 4 }, (_, i) =>
        outcomeOf(put(t.backend, ref, `c${round}.${i}`, ifMatch(now))),
      )
      const outcomes = await Promise.all(conditional)
      expect(outcomes.toSorted()).toEqual([
        'PreconditionFailed',
        'PreconditionFailed',
        'PreconditionFailed',
        'ok',
      ])
      expect(await content()).toBe(`c${round}.${outcomes.indexOf('ok')}`)
    }
  })

  test('a streamed body is under the same rule', async () => {
    const old = someBytes(300_000)
    for (let round = 0; round < 20; round++) {
      await put(t.backend, ref, old)
      const conditional = outcomeOf(put(t.backend, ref, someBytes(300_000, 2), ifMatch(old)))
      await sleep(Math.random() * 4)
      await put(t.backend, ref, 'plain')
      await conditional
      expect(await content()).toBe('plain')
    }
  })

  test('an object that is deleted in between is not there to be replaced', async () => {
    await put(t.backend, ref, 'old')
    t.io.faults.set({ delayMs: 30, call: 'openat' })
    const conditional = outcomeOf(put(t.backend, ref, 'new', ifMatch('old')))
    await sleep(100)
    t.io.faults.clear()
    await t.backend.deleteObject(ref, {}, newCall())
    const outcome = await conditional
    expect(['ok', 'PreconditionFailed', 'NoSuchKey']).toContain(outcome)
    await put(t.backend, ref, 'again')
  })

  const remove = (content: string, where = ref): Promise<string> =>
    outcomeOf(t.backend.deleteObject(where, { ifMatch: md5(content) }, newCall()))

  test('DELETE: a write in between is not removed: either it comes after, or the condition fails', async () => {
    const outcomes = { first: 0, refused: 0 }
    for (let round = 0; round < 300 || Math.min(outcomes.first, outcomes.refused) === 0; round++) {
      await put(t.backend, ref, `old ${round}`)
      if (round % 2 === 0) t.io.faults.set({ delayMs: 1, call: 'renameat2' })
      const conditional = remove(`old ${round}`)
      await sleep(Math.random() * 2)
      await put(t.backend, ref, `plain ${round}`)
      const outcome = await conditional
      t.io.faults.clear()
      expect(['ok', 'PreconditionFailed']).toContain(outcome)
      expect([round, await content()]).toEqual([round, `plain ${round}`])
      if (outcome === 'ok') outcomes.first++
      else outcomes.refused++
    }
  })

  test('DELETE: so it is while others remove the directory with its last file', async () => {
    const other = { ...ref, key: 'dir/other' }
    for (let round = 0; round < 200; round++) {
      await put(t.backend, ref, 'old')
      await put(t.backend, other, 'other')
      t.io.faults.set({ delayMs: 1, call: 'renameat2' })
      const conditional = remove('old')
      await sleep(Math.random())
      await Promise.all([
        put(t.backend, ref, `plain ${round}`),
        t.backend.deleteObject(other, {}, newCall()),
      ])
      expect(['ok', 'PreconditionFailed']).toContain(await conditional)
      t.io.faults.clear()
      expect(await content()).toBe(`plain ${round}`)
    }
  })

  test('DELETE: of many with one condition, and none on what is gone', async () => {
    await put(t.backend, ref, 'old')
    expect(await remove('new')).toBe('PreconditionFailed')
    expect(await Promise.all(['old', 'old', 'old'].map((now) => remove(now)))).toEqual([
      'ok',
      'ok',
      'ok',
    ])
    expect(await outcomeOf(read(t, ref))).toBe('NoSuchKey')
    await put(t.backend, ref, 'again')
  })

  test('DELETE: where a rename cannot be told to replace nothing (NFS), it removes as before', async () => {
    const other = { ...ref, key: 'dir/other' }
    await put(t.backend, ref, 'kept')
    await put(t.backend, other, 'old')
    t.io.faults.set({ errno: constants.errno.EINVAL, call: 'renameat2', times: 1 })
    expect(await remove('old', other)).toBe('ok')
    expect(t.io.faults.remaining()).toBe(0)
  })

  test('where names cannot be exchanged (NFS), it replaces as before', async () => {
    await put(t.backend, ref, 'old')
    t.io.faults.set({ errno: constants.errno.EINVAL, call: 'renameat2', times: 1 })
    expect(await outcomeOf(put(t.backend, ref, 'new', ifMatch('old')))).toBe('ok')
    expect([t.io.faults.remaining(), await content()]).toEqual([0, 'new'])
  })
})

describe.each<FileSystem>(['ext4', 'xfs', 'btrfs', 'tmpfs'])('If-Match on %s', (type) => {
  const mount = mountFileSystem(type)
  if (typeof mount === 'string') {
    test.skip(mount)
    return
  }
  afterAll(() => mount.unmount())

  test.each([true, false])(
    'replaces what it compared, and nothing else (O_TMPFILE: %s)',
    (useTmpFile) => replaces(mount, useTmpFile),
  )
})

async function replaces(mount: Mount, useTmpFile: boolean): Promise<void> {
  const t = await openBackend({ root: mount.path, useTmpFile })
  const bucket = `bucket-${useTmpFile}`
  await makeBucket(t.backend, bucket)
  const here = { bucket, key: 'k' }
  await put(t.backend, here, 'old')
  for (const [compared, expected] of [
    ['old', 'ok'],
    ['old', 'PreconditionFailed'],
    ['new', 'ok'],
  ] as const)
    expect(await outcomeOf(put(t.backend, here, 'new', ifMatch(compared)))).toBe(expected)
  for (let round = 0; round < 50; round++) {
    await put(t.backend, here, 'old')
    t.io.faults.set({ delayMs: 1, call: 'renameat2' })
    const conditional = outcomeOf(put(t.backend, here, 'conditional', ifMatch('old')))
    await sleep(Math.random())
    await put(t.backend, here, 'plain')
    await conditional
    t.io.faults.clear()
    expect((await read(t, here)).bytes.toString()).toBe('plain')
  }
  expect(strayFiles(join(mount.path, bucket))).toEqual(['k'])
  await t.close()
}
