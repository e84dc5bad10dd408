import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { strayFiles } from '../support/tree.ts'
import { STORE_VARIANTS, codeOf, newCall, put, read, someBytes, useBackend } from './support.ts'

const BUCKET = 'bucket'

describe.each(STORE_VARIANTS)('PutObject under odd names with $name', (options) => {
  const t = useBackend(options)
  const at = (...names: string[]): string => join(t.root, BUCKET, ...names)
  const key = (name: string): { bucket: string; key: string } => ({ bucket: BUCKET, key: name })

  test('conflicts of files and directories (contract 2.7)', async () => {
    await put(t.backend, key('file'), 'x')
    await put(t.backend, key('dir/file'), 'x')
    for (const bytes of ['', 'small', someBytes(300_000)]) {
      expect(await codeOf(put(t.backend, key('dir'), bytes))).toBe('ExistingObjectIsDirectory')
      expect(
        await codeOf(put(t.backend, key('dir'), bytes, { precondition: { ifNoneMatch: '*' } })),
      ).toBe('ExistingObjectIsDirectory')
      expect(await codeOf(put(t.backend, key('file/below'), bytes))).toBe('ObjectParentIsFile')
      expect(await codeOf(put(t.backend, key('file/far/below'), bytes))).toBe('ObjectParentIsFile')
    }
    expect(await codeOf(put(t.backend, key('file/'), ''))).toBe('ObjectParentIsFile')
    expect(await codeOf(put(t.backend, key('new/'), 'data'))).toBe('DirectoryObjectContainsData')
    expect(await codeOf(put(t.backend, { bucket: 'none', key: 'k' }, 'x'))).toBe('NoSuchBucket')
    expect(strayFiles(at())).toEqual(['dir/', 'dir/file', 'file'])
  })

  test('a stands beside a.b, a-b and b, and not beside a/b', async () => {
    for (const name of ['a.b', 'a-b', 'a', 'b']) await put(t.backend, key(name), name)
    expect(await codeOf(put(t.backend, key('a/b'), 'x'))).toBe('ObjectParentIsFile')
  })

  test('names: 255 bytes, unicode in each form, odd characters', async () => {
    const names = [
      'n'.repeat(255),
      `${'d'.repeat(255)}/${'n'.repeat(255)}`,
      'ü'.repeat(127),
      'e\u0301',
      '\u00e9',
      '日本語/😀',
      'a b+c%20d',
      '-',
      '...',
      '..a',
      'a..',
      ' ',
      '\u0001',
      'back\\slash',
      '*?[x]',
      '.hidden',
    ]
    for (const name of names) await put(t.backend, key(name), `body of ${name}`)
    for (const name of names)
      expect((await read(t, key(name))).bytes.toString()).toBe(`body of ${name}`)
    for (const name of names) await put(t.backend, key(name), 'again')
    for (const name of names) await t.backend.deleteObject(key(name), {}, newCall())
    expect(strayFiles(at())).toEqual([])
  })

  test('names that are too long leave nothing', async () => {
    for (const bytes of ['small', someBytes(300_000)]) {
      for (const name of [
        'n'.repeat(256),
        `new/${'n'.repeat(256)}`,
        `new/${'d'.repeat(256)}/k`,
        'ü'.repeat(128),
      ]) {
        expect(await codeOf(put(t.backend, key(name), bytes))).toBe('KeyTooLongError')
      }
    }
    expect(await codeOf(read(t, key('n'.repeat(256))))).toBe('KeyTooLongError')
    expect(strayFiles(at())).toEqual([])
  })

  test.each([
    '../escape',
    'a/../../escape',
    'a//b',
    './a',
    'a/.',
    '.sgwtmp/x',
    'a/.sgwtmp/x',
    'a\0b',
    '',
    '/',
    '/etc',
  ])('a path that no key has is refused, whatever is checked above: %j', async (name) => {
    expect(await codeOf(put(t.backend, key(name), 'x'))).toBe('400')
    expect(await codeOf(read(t, key(name)))).toBe('400')
    expect(await codeOf(t.backend.deleteObject(key(name), {}, newCall()))).toBe('400')
  })

  test.each(['.', '..', '', '.sgwtmp', 'a/b', '../x', 'a\0'])(
    'a bucket of a name that none can have: %j',
    async (bucket) => {
      expect(await codeOf(put(t.backend, { bucket, key: 'k' }, 'x'))).toBe('NoSuchBucket')
      expect(await codeOf(t.backend.headBucket(bucket, newCall()))).toBe('NoSuchBucket')
    },
  )

  test('links are never followed; a PUT replaces the link, not what it leads to (threats, A6)', async () => {
    mkdirSync(join(t.root, 'outside'))
    writeFileSync(join(t.root, 'outside', 'secret'), 'secret')
    symlinkSync('../outside', at('dir-link'))
    symlinkSync('../outside/secret', at('file-link'))
    symlinkSync('/etc/passwd', at('absolute-link'))
    writeFileSync(at('inside'), 'inside')
    symlinkSync('inside', at('inner-link'))
    for (const name of ['dir-link/secret', 'file-link', 'absolute-link', 'inner-link']) {
      expect(await codeOf(read(t, key(name)))).toBe('NoSuchKey')
      expect(await codeOf(t.backend.headObject(key(name), newCall()))).toBe('NoSuchKey')
    }
    for (const bytes of ['small', someBytes(300_000)]) {
      expect(await codeOf(put(t.backend, key('dir-link/new'), bytes))).toBe('ObjectParentIsFile')
    }
    await put(t.backend, key('file-link'), 'new')
    await put(t.backend, key('inner-link'), someBytes(300_000))
    expect(readFileSync(join(t.root, 'outside', 'secret'), 'utf8')).toBe('secret')
    expect(readFileSync(at('inside'), 'utf8')).toBe('inside')
    expect((await read(t, key('file-link'))).bytes.toString()).toBe('new')
  })

  test('a directory that is swapped for a link while it is used leads nowhere (threats, A6)', async () => {
    mkdirSync(join(t.root, 'outside'))
    writeFileSync(join(t.root, 'outside', 'k'), 'secret')
    mkdirSync(at('real'))
    writeFileSync(at('real', 'k'), 'inside')
    symlinkSync('../outside', at('link'))
    renameSync(at('real'), at('d'))
    const state = { isDone: false }
    // In the gap between two renames a PUT may make the directory anew: it gives way.
    const rename = (from: string, to: string): void => {
      for (;;) {
        try {
          rmSync(at(to), { recursive: true, force: true })
          renameSync(at(from), at(to))
          return
        } catch {}
      }
    }
    const swapping = (async () => {
      for (let round = 0; !state.isDone; round++) {
        rename('d', 'aside')
        rename('link', 'd')
        if (round % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
        rename('d', 'link')
        rename('aside', 'd')
        if (round % 5 < 2) await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    for (let attempt = 0; attempt < 100; attempt++) {
      const got = await read(t, key('d/k')).catch(() => undefined)
      if (got !== undefined) expect(got.bytes.toString()).not.toBe('secret')
      await put(t.backend, key('d/new'), 'x').catch(() => undefined)
      await t.backend.deleteObject(key('d/k2'), {}, newCall()).catch(() => undefined)
    }
    state.isDone = true
    await swapping
    expect(readdirSync(join(t.root, 'outside'))).toEqual(['k'])
  })

  test('PUT against DELETE of its neighbours, whose empty parents go: all succeed', async () => {
    const work = Array.from({ length: 8 }, async (_, i) => {
      for (let round = 0; round < 25; round++) {
        await put(
          t.backend,
          key(`p/q/r/${i}`),
          round % 5 === 4 ? someBytes(300_000) : `round ${round}`,
        )
        await t.backend.deleteObject(key(`p/q/r/${i}`), {}, newCall())
      }
      await put(t.backend, key(`p/q/r/${i}`), 'stays')
    })
    await Promise.all(work)
    expect(strayFiles(at())).toEqual([
      'p/',
      'p/q/',
      'p/q/r/',
      ...Array.from({ length: 8 }, (_, i) => `p/q/r/${i}`),
    ])
  })
})
