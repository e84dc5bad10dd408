import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import type { AttributeValue } from '../../src/io/io.ts'
import { failureOf, useIo } from './fixture.ts'

const { EINVAL, ENOENT, ERANGE, ENOSPC, E2BIG } = constants.errno

const f = useIo()

async function write(entries: Iterable<readonly [string, AttributeValue]>, removed: string[] = []): Promise<void> {
  const chain = f.chain()
  chain.writeMetadata(chain.openFile(f.root, 'file'), entries, { removed })
  await chain.run()
}

async function read(names?: readonly string[]): Promise<Record<string, string>> {
  const chain = f.chain()
  const step = chain.readMetadata(chain.openFile(f.root, 'file'), names)
  await chain.run()
  return Object.fromEntries([...step.value].map(([name, value]) => [name, value.toString()]))
}

describe('writeMetadata and readMetadata', () => {
  it('gives back what was written, with names of every kind', async () => {
    writeFileSync(f.path('file'), '')
    const attributes = { etag: '"x"', empty: '', 'X-Amz-Meta.größe': 'straße 東京', long: 'y'.repeat(700), 'a b': 'c' }
    await write(Object.entries(attributes))
    expect(await read()).toEqual(attributes)
    expect(await read(['etag'])).toEqual({ etag: '"x"' })
    expect(await read(['none', 'etag'])).toEqual({ etag: '"x"' })
    expect(await read(['none', 'long', 'X-Amz-Meta.größe', 'empty'])).toEqual({
      long: attributes.long,
      'X-Amz-Meta.größe': attributes['X-Amz-Meta.größe'],
      empty: '',
    })
    expect(await read([])).toEqual(attributes)
  })

  it('shows only the user namespace, under the names other programs see', async () => {
    writeFileSync(f.path('file'), '')
    execFileSync('setfattr', ['-n', 'trusted.secret', '-v', 'no', f.path('file')])
    execFileSync('setfattr', ['-n', 'user.theirs', '-v', 'yes', f.path('file')])
    expect(await read()).toEqual({ theirs: 'yes' })
  })

  it('removes first, and absence is no error', async () => {
    writeFileSync(f.path('file'), '')
    await write([
      ['a', '1'],
      ['b', '2'],
    ])
    await write([['a', '3']], ['a', 'b', 'never'])
    expect(await read()).toEqual({ a: '3' })
  })

  it('takes bytes, short and long', async () => {
    writeFileSync(f.path('file'), '')
    const long = Buffer.alloc(2500, 7)
    await write([
      ['short', new Uint8Array([1, 0, 2])],
      ['long', long],
      ['after', 'x'],
    ])
    const chain = f.chain()
    const step = chain.readMetadata(chain.openFile(f.root, 'file'))
    await chain.run()
    expect(step.value.get('short')).toEqual(Buffer.from([1, 0, 2]))
    expect(step.value.get('long')?.equals(long)).toBe(true)
    expect(step.value.get('after')?.toString()).toBe('x')
  })

  it('fills holes with digests of the same chain', async () => {
    const content = Buffer.from('some content')
    const hex = createHash('md5').update(content).digest('hex')
    const hasher = f.io.hasher(['sha1'])
    const chain = f.chain()
    const file = chain.openFile(f.root, 'file', { create: 0o644 })
    chain.writeData(file, [content], { hasher: 'job', kinds: ['md5'] })
    chain.hash([content], hasher)
    chain.writeMetadata(file, [
      ['etag', ['"', { hasher: 'job', kind: 'md5', encoding: 'hex' }, '"']],
      ['sum', ['{"é":"', { hasher, kind: 'sha1', encoding: 'base64' }, '"}']],
    ])
    await chain.run()
    hasher.free()
    const sha1 = createHash('sha1').update(content).digest('base64')
    expect(await read(['etag', 'sum', 'x'])).toEqual({ etag: `"${hex}"`, sum: `{"é":"${sha1}"}` })
  })

  it('computes a kind that only a hole asks for', async () => {
    const chain = f.chain()
    const file = chain.openFile(f.root, 'file', { create: 0o644 })
    chain.writeData(file, [Buffer.from('abc')], { hasher: 'job', kinds: ['md5'] })
    chain.writeMetadata(file, [['sum', [{ hasher: 'job', kind: 'crc32', encoding: 'base64' }]]])
    await chain.run()
    expect(await read()).toEqual({ sum: 'NSRBwg==' })
  })

  it('goes by pieces where the attributes are longer than a slot', async () => {
    writeFileSync(f.path('file'), '')
    const chain = f.chain()
    const entries = Array.from({ length: 20 }, (_, i): [string, string] => [`n${i}`, 'v'.repeat(1500)])
    chain.writeMetadata(chain.openFile(f.root, 'file'), entries, { tolerate: [ENOSPC, E2BIG] })
    await chain.run()
    expect(Object.keys(await read()).length).toBeGreaterThan(0)
  })

  it('fails where the file system has no room, or knows no such name', async () => {
    writeFileSync(f.path('file'), '')
    const error = await failureOf(write([['large', 'x'.repeat(70_000)]]))
    expect([E2BIG, ENOSPC, ERANGE]).toContain(error.errno)
    expect(error.syscall).toBe('fsetxattr')
    expect(await failureOf(write([['n'.repeat(300), 'x']]))).toMatchObject({ errno: ERANGE })
    const chain = f.chain()
    expect(() => chain.pruneParents(f.root, 'x', { stopAt: 'a\0b', sync: false })).toThrow()
  })

  it('refuses a name with a NUL in it', async () => {
    writeFileSync(f.path('file'), '')
    expect(await failureOf(write([['a\0b', 'x']]))).toMatchObject({ errno: EINVAL })
    expect(await read()).toEqual({})
  })

  it('reads values that grow between the two calls', async () => {
    writeFileSync(f.path('file'), '')
    await write([['big', 'x'.repeat(3000)]])
    expect((await read(['big']))['big']).toHaveLength(3000)
  })
})

describe('pruneParents', () => {
  it('stops at a directory that has the attribute, and at one that is not empty', async () => {
    const make = f.chain()
    make.makeParents(f.root, 'keep/a/b/c', { mode: 0o755, sync: false })
    make.writeMetadata(make.openDir(f.root, 'keep/a', { readable: true }), [['etag', 'x']])
    make.makeParents(f.root, 'go/a/b/c', { mode: 0o755, sync: false })
    make.makeParents(f.root, 'full/a/b/c', { mode: 0o755, sync: false })
    make.openFile(make.openDir(f.root, 'full/a'), 'file', { create: 0o644 })
    await make.run()
    const chain = f.chain()
    const keep = chain.pruneParents(f.root, 'keep/a/b/c', { stopAt: 'etag', sync: true })
    const go = chain.pruneParents(f.root, 'go/a/b/c', { stopAt: 'etag', sync: true })
    const full = chain.pruneParents(f.root, 'full/a/b/c', { stopAt: 'etag', sync: true })
    const absent = chain.pruneParents(f.root, 'full/a/b/c', { stopAt: 'etag', sync: true })
    const none = chain.pruneParents(f.root, '', { stopAt: 'etag', sync: true })
    await chain.run()
    expect([keep.value, go.value, full.value, absent.value, none.value]).toEqual([2, 4, 2, 0, 0])
    const left = f.chain()
    const a = left.statAt(f.root, 'keep/a')
    const b = left.statAt(f.root, 'keep/a/b', { tolerate: [ENOENT] })
    const c = left.statAt(f.root, 'go', { tolerate: [ENOENT] })
    await left.run()
    expect([a.errno, b.errno, c.errno]).toEqual([0, ENOENT, ENOENT])
  })
})
