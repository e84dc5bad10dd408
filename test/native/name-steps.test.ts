import { chmodSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Step } from '../../src/io/io.ts'
import { SYSCALL_NAMES } from '../../src/io/syscalls.ts'
import { closeFd, failureOf, untilWaiting, useIo } from './fixture.ts'

const { EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENOTEMPTY, ETIMEDOUT } = constants.errno

const f = useIo()

async function put(name: string, content: string, replace: boolean, tmpName?: string): Promise<Step<string>> {
  mkdirSync(f.path('.sgwtmp'), { recursive: true })
  const chain = f.chain()
  const tmpDir = chain.openDir(f.root, '.sgwtmp')
  const named = tmpName === undefined ? {} : { name: tmpName }
  const file = chain.openTmpFile(tmpDir, { size: content.length, ...named })
  chain.writeData(file, [Buffer.from(content)])
  const from = tmpName === undefined ? {} : { from: tmpName }
  const step = chain.linkFile(file, f.root, name, { tmpDir, replace, ...from })
  await chain.run()
  return step
}

describe.each([
  ['O_TMPFILE', undefined],
  ['a named temporary file', 'tmp.1'],
])('linkFile from %s', (_, tmpName) => {
  it('publishes a new name', async () => {
    await put('key', 'one', false, tmpName)
    expect(readFileSync(f.path('key'), 'utf8')).toBe('one')
    expect(readdirSync(f.path('.sgwtmp'))).toEqual([])
    expect(statSync(f.path('key')).nlink).toBe(1)
  })

  it('replaces a name', async () => {
    await put('key', 'one', true, tmpName)
    const step = await put('key', 'two', true, tmpName)
    expect(step.value).toBe('rename')
    expect(readFileSync(f.path('key'), 'utf8')).toBe('two')
    expect(readdirSync(f.path('.sgwtmp'))).toEqual([])
    expect(statSync(f.path('key')).nlink).toBe(1)
  })

  it('replaces a link and not its target', async () => {
    writeFileSync(f.path('target'), 'target')
    symlinkSync('target', f.path('key'))
    await put('key', 'new', true, tmpName)
    expect(readFileSync(f.path('target'), 'utf8')).toBe('target')
    expect(readFileSync(f.path('key'), 'utf8')).toBe('new')
  })

  it('does not replace without being told to', async () => {
    await put('key', 'one', false, tmpName)
    expect(await failureOf(put('key', 'two', false, tmpName))).toMatchObject({ errno: EEXIST })
    expect(readFileSync(f.path('key'), 'utf8')).toBe('one')
    expect(readdirSync(f.path('.sgwtmp'))).toEqual([])
  })

  it('fails on a directory and leaves nothing', async () => {
    mkdirSync(f.path('key'))
    expect(await failureOf(put('key', 'two', true, tmpName))).toMatchObject({ errno: EISDIR, syscall: 'renameat2' })
    expect(readdirSync(f.path('.sgwtmp'))).toEqual([])
  })

  it('takes names of 255 bytes and no longer ones', async () => {
    await put('k'.repeat(255), 'x', true, tmpName)
    await put('k'.repeat(255), 'y', true, tmpName)
    expect(readFileSync(f.path('k'.repeat(255)), 'utf8')).toBe('y')
    const error = await failureOf(put('k'.repeat(256), 'x', true, tmpName))
    expect(error).toMatchObject({ errno: constants.errno.ENAMETOOLONG })
    expect(readdirSync(f.path('.sgwtmp'))).toEqual([])
  })

  it('fails where the directory is gone', async () => {
    mkdirSync(f.path('d'))
    mkdirSync(f.path('.sgwtmp'))
    const chain = f.chain()
    const tmpDir = chain.openDir(f.root, '.sgwtmp')
    const dir = chain.openDir(f.root, 'd')
    chain.remove(f.root, 'd', { directory: true })
    const file = chain.openTmpFile(tmpDir, { size: 0, ...(tmpName && { name: tmpName }) })
    const step = chain.linkFile(file, dir, 'key', { tmpDir, replace: true, ...(tmpName && { from: tmpName }) })
    expect(await failureOf(chain.run())).toMatchObject({ errno: ENOENT, step })
    expect(readdirSync(f.path('.sgwtmp'))).toEqual([])
  })
})

it('links by /proc where the kernel refuses to link a descriptor, and remembers that', async () => {
  f.io.faults.set({ call: 'linkat', errno: ENOENT, times: 1 })
  await put('first', 'one', true)
  await put('second', 'two', true)
  expect([readFileSync(f.path('first'), 'utf8'), readFileSync(f.path('second'), 'utf8')]).toEqual(['one', 'two'])
  const linkat = SYSCALL_NAMES.indexOf('linkat')
  const calls = f.span.recorder.spans.flatMap((span) => [...(span.syscalls ?? [])].filter((_, i) => i % 8 === 0))
  expect(calls.filter((name) => name === linkat)).toHaveLength(3)
})

it('asks seldom whether a name is free in a long row of overwrites, and soon after it again', async () => {
  const linkat = SYSCALL_NAMES.indexOf('linkat')
  const links = (): number =>
    f.span.recorder.spans.flatMap((span) => [...(span.syscalls ?? [])].filter((name, i) => i % 8 === 0 && name === linkat)).length
  for (let i = 0; i < 34; i++) await put('key', String(i), true)
  const inRow = links()
  for (let i = 0; i < 16; i++) await put('key', String(i), true)
  expect(links() - inRow).toBeLessThan(16 + 3)
  const methods: string[] = []
  for (let i = 0; i < 20; i++) methods.push((await put(`new-${i}`, String(i), true)).value)
  expect(methods.slice(-4)).toEqual(['linkat', 'linkat', 'linkat', 'linkat'])
  expect(readdirSync(f.dir)).toHaveLength(1 + 1 + 20)
  for (let i = 0; i < 20; i++) expect(readFileSync(f.path(`new-${i}`), 'utf8')).toBe(String(i))
  expect(readFileSync(f.path('key'), 'utf8')).toBe('15')
  expect(readdirSync(f.path('.sgwtmp'))).toEqual([])
})

it('takes a link for made that the server made before it said EEXIST', async () => {
  writeFileSync(f.path('tmp'), 'x')
  linkSync(f.path('tmp'), f.path('key'))
  const chain = f.chain()
  const file = chain.openFile(f.root, 'tmp')
  chain.linkFile(file, f.root, 'key', { tmpDir: f.root, replace: false, from: 'tmp' })
  await chain.run()
  expect(readdirSync(f.dir)).toEqual(['key'])
})

describe('makeDir, rename, remove', () => {
  it('do as they are told', async () => {
    const chain = f.chain()
    chain.makeDir(f.root, 'a', { mode: 0o700 })
    chain.makeDir(f.root, 'a/b', { mode: 0o755 })
    chain.rename(f.root, 'a/b', f.root, 'c')
    chain.remove(f.root, 'a', { directory: true })
    await chain.run()
    expect(readdirSync(f.dir)).toEqual(['c'])
  })

  it.each([
    ['makeDir of what exists', EEXIST, () => f.chain().makeDir(f.root, 'd', { mode: 0o755 })],
    ['makeDir below nothing', ENOENT, () => f.chain().makeDir(f.root, 'x/y', { mode: 0o755 })],
    ['remove of nothing', ENOENT, () => f.chain().remove(f.root, 'x')],
    ['remove of a directory', EISDIR, () => f.chain().remove(f.root, 'd')],
    ['remove of a file as directory', ENOTDIR, () => f.chain().remove(f.root, 'file', { directory: true })],
    ['remove of a full directory', ENOTEMPTY, () => f.chain().remove(f.root, 'd', { directory: true })],
    ['remove through a link', ELOOP, () => f.chain().remove(f.root, 'link/inner')],
    ['remove of "."', EINVAL, () => f.chain().remove(f.root, 'd/.', { directory: true })],
    ['rename of nothing', ENOENT, () => f.chain().rename(f.root, 'x', f.root, 'y')],
    ['rename over something', EEXIST, () => f.chain().rename(f.root, 'file', f.root, 'd', { noReplace: true })],
  ])('%s fails', async (_, errno, add) => {
    mkdirSync(f.path('d'))
    writeFileSync(f.path('d/inner'), '')
    writeFileSync(f.path('file'), '')
    symlinkSync('d', f.path('link'))
    const chain = f.chain()
    const build = f.chain
    Object.assign(f, { chain: () => chain })
    add()
    Object.assign(f, { chain: build })
    expect(await failureOf(chain.run())).toMatchObject({ errno })
    expect(readdirSync(f.dir).sort()).toEqual(['d', 'file', 'link'])
    expect(readdirSync(f.path('d'))).toEqual(['inner'])
  })
})

describe('makeParents', () => {
  it('makes what lacks, with the mode it is told', async () => {
    mkdirSync(f.path('a/b'), { recursive: true })
    const chain = f.chain()
    const made = chain.makeParents(f.root, 'a/b/c/d', { mode: 0o750, sync: true })
    chain.sync(made, 'dir')
    const same = chain.makeParents(f.root, 'a/b/c/d', { mode: 0o700, sync: true })
    const a = chain.stat(made)
    const b = chain.stat(same)
    await chain.run()
    expect(a.value.ino).toBe(b.value.ino)
    expect(statSync(f.path('a/b/c/d')).mode & 0o7777).toBe(0o750 & ~process.umask())
    expect(statSync(f.path('a/b/c')).mode & 0o7777).toBe(0o750 & ~process.umask())
  })

  it('gives the directory itself for an empty path', async () => {
    const chain = f.chain()
    const made = chain.makeParents(chain.openDir(f.root, ''), '', { mode: 0o755, sync: true })
    chain.sync(made, 'dir')
    await chain.run()
  })

  it('gives new directories their owner, and old ones not', async () => {
    mkdirSync(f.path('old'))
    const chain = f.chain()
    chain.makeParents(f.root, 'old/new', { mode: 0o755, sync: false, owner: { uid: 12, gid: 34 } })
    chain.setOwner(chain.openFile(f.root, 'file', { create: 0o644 }), { uid: 56, gid: 78 })
    await chain.run()
    expect(statSync(f.path('old')).uid).toBe(0)
    expect(statSync(f.path('old/new'))).toMatchObject({ uid: 12, gid: 34 })
    expect(statSync(f.path('file'))).toMatchObject({ uid: 56, gid: 78 })
  })

  it.each([
    ['file', ENOTDIR],
    ['file/below', ENOTDIR],
    ['link', ELOOP],
    ['link/below', ELOOP],
  ])('fails at %s', async (path, errno) => {
    writeFileSync(f.path('file'), '')
    symlinkSync('/tmp', f.path('link'))
    const chain = f.chain()
    chain.makeParents(f.root, path, { mode: 0o755, sync: false })
    expect(await failureOf(chain.run())).toMatchObject({ errno })
    expect(readdirSync(f.dir).sort()).toEqual(['file', 'link'])
  })

  it('survives requests that prune what it makes', async () => {
    const runs: Promise<void>[] = []
    for (let i = 0; i < 200; i++) {
      const make = f.chain()
      make.makeParents(f.root, 'p/q/r', { mode: 0o755, sync: false })
      const prune = f.chain()
      prune.pruneParents(f.root, 'p/q/r', { stopAt: 'etag', sync: false })
      runs.push(make.run(), prune.run())
    }
    const failures = (await Promise.allSettled(runs)).filter((run) => run.status === 'rejected')
    expect(failures).toEqual([])
  })
})

describe('removeTree', () => {
  it('removes everything beneath, and follows nothing', async () => {
    mkdirSync(f.path('outside'))
    writeFileSync(f.path('outside/safe'), '')
    mkdirSync(f.path('tree/a/b/c'), { recursive: true })
    for (let i = 0; i < 1500; i++) writeFileSync(f.path(`tree/a/file-${i}`), '')
    symlinkSync('../../outside', f.path('tree/a/link'))
    symlinkSync('../outside', f.path('tree/link'))
    const chain = f.chain({ bulk: true })
    const step = chain.removeTree(f.root, 'tree')
    await chain.run()
    expect(step.value).toBe(1500 + 2 + 4)
    expect(readdirSync(f.dir)).toEqual(['outside'])
    expect(existsSync(f.path('outside/safe'))).toBe(true)
  })

  it('removes a file, or a link, itself', async () => {
    mkdirSync(f.path('d'))
    writeFileSync(f.path('file'), '')
    symlinkSync('d', f.path('link'))
    const chain = f.chain()
    chain.removeTree(f.root, 'file')
    chain.removeTree(f.root, 'link')
    await chain.run()
    expect(readdirSync(f.dir)).toEqual(['d'])
  })

  it('of nothing fails', async () => {
    const chain = f.chain()
    chain.removeTree(f.root, 'none')
    expect(await failureOf(chain.run())).toMatchObject({ errno: ENOENT })
    const dots = f.chain()
    dots.removeTree(f.root, '..')
    expect(await failureOf(dots.run())).toMatchObject({ errno: EINVAL })
  })
})

describe('lock', () => {
  it('excludes, waits, and is given on', async () => {
    const holder = f.chain()
    const held = holder.lock(f.root, 'lock', { exclusive: true, timeoutMs: 0, keep: true })
    await holder.run()
    expect(statSync(f.path('lock')).mode & 0o777).toBe(0o600)

    const impatient = f.chain()
    const step = impatient.lock(f.root, 'lock', { exclusive: false, timeoutMs: 30 })
    expect(await failureOf(impatient.run())).toMatchObject({ errno: ETIMEDOUT, step })

    const patient = f.chain()
    const second = patient.lock(f.root, 'lock', { exclusive: true, timeoutMs: 10_000, keep: true })
    const running = patient.run()
    await untilWaiting(f)
    await sleep(30)
    expect(second.ran).toBe(false)
    await closeFd(f.io, held.value)
    await running
    expect(patient.times(second).endNs - patient.times(second).startNs).toBeGreaterThan(25e6)
    await closeFd(f.io, second.value)
  })

  it('is shared by readers', async () => {
    const chain = f.chain()
    chain.lock(f.root, 'lock', { exclusive: false, timeoutMs: 0 })
    chain.lock(f.root, 'lock', { exclusive: false, timeoutMs: 0 })
    const third = chain.lock(f.root, 'lock', { exclusive: true, timeoutMs: 0, tolerate: [ETIMEDOUT] })
    await chain.run()
    expect(third.errno).toBe(ETIMEDOUT)
  })

  it('never keeps the threads of the pool from others', async () => {
    const holder = f.chain()
    const held = holder.lock(f.root, 'lock', { exclusive: true, timeoutMs: 0, keep: true })
    await holder.run()
    const waiting = Array.from({ length: 64 }, () => {
      const chain = f.chain()
      chain.lock(f.root, 'lock', { exclusive: true, timeoutMs: 20_000 })
      return chain.run()
    })
    // Had they all threads, this one would wait as long as they may, and they would fail.
    const other = f.chain()
    other.statAt(f.root, 'lock')
    await other.run()
    await closeFd(f.io, held.value)
    await Promise.all(waiting)
  })
})

it('makes files under the umask', async () => {
  await put('key', 'x', false)
  expect(statSync(f.path('key')).mode & 0o777).toBe(0o644 & ~process.umask())
  chmodSync(f.path('key'), 0o600)
})
