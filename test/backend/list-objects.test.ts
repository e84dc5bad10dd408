import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ListPage, ObjectListing } from '../../src/backend/backend.ts'
import { setAttribute } from '../support/tree.ts'
import {
  codeOf,
  makeBucket,
  newCall,
  openBackend,
  put,
  spanTree,
  type TestBackend,
} from './support.ts'

const BUCKET = 'bucket'

let t: TestBackend
beforeEach(async () => {
  t = await openBackend()
  await makeBucket(t.backend)
})
afterEach(() => t.close())

const at = (...names: string[]): string => join(t.root, BUCKET, ...names)

function list(page: Partial<ListPage> = {}): Promise<ObjectListing> {
  return t.backend.listObjects(
    BUCKET,
    { prefix: '', delimiter: '', after: '', maxKeys: 1000, ...page },
    newCall(),
  )
}

async function keys(page: Partial<ListPage> = {}): Promise<string[]> {
  return (await list(page)).objects.map(({ key }) => key)
}

function makeFile(key: string): void {
  mkdirSync(dirname(at(key)), { recursive: true })
  writeFileSync(at(key), '')
}

describe('ListObjects', () => {
  test('byte order across directories: a directory sorts as its name and a slash', async () => {
    const names = ['a', 'a!', 'a-/x', 'a.b', 'a0', 'b/', 'b/c', 'ä', '￮', '😀', '\u{1F600}/x', 'Z']
    for (const name of names.filter((n) => n !== '\u{1F600}/x'))
      await put(t.backend, { bucket: BUCKET, key: name }, '')
    const expected = names
      .filter((n) => n !== '\u{1F600}/x')
      .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(await keys()).toEqual(expected)
  })

  test('what is told of an object', async () => {
    const written = await put(t.backend, { bucket: BUCKET, key: 'k' }, 'hello', {
      checksum: 'CRC32',
    })
    writeFileSync(at('foreign'), '123')
    utimesSync(at('foreign'), 1_600_000_000.5, 1_600_000_000.5)
    await put(t.backend, { bucket: BUCKET, key: 'd/' }, '')
    const { objects } = await list()
    expect(objects).toMatchObject([
      { key: 'd/', size: 0, etag: '"d41d8cd98f00b204e9800998ecf8427e"' },
      {
        key: 'foreign',
        size: 3,
        etag: '',
        lastModifiedMs: 1_600_000_000_500,
        checksumAlgorithm: '',
        checksumType: '',
      },
      {
        key: 'k',
        size: 5,
        etag: written.etag,
        checksumAlgorithm: 'CRC32',
        checksumType: 'FULL_OBJECT',
      },
    ])
  })

  test('only files and marked directories are objects; the working directory is nowhere', async () => {
    makeFile('file')
    makeFile('dir/.sgwtmp/hidden')
    makeFile('.sgwtmp/hidden')
    makeFile('dir/.sgwtmp.not')
    mkdirSync(at('implicit'))
    mkdirSync(at('marked'))
    setAttribute(at('marked'), 'etag', '"x"')
    execFileSync('mkfifo', [at('fifo')])
    symlinkSync('file', at('link'))
    symlinkSync('dir', at('dir-link'))
    execFileSync('bash', ['-c', `touch "$1"/$'bad\\xff'; mkdir "$1"/$'bad-dir\\xff'`, 'bash', at()])
    expect(await keys()).toEqual(['dir/.sgwtmp.not', 'file', 'marked/'])
    // As VersityGW: a directory shows up as a common prefix whatever is in it.
    expect((await list({ delimiter: '/' })).commonPrefixes).toEqual([
      'dir/',
      'implicit/',
      'marked/',
    ])
    expect(
      (await list({ prefix: 'marked/', delimiter: '/' })).objects.map(({ key }) => key),
    ).toEqual(['marked/'])
  })

  test('prefixes', async () => {
    for (const name of ['a/b/c', 'a/bb', 'a/c', 'ab', 'b']) makeFile(name)
    expect(await keys({ prefix: 'a' })).toEqual(['a/b/c', 'a/bb', 'a/c', 'ab'])
    expect(await keys({ prefix: 'a/' })).toEqual(['a/b/c', 'a/bb', 'a/c'])
    expect(await keys({ prefix: 'a/b' })).toEqual(['a/b/c', 'a/bb'])
    expect(await keys({ prefix: 'a/b/' })).toEqual(['a/b/c'])
    expect(await keys({ prefix: 'a/b/c' })).toEqual(['a/b/c'])
    for (const prefix of [
      '/',
      'a//',
      './',
      '../',
      'a/../',
      '.sgwtmp/',
      'b/',
      'none/',
      `${'x'.repeat(300)}/`,
      'a\0/',
      'a/b/c/',
      'z',
    ]) {
      expect(await list({ prefix })).toEqual({
        objects: [],
        commonPrefixes: [],
        isTruncated: false,
        next: undefined,
      })
    }
    expect(
      await codeOf(
        t.backend.listObjects(
          'none',
          { prefix: '', delimiter: '', after: '', maxKeys: 0 },
          newCall(),
        ),
      ),
    ).toBe('NoSuchBucket')
  })

  test('a marker inside a common prefix, at one, and beyond everything', async () => {
    for (const name of ['a/1', 'a/2', 'b/1', 'c']) makeFile(name)
    const items = async (after: string, delimiter = '/'): Promise<string[]> => {
      const { objects, commonPrefixes } = await list({ after, delimiter })
      return [...commonPrefixes, ...objects.map(({ key }) => key)]
    }
    expect(await items('')).toEqual(['a/', 'b/', 'c'])
    expect(await items('a/')).toEqual(['b/', 'c'])
    expect(await items('a/1')).toEqual(['b/', 'c'])
    expect(await items('a')).toEqual(['a/', 'b/', 'c'])
    expect(await items('c')).toEqual([])
    expect(await items('zzz')).toEqual([])
    expect(await items('a/1', '')).toEqual(['a/2', 'b/1', 'c'])
    expect(await keys({ prefix: 'a/', after: 'b' })).toEqual([])
    expect(await keys({ prefix: 'b/', after: 'a/9' })).toEqual(['b/1'])
  })

  test('pages are full, and the last one says so', async () => {
    for (let i = 0; i < 5; i++) makeFile(`k${i}`)
    expect(await list({ maxKeys: 0 })).toEqual({
      objects: [],
      commonPrefixes: [],
      isTruncated: false,
      next: undefined,
    })
    expect(await list({ maxKeys: 2 })).toMatchObject({ isTruncated: true, next: 'k1' })
    expect(await list({ maxKeys: 2, after: 'k2' })).toMatchObject({
      isTruncated: false,
      next: undefined,
    })
    expect(await list({ maxKeys: 5 })).toMatchObject({ isTruncated: false })
  })

  test('a directory that changes is read again, at once; one that does not is not', async () => {
    for (let i = 0; i < 100; i++) makeFile(`d/k${i}`)
    await new Promise((resolve) => setTimeout(resolve, 60))
    const reads = async (): Promise<number> => {
      const call = newCall()
      await t.backend.listObjects(
        BUCKET,
        { prefix: 'd/', delimiter: '', after: '', maxKeys: 1000 },
        call,
      )
      return spanTree(call.span).filter((line) => line.includes('ListDir')).length
    }
    expect([await reads(), await reads(), await reads()]).toEqual([1, 0, 0])
    for (let i = 0; i < 50; i++) {
      makeFile(`d/new${i}`)
      expect(await keys({ prefix: 'd/new' })).toHaveLength(i + 1)
      rmSync(at(`d/k${i}`))
      expect(await keys({ prefix: 'd/' })).toHaveLength(100)
    }
    setAttribute(at('d'), 'etag', '"x"')
    expect((await keys({ prefix: 'd/' }))[0]).toBe('d/')
  })

  test('what vanishes while it is listed is left out', async () => {
    for (let i = 0; i < 300; i++) makeFile(`k${String(i).padStart(3, '0')}`)
    const busyState = { isBusy: true }
    const busy = (async () => {
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 300; i += 2) rmSync(at(`k${String(i).padStart(3, '0')}`))
        await new Promise((resolve) => setImmediate(resolve))
        for (let i = 0; i < 300; i += 2) makeFile(`k${String(i).padStart(3, '0')}`)
        await new Promise((resolve) => setImmediate(resolve))
      }
      busyState.isBusy = false
    })()
    while (busyState.isBusy) {
      const found: string[] = []
      let after = ''
      for (;;) {
        const page = await list({ after, maxKeys: 50 })
        found.push(...page.objects.map(({ key }) => key))
        if (!page.isTruncated) break
        after = page.next ?? ''
      }
      expect(found).toEqual([...new Set(found)].sort())
      // Those that nobody touches are there each time.
      expect(found.filter((key) => Number(key.slice(1)) % 2 === 1)).toHaveLength(150)
    }
    await busy
  })
})

/** What S3 lists, from a sorted list of all keys: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
function reference(
  all: readonly string[],
  { prefix, delimiter, after }: ListPage,
): { key: string; isPrefix: boolean }[] {
  const found: { key: string; isPrefix: boolean }[] = []
  const seen = new Set<string>()
  for (const key of all) {
    if (!key.startsWith(prefix)) continue
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const item =
      end < 0
        ? { key, isPrefix: false }
        : { key: key.slice(0, end + delimiter.length), isPrefix: true }
    if (seen.has(item.key) || Buffer.compare(Buffer.from(item.key), Buffer.from(after)) <= 0)
      continue
    seen.add(item.key)
    found.push(item)
  }
  return found
}

describe('ListObjects against a reference', () => {
  test.each(Array.from({ length: 25 }, (_, i) => i + 1))('random tree %i', async (seed) => {
    const random = generator(seed)
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
    const names = [
      'a',
      'b',
      'aa',
      'a-',
      'a.',
      'a0',
      'ab',
      '-',
      '.x',
      'ü',
      '日',
      '😀',
      '￮',
      'b c',
      '+',
      '!',
      '~',
    ]
    const files = new Set<string>()
    const directories = new Set<string>()
    for (let i = 0; i < 60; i++) {
      const parts = Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(names))
      const parents = parts.slice(0, -1).map((_, depth) => parts.slice(0, depth + 1).join('/'))
      const path = parts.join('/')
      if (directories.has(path) || parents.some((parent) => files.has(parent))) continue
      files.add(path)
      for (const parent of parents) directories.add(parent)
    }
    const marked = [...directories].filter(() => random() < 0.3)
    for (const path of files) makeFile(path)
    for (const path of marked) await put(t.backend, { bucket: BUCKET, key: `${path}/` }, '')
    const all = [...files, ...marked.map((path) => `${path}/`)].sort((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    )

    for (let round = 0; round < 25; round++) {
      const some = pick(all)
      const prefix = random() < 0.4 ? '' : some.slice(0, Math.floor(random() * (some.length + 1)))
      if (prefix !== '' && /[\ud800-\udbff]$/.test(prefix)) continue
      const delimiter = pick(['', '/', '/', 'a', '-', 'b/', '/a', 'aa', '日', '.'])
      const start =
        random() < 0.5 ? '' : pick([pick(all), `${pick(all)}!`, pick(all).slice(0, 2), 'a', 'zz'])
      if (/[\ud800-\udbff]$/.test(start)) continue
      const page = { prefix, delimiter, after: start, maxKeys: 1 + Math.floor(random() * 7) }
      const expected = reference(all, page)
      const found: { key: string; isPrefix: boolean }[] = []
      for (let after = start; ;) {
        const { objects, commonPrefixes, isTruncated, next } = await list({ ...page, after })
        expect(objects.length + commonPrefixes.length).toBeLessThanOrEqual(page.maxKeys)
        const items = [
          ...objects.map(({ key }) => ({ key, isPrefix: false })),
          ...commonPrefixes.map((key) => ({ key, isPrefix: true })),
        ].sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
        found.push(...items)
        if (!isTruncated) break
        expect(items).toHaveLength(page.maxKeys)
        expect(next).toBe(items.at(-1)?.key)
        after = next ?? ''
      }
      expect({ page, found }).toEqual({ page, found: expected })
    }
  })
})

/** mulberry32 */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

test('a listing through a thousand directories has few spans (trace contract 3.4)', async () => {
  for (let i = 0; i < 500; i++) makeFile(`d${i}/${i % 10}/k`)
  const call = newCall()
  const page = { prefix: '', delimiter: '', after: '', maxKeys: 1000 }
  const { objects } = await t.backend.listObjects(BUCKET, page, call)
  expect(objects).toHaveLength(500)
  expect(call.recorder.spans.length).toBeLessThan(120)
  const folded = call.recorder.spans.find(
    ({ attributes }) =>
      attributes['posix.count'] !== undefined && attributes['posix.max_ms'] !== undefined,
  )
  expect(folded?.name).toBe('Posix.IO.ListDir')
})

test('contract 2.5: a file with a delete marker is no object, and its name no key', async () => {
  makeFile('kept')
  makeFile('deleted')
  setAttribute(at('deleted'), 'delete-marker', '')
  expect(await keys()).toEqual(['kept'])
  const head = t.backend.headObject({ bucket: BUCKET, key: 'deleted' }, newCall())
  expect(await codeOf(head)).toBe('NoSuchKey')
})
