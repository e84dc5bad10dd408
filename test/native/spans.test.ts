import { mkdirSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { readSyscalls } from '../../src/io/syscalls.ts'
import { nowNs } from '../../src/trace/clock.ts'
import { Recorder, type Span } from '../../src/trace/recorder.ts'
import { failureOf, useIo } from './fixture.ts'

const { EEXIST, ENOENT } = constants.errno

const f = useIo({ syscalls: true })
const quiet = useIo({ syscalls: false })

/** Names below the root, those further down indented, each with its system calls. */
function tree(root: Span): string[] {
  return root.recorder.spans.slice(1).map((span) => {
    const calls = span.syscalls === undefined ? [] : [...readSyscalls(span.syscalls)].map((call) => call.name)
    return `${span.parent === root ? '' : '  '}${span.name.replace('Posix.IO.', '')}: ${calls.join(' ')}`
  })
}

function spansOf(root: Span): Span[] {
  return root.recorder.spans.slice(1)
}

async function put(): Promise<void> {
  mkdirSync(f.path('.sgwtmp'))
  const chain = f.chain()
  const tmpDir = chain.openDir(f.root, '.sgwtmp')
  const file = chain.openTmpFile(tmpDir, { size: 6, attributes: { 'posix.dir': 'b/.sgwtmp', 'posix.bucket': 'b' } })
  chain.writeData(file, [Buffer.from('abc')], { hasher: 'job', kinds: ['md5'] })
  chain.writeData(file, [Buffer.from('def')], { offset: 3, hasher: 'job' })
  chain.startWriteback(file, 0, 6)
  chain.digest('job', 'md5')
  chain.verifySize(file, 6)
  chain.writeMetadata(file, [['etag', 'x']])
  chain.writeMetadata(file, [['type', 'y']])
  chain.sync(file, 'file')
  const parent = chain.makeParents(f.root, 'a/b', { mode: 0o755, sync: true })
  chain.linkFile(file, parent, 'key', { tmpDir, replace: true })
  chain.sync(parent, 'dir')
  await chain.run()
}

describe('spans of a chain', () => {
  it('are one a method, neighbours on one file together', async () => {
    await put()
    expect(tree(f.span)).toEqual([
      'OpenTmpFile: openat2 openat',
      'WriteData: pwritev pwritev sync_file_range fstat',
      'WriteMetadata: fsetxattr fsetxattr',
      'Sync: fsync',
      'MakeParents: openat2 openat2 openat2 mkdirat openat2 close mkdirat openat2 close',
      '  Sync: fsync',
      '  Sync: fsync',
      'LinkFile: linkat',
      'Sync: fsync',
    ])
  })

  it('are the files’, with the directories on the way to them', async () => {
    mkdirSync(f.path('d/e'), { recursive: true })
    writeFileSync(f.path('d/e/file'), 'x')
    const chain = f.chain()
    const dir = chain.openDir(f.root, 'd')
    chain.openFile(chain.openDir(dir, 'e'), 'file')
    chain.statAt(dir, 'e')
    chain.openDir(f.root, 'd')
    chain.openDir(f.root, 'none')
    expect(await failureOf(chain.run())).toMatchObject({ errno: ENOENT })
    expect(tree(f.span)).toEqual([
      'OpenFile: openat2 openat2 openat2',
      'OpenFile: fstatat',
      'OpenFile: openat2',
      'OpenFile: openat2',
    ])
    expect(spansOf(f.span).map(({ failure }) => failure?.type)).toEqual([undefined, undefined, undefined, 'ENOENT'])
  })

  it('lie one after the other, in the time between hand-over and settling', async () => {
    const before = nowNs()
    await put()
    const after = nowNs()
    let last = before - 5e3
    for (const span of spansOf(f.span).filter((span) => span.parent === f.span)) {
      expect(span.startNs).toBeGreaterThanOrEqual(last)
      expect(span.endNs).toBeGreaterThanOrEqual(span.startNs)
      last = span.endNs
      for (const call of readSyscalls(span.syscalls ?? new Float64Array())) {
        expect(call.startNs).toBeGreaterThanOrEqual(span.startNs)
        expect(call.endNs).toBeLessThanOrEqual(span.endNs)
      }
    }
    expect(last).toBeLessThan(after + 5e3)
  })

  it('have the attributes of the trace contract', async () => {
    await put()
    const attributes = Object.fromEntries(spansOf(f.span).map((span) => [span.name, span.attributes]))
    expect(attributes['Posix.IO.OpenTmpFile']).toMatchObject({
      'posix.dir': 'b/.sgwtmp',
      'posix.bucket': 'b',
      'posix.size': 6,
      'posix.tmp_method': 'o_tmpfile',
    })
    expect(attributes['Posix.IO.WriteData']).toMatchObject({
      'posix.bytes_written': 6,
      'posix.io_ms': expect.any(Number),
      'posix.hash_ms': expect.any(Number),
    })
    expect(attributes['Posix.IO.WriteMetadata']).toMatchObject({ 'posix.meta_store': 'xattr' })
    expect(attributes['Posix.IO.LinkFile']).toMatchObject({ 'posix.link_method': 'linkat' })
    expect(attributes['Posix.IO.Sync']).toMatchObject({ 'posix.sync_target': 'dir' })
    for (const span of spansOf(f.span)) {
      expect(span.attributes['posix.queue_ms']).toBeGreaterThan(0)
      expect(span.attributes).not.toHaveProperty('error.type')
    }
  })

  it('of a GET', async () => {
    writeFileSync(f.path('file'), 'content')
    const chain = f.chain()
    const file = chain.openFile(f.root, 'file')
    chain.stat(file)
    chain.readMetadata(file)
    chain.readWhole(file, { wholeIfAtMost: 100 })
    await chain.run()
    expect(tree(f.span)).toEqual(['OpenFile: openat2 fstat', 'ReadMetadata: flistxattr', 'ReadData: pread'])
    expect(spansOf(f.span)[2]?.attributes).toMatchObject({ 'posix.bytes_read': 7, 'posix.range_start': 0 })
  })

  it('of a GET that reads nothing have no ReadData', async () => {
    writeFileSync(f.path('file'), 'content')
    const chain = f.chain()
    const file = chain.openFile(f.root, 'file')
    chain.readWhole(file, { wholeIfAtMost: 1 })
    await chain.run()
    expect(tree(f.span)).toEqual(['OpenFile: openat2 fstat'])
    const close = f.chain()
    close.close(file.value)
    await close.run()
    expect(tree(f.span)).toHaveLength(1)
  })

  it('of a listing', async () => {
    writeFileSync(f.path('one'), '')
    writeFileSync(f.path('two'), '')
    const chain = f.chain()
    chain.listDir(f.root)
    chain.statBatch(f.root, ['one', 'two', 'three', 'four'], ['etag'])
    await chain.run()
    const [list, batch] = spansOf(f.span)
    expect(list?.attributes).toMatchObject({ 'posix.entries': 2, 'posix.pages': 1 })
    expect(batch?.attributes).toMatchObject({ 'posix.count': 4 })
    expect(Number(batch?.attributes['posix.total_ms'])).toBeGreaterThanOrEqual(Number(batch?.attributes['posix.max_ms']))
    expect(batch?.events).toHaveLength(3)
  })

  it('of a failed step tell why, and of a tolerated one do not', async () => {
    const chain = f.chain()
    chain.openFile(f.root, 'none', { tolerate: [ENOENT] })
    chain.makeDir(f.root, '', { mode: 0o755 })
    const error = await failureOf(chain.run())
    const [first, second] = spansOf(f.span)
    expect(first?.failure).toBeUndefined()
    expect(first?.failure).toBeUndefined()
    expect(second?.failure).toEqual({ type: 'EINVAL', message: error.message })
    expect(second?.failure?.type).toBe('EINVAL')
  })

  it('fail as a whole where a step within them fails', async () => {
    const chain = f.chain()
    const file = chain.openTmpFile(f.root, { size: 1 })
    chain.writeData(file, [Buffer.from('a')])
    chain.verifySize(file, 2)
    chain.sync(file, 'file')
    await failureOf(chain.run())
    expect(tree(f.span)).toEqual(['OpenTmpFile: openat', 'WriteData: pwritev fstat'])
    expect(spansOf(f.span)[1]?.failure?.type).toBe('EBADMSG')
  })

  it('have none for a look at what another chain has written, unless it fails', async () => {
    writeFileSync(f.path('file'), 'a')
    const opening = f.chain()
    const file = opening.openFile(f.root, 'file', { keep: true })
    await opening.run()
    const before = tree(f.span).length
    const good = f.chain()
    good.verifySize(file.value, 1)
    good.sync(file.value, 'file')
    await good.run()
    expect(tree(f.span).slice(before)).toEqual(['Sync: fsync'])
    const bad = f.chain()
    bad.verifySize(file.value, 2)
    await failureOf(bad.run())
    expect(tree(f.span).slice(before)).toEqual(['Sync: fsync', 'WriteData: fstat'])
    const close = f.chain()
    close.close(file.value)
    await close.run()
  })

  it('go below another span where told to', async () => {
    writeFileSync(f.path('a'), '')
    const other = f.span.child('Posix.IO.CopyPart')
    const chain = f.chain()
    const a = chain.openFile(f.root, 'a')
    chain.under(other)
    chain.stat(a)
    const to = chain.openFile(f.root, 'b', { create: 0o644 })
    const copy = chain.copyRange(a, 0, to, 0, 0, { methods: ['copy_file_range'] })
    await chain.run()
    expect(tree(f.span)).toEqual(['CopyPart: ', 'OpenFile: openat2', '  OpenFile: fstat', '  OpenFile: openat2'])
    expect(chain.times(copy)).toMatchObject({ syscalls: undefined })
  })

  it('are none where the chain does not record, and its times are there all the same', async () => {
    const chain = f.io.chain(f.span, { record: false })
    const step = chain.statAt(f.root, 'x', { tolerate: [ENOENT] })
    await chain.run()
    expect(tree(f.span)).toEqual([])
    expect([...readSyscalls(chain.times(step).syscalls ?? new Float64Array())]).toMatchObject([{ name: 'fstatat', errno: ENOENT }])
  })

  it('are none where the recorder does not record', async () => {
    const { root } = new Recorder(false, undefined)
    const chain = f.io.chain(root)
    chain.stat(f.root)
    await chain.run()
    expect(root.recorder.spans).toHaveLength(1)
  })

  it('have no system calls where those are not wanted', async () => {
    const chain = quiet.chain()
    chain.stat(quiet.root)
    await chain.run()
    expect(tree(quiet.span)).toEqual(['OpenFile: '])
  })
})

describe('system calls', () => {
  it('tell descriptor, offset, bytes and errno', async () => {
    const chain = f.chain()
    const file = chain.openFile(f.root, 'file', { create: 0o644 })
    chain.writeData(file, [Buffer.from('hello')], { offset: 7 })
    const again = chain.openFile(f.root, 'file', { create: 0o644, tolerate: [EEXIST] })
    await chain.run()
    expect(again.errno).toBe(EEXIST)
    const calls = spansOf(f.span).flatMap((span) => [...readSyscalls(span.syscalls ?? new Float64Array())])
    expect(calls).toMatchObject([
      { name: 'openat2', fd: file.value, offset: undefined, bytes: undefined, errno: 0 },
      { name: 'pwritev', fd: file.value, offset: 7, bytes: 5, errno: 0 },
      { name: 'openat2', fd: undefined, errno: EEXIST },
    ])
  })

  it('beyond what a slot holds are lost, and the rest is right', async () => {
    const chain = f.chain()
    const step = chain.statBatch(
      f.root,
      Array.from({ length: 200 }, (_, i) => `none-${i}`),
      [],
    )
    const stat = chain.statAt(f.root, '')
    await chain.run()
    expect(step.value).toHaveLength(200)
    expect(stat.value.nlink).toBeGreaterThan(0)
    expect(spansOf(f.span)[0]?.syscalls).toHaveLength(128 * 8)
  })
})
