import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { strayFiles } from '../support/tree.ts'
import {
  codeOf,
  makeBucket,
  md5,
  newCall,
  openBackend,
  put,
  spanTree,
  useBackend,
} from './support.ts'

const BUCKET = 'bucket'

describe.each(['none', 'full'] as const)('DeleteObject, durability %s', (durability) => {
  const t = useBackend({ durability })
  const at = (...names: string[]): string => join(t.root, BUCKET, ...names)
  const remove = (name: string, precondition = {}): Promise<unknown> =>
    t.backend.deleteObject({ bucket: BUCKET, key: name }, precondition, newCall())
  const add = (name: string, text = ''): Promise<unknown> =>
    put(t.backend, { bucket: BUCKET, key: name }, text)
  const left = (): string[] => strayFiles(at())

  test('an object, and the parents that it leaves empty', async () => {
    for (const name of ['a/b/c/d', 'a/other', 'top']) await add(name, 'x')
    await remove('a/b/c/d')
    expect(left()).toEqual(['a/', 'a/other', 'top'])
    await remove('a/other')
    await remove('top')
    expect(left()).toEqual([])
  })

  test('a parent that is an object itself stays', async () => {
    await add('a/b/')
    await add('a/b/c/d', 'x')
    await remove('a/b/c/d')
    expect(left()).toEqual(['a/', 'a/b/'])
    await remove('a/b/')
    expect(left()).toEqual([])
  })

  test('what is not there, or is something else, is no error and stays', async () => {
    await add('file', 'x')
    await add('dir/file', 'x')
    mkdirSync(at('empty'))
    for (const name of ['none', 'none/deep', 'file/', 'file/below', 'dir', 'empty', 'none/'])
      await remove(name)
    expect(left()).toEqual(['dir/', 'dir/file', 'empty/', 'file'])
  })

  test('directory objects (contract 2.7)', async () => {
    mkdirSync(at('implicit-empty'))
    await remove('implicit-empty/')
    await add('implicit/file', 'x')
    expect(await codeOf(remove('implicit/'))).toBe('ErrDirectoryNotEmpty')
    await add('explicit/')
    await add('explicit/file', 'x')
    await remove('explicit/')
    expect(
      await codeOf(t.backend.headObject({ bucket: BUCKET, key: 'explicit/' }, newCall())),
    ).toBe('NoSuchKey')
    expect(left()).toEqual(['explicit/', 'explicit/file', 'implicit/', 'implicit/file'])
    await remove('explicit/file')
    expect(left()).toEqual(['implicit/', 'implicit/file'])
  })

  test('a link goes, what it leads to stays', async () => {
    await add('file', 'x')
    symlinkSync('file', at('link'))
    symlinkSync('.', at('dir-link'))
    await remove('link')
    await remove('dir-link/file')
    expect(left()).toEqual(['dir-link', 'file'])
  })

  test('conditions', async () => {
    await add('k', 'hello')
    const head = await t.backend.headObject({ bucket: BUCKET, key: 'k' }, newCall())
    const modified = new Date(Math.floor(head.lastModifiedMs / 1000) * 1000)
    for (const precondition of [
      { ifMatch: '"x"' },
      { ifSize: 4 },
      { ifLastModified: new Date(0) },
      { ifMatch: head.etag, ifSize: 9 },
    ]) {
      expect(await codeOf(remove('k', precondition))).toBe('PreconditionFailed')
    }
    await remove('none', { ifMatch: '"x"' })
    expect(left()).toEqual(['k'])
    await remove('k', { ifMatch: md5('hello'), ifSize: 5, ifLastModified: modified })
    expect(left()).toEqual([])
  })

  test('the trace', async () => {
    await add('d/k', 'x')
    const call = newCall()
    await t.backend.deleteObject({ bucket: BUCKET, key: 'd/k' }, {}, call)
    const prune =
      durability === 'full' ? ['Posix.IO.PruneParents', 'Posix.IO.Sync'] : ['Posix.IO.PruneParents']
    expect(spanTree(call.span).map((line) => line.trim())).toEqual([
      'Posix.IO.OpenFile',
      'Posix.IO.RemoveFile',
      ...prune,
    ])
  })
})

test('a request that deletes a thousand objects has few spans (trace contract 3.4)', async () => {
  const t = await openBackend()
  await makeBucket(t.backend)
  const call = newCall()
  const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`)
  for (const key of keys) await put(t.backend, { bucket: BUCKET, key }, '')
  await Promise.all(keys.map((key) => t.backend.deleteObject({ bucket: BUCKET, key }, {}, call)))
  const removals = call.recorder.spans.filter(({ name }) => name === 'Posix.IO.RemoveFile')
  expect(removals).toHaveLength(17)
  const folded = removals.find(({ attributes }) => attributes['posix.count'] !== undefined)
  expect(folded?.attributes['posix.count']).toBe(1000 - 16)
  expect(folded?.events).toHaveLength(5)
  expect(removals.every(({ attributes }) => 'posix.queue_ms' in attributes)).toBe(true)
  expect(strayFiles(join(t.root, BUCKET))).toEqual([])
  await t.close()
})
