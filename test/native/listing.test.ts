import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import type { DirEntries } from '../../src/io/io.ts'
import { closeFd, failureOf, useIo } from './fixture.ts'

const { ENOENT, ENOTDIR } = constants.errno
const DT = { fifo: 1, dir: 4, file: 8, link: 10, socket: 12 }

const f = useIo()

async function list(path = ''): Promise<DirEntries> {
  const chain = f.chain()
  const step = chain.listDir(chain.openDir(f.root, path, { readable: true }))
  await chain.run()
  return step.value
}

function names({ count, names, offsets }: DirEntries): string[] {
  return Array.from({ length: count }, (_, i) => names.toString('utf8', offsets[i], offsets[i + 1]))
}

describe('listDir', () => {
  it('of an empty directory is empty', async () => {
    expect(await list()).toMatchObject({ count: 0, names: Buffer.alloc(0) })
  })

  it('orders as UTF-8 bytes, a directory with its slash', async () => {
    for (const dir of ['a', 'b', 'é', '.sgwtmp']) mkdirSync(f.path(dir))
    // '-' (2D) and '.' (2E) come before '/' (2F), '0' (30) after it.
    for (const file of ['a-', 'a.', 'a0', 'a!', 'b-b', 'Z', 'zz', '\u{1F600}', '\uFFFD', 'é0', 'é-']) writeFileSync(f.path(file), '')
    const entries = await list()
    const sorted = readdirSync(f.dir, { withFileTypes: true })
      .map((entry) => entry.name + (entry.isDirectory() ? '/' : ''))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(names(entries).map((name, i) => name + (entries.types[i] === DT.dir ? '/' : ''))).toEqual(sorted)
    expect(sorted.slice(0, 7)).toEqual(['.sgwtmp/', 'Z', 'a!', 'a-', 'a.', 'a/', 'a0'])
  })

  it('tells what each entry is', async () => {
    mkdirSync(f.path('dir'))
    writeFileSync(f.path('file'), '')
    symlinkSync('dir', f.path('link'))
    execFileSync('mkfifo', [f.path('fifo')])
    const entries = await list()
    expect(names(entries)).toEqual(['dir', 'fifo', 'file', 'link'])
    expect([...entries.types]).toEqual([DT.dir, DT.fifo, DT.file, DT.link])
  })

  it.each([2, 3, 1000, 20_000])('sorts %i names that differ late', async (count) => {
    const wanted = Array.from({ length: count }, (_, i) => `some-long-common-prefix-${(i * 7919) % count}-${'x'.repeat(i % 50)}`)
    for (const name of wanted) writeFileSync(f.path(name), '')
    const entries = await list()
    expect(names(entries)).toEqual(wanted.sort((a, b) => (a < b ? -1 : 1)))
    expect(entries.types.every((type) => type === DT.file)).toBe(true)
  })

  it('keeps names that are not UTF-8', async () => {
    const name = Buffer.from([0x66, 0xff, 0xfe])
    writeFileSync(Buffer.concat([Buffer.from(`${f.dir}/`), name]), '')
    const entries = await list()
    expect(entries.names).toEqual(name)
  })

  it('reads from the beginning, whoever reads the same descriptor', async () => {
    for (let i = 0; i < 3000; i++) writeFileSync(f.path(`file-${i}`), '')
    const open = f.chain()
    const dir = open.openDir(f.root, '', { readable: true, keep: true })
    const first = open.listDir(dir)
    const second = open.listDir(dir)
    await open.run()
    const chains = Array.from({ length: 8 }, () => f.chain())
    const steps = chains.map((chain) => chain.listDir(dir))
    await Promise.all(chains.map((chain) => chain.run()))
    expect([first, second, ...steps].map((step) => step.value.count)).toEqual(Array(10).fill(3000))
    await closeFd(f.io, dir.value)
  })

  it('works with a descriptor opened for its path only', async () => {
    writeFileSync(f.path('file'), '')
    const chain = f.chain()
    const step = chain.listDir(chain.openDir(f.root, ''))
    await chain.run()
    expect(names(step.value)).toEqual(['file'])
  })

  it('fails on a file', async () => {
    writeFileSync(f.path('file'), '')
    const chain = f.chain()
    const step = chain.listDir(chain.openFile(f.root, 'file'))
    expect(await failureOf(chain.run())).toMatchObject({ errno: ENOTDIR, step, syscall: 'getdents64' })
  })
})

describe('statBatch', () => {
  it('tells of each path by itself', async () => {
    mkdirSync(f.path('d'))
    writeFileSync(f.path('d/one'), '1')
    writeFileSync(f.path('two'), '22')
    symlinkSync('two', f.path('link'))
    execFileSync('mkfifo', [f.path('fifo')])
    execFileSync('setfattr', ['-n', 'user.etag', '-v', 'x', f.path('d/one')])
    execFileSync('setfattr', ['-n', 'user.other', '-v', 'y', f.path('d/one')])
    const chain = f.chain()
    const step = chain.statBatch(f.root, ['d/one', 'none', Buffer.from('two'), 'two/three', 'link', 'd', 'fifo'], ['etag', 'sum'])
    const sizes = chain.statBatch(f.root, ['d/one', 'none', 'link'], [])
    await chain.run()
    expect(step.value.map((entry) => entry.errno)).toEqual([0, ENOENT, 0, ENOTDIR, 0, 0, 0])
    expect(step.value.map((entry) => (entry.stat.mode & 0o170000) / 0o10000)).toEqual([8, 0, 8, 0, 10, 4, 1])
    expect(step.value.map((entry) => entry.stat.size).slice(0, 3)).toEqual([1, 0, 2])
    expect([...(step.value[0]?.attributes ?? [])]).toEqual([['etag', Buffer.from('x')]])
    expect(step.value[2]?.attributes.size).toBe(0)
    expect(sizes.value.map((entry) => entry.errno)).toEqual([0, ENOENT, 0])
    expect(sizes.value[2]?.stat.mode).toBe(step.value[4]?.stat.mode)
  })

  it('takes a thousand long paths', async () => {
    const dir = 'd'.repeat(200)
    mkdirSync(f.path(dir))
    const paths = Array.from({ length: 1000 }, (_, i) => `${dir}/${'n'.repeat(200)}-${i}`)
    for (const path of paths) writeFileSync(f.path(path), path.slice(-3))
    const chain = f.chain()
    const step = chain.statBatch(f.root, paths, ['etag'])
    await chain.run()
    expect(step.value).toHaveLength(1000)
    expect(step.value.every((entry) => entry.errno === 0 && entry.stat.size === 3)).toBe(true)
  })

  it('of nothing is nothing', async () => {
    const chain = f.chain()
    const step = chain.statBatch(f.root, [], ['etag'])
    await chain.run()
    expect(step.value).toEqual([])
  })
})
