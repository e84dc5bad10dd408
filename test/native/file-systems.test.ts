import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { afterAll, describe, expect, it } from 'vitest'
import type { CopyMethod, CopyResult, Step } from '../../src/io/io.ts'
import { failureOf, useIo } from './fixture.ts'
import { mountFileSystem, type FileSystem, type Mount } from './loop-mount.ts'

const { EINVAL, EOPNOTSUPP, EXDEV, EIO } = constants.errno

const BLOCK = 4096

describe.each<FileSystem>(['ext4', 'xfs', 'btrfs', 'tmpfs'])('on %s', (type) => {
  const mount = mountFileSystem(type)
  if (typeof mount === 'string') {
    it.skip(mount)
    return
  }
  afterAll(() => mount.unmount())
  describeFileSystem(type, mount)
})

function describeFileSystem(type: FileSystem, mount: Mount): void {
  const f = useIo({}, () => mount.path)
  const hasReflink = type === 'xfs' || type === 'btrfs'

  async function copy(
    methods: readonly CopyMethod[],
    { from, to, length, content }: { from: number; to: number; length: number; content: Buffer },
  ): Promise<Step<CopyResult>> {
    writeFileSync(f.path('from'), content)
    const chain = f.chain()
    const source = chain.openFile(f.root, 'from')
    const target = chain.openFile(f.root, 'to', { create: 0o644 })
    const step = chain.copyRange(source, from, target, to, length, { methods })
    await chain.run()
    const copied = readFileSync(f.path('to')).subarray(to)
    expect(copied.equals(content.subarray(from, from + length))).toBe(true)
    return step
  }

  it('publishes an O_TMPFILE, new and over an old name', async () => {
    for (const content of ['one', 'two']) {
      const chain = f.chain()
      const file = chain.openTmpFile(f.root, { size: 3, preallocate: true })
      chain.writeData(file, [Buffer.from(content)])
      chain.startWriteback(file, 0, 3)
      chain.writeMetadata(file, [['etag', content]])
      chain.verifySize(file, 3)
      chain.sync(file, 'file')
      chain.linkFile(file, f.root, 'key', { tmpDir: f.root, replace: true })
      chain.sync(f.root, 'dir')
      await chain.run()
      expect(readFileSync(f.path('key'), 'utf8')).toBe(content)
      expect(readdirSync(f.dir)).toEqual(['key'])
    }
  })

  it('copies by reflink where the file system can', async () => {
    const content = randomBytes(64 * BLOCK)
    const step = await copy(['reflink', 'copy_file_range', 'read_write'], { from: BLOCK, to: 2 * BLOCK, length: 8 * BLOCK, content })
    expect(step.value).toEqual({ method: hasReflink ? 'reflink' : 'copy_file_range', bytes: 8 * BLOCK, usedFallback: !hasReflink })
  })

  it('copies what is not aligned another way, the end of a file excepted', async () => {
    const content = randomBytes(10 * BLOCK + 17)
    const middle = await copy(['reflink', 'read_write'], { from: 1, to: 5, length: 3 * BLOCK, content })
    expect(middle.value).toEqual({ method: 'read_write', bytes: 3 * BLOCK, usedFallback: true })
    const remove = f.chain()
    remove.remove(f.root, 'to')
    await remove.run()
    const end = await copy(['reflink', 'read_write'], { from: 0, to: 0, length: content.length, content })
    expect(end.value.method).toBe(hasReflink ? 'reflink' : 'read_write')
  })

  it('fails where the only method is refused', async () => {
    writeFileSync(f.path('from'), Buffer.alloc(100))
    const chain = f.chain()
    const source = chain.openFile(f.root, 'from')
    const step = chain.copyRange(source, 1, chain.openTmpFile(f.root, { size: 0 }), 0, 50, { methods: ['reflink'] })
    const error = await failureOf(chain.run())
    expect([EINVAL, EOPNOTSUPP]).toContain(error.errno)
    expect(error).toMatchObject({ step, syscall: 'ficlonerange' })
  })

  it('hashes what it copies, whichever way it goes', async () => {
    const content = randomBytes(20 * BLOCK)
    writeFileSync(f.path('from'), content)
    for (const method of ['reflink', 'copy_file_range', 'read_write'] as const) {
      const hasher = f.io.hasher(['sha256'])
      const chain = f.chain()
      const source = chain.openFile(f.root, 'from')
      const target = chain.openTmpFile(f.root, { size: 0 })
      chain.copyRange(source, 0, target, 0, content.length, { methods: [method, 'read_write'], hasher })
      const copied = chain.digest(hasher, 'sha256')
      chain.hash([content], 'job', ['sha256'])
      const expected = chain.digest('job', 'sha256')
      await chain.run()
      expect(copied.value.equals(expected.value)).toBe(true)
      hasher.free()
    }
  })

  it('fails on a source that is shorter than told', async () => {
    writeFileSync(f.path('from'), Buffer.alloc(100))
    const chain = f.chain()
    const source = chain.openFile(f.root, 'from')
    chain.copyRange(source, 0, chain.openTmpFile(f.root, { size: 0 }), 0, 200, { methods: ['copy_file_range', 'read_write'] })
    expect(await failureOf(chain.run())).toMatchObject({ errno: EIO })
  })

  it('goes on by reading where an in-kernel copy is refused in the middle', async () => {
    f.io.faults.set({ call: 'copy_file_range', errno: EXDEV, after: 1 })
    const content = randomBytes(65 * 1024 * 1024)
    const step = await copy(['copy_file_range', 'read_write'], { from: 0, to: 0, length: content.length, content })
    expect(step.value).toEqual({ method: 'read_write', bytes: content.length, usedFallback: true })
  })

  it('copies to another file system', async () => {
    writeFileSync(f.path('from'), Buffer.alloc(1_000_000, 'x'))
    const other = f.io.openRoot(tmpdir())
    const chain = f.chain()
    const source = chain.openFile(f.root, 'from')
    const file = chain.openTmpFile(other, { size: 0 })
    const step = chain.copyRange(source, 0, file, 0, 1_000_000, { methods: ['reflink', 'copy_file_range', 'read_write'] })
    chain.verifySize(file, 1_000_000)
    chain.close(other)
    await chain.run()
    expect(step.value).toMatchObject({ bytes: 1_000_000, usedFallback: true })
  })

  it('cannot link to another file system', async () => {
    const other = f.io.openRoot(tmpdir())
    const chain = f.chain()
    const step = chain.linkFile(chain.openTmpFile(other, { size: 0 }), f.root, 'key', { tmpDir: other, replace: true })
    expect(await failureOf(chain.run())).toMatchObject({ errno: EXDEV, step })
    const close = f.chain()
    close.close(other)
    await close.run()
  })
}
