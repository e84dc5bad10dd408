import { randomBytes } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createIo } from '../../src/io/native.ts'
import { Recorder } from '../../src/trace/recorder.ts'
import { mountFileSystem, type FileSystem } from './loop-mount.ts'

/** Contract 1.3, `--enable-odirect`: best effort, aligned, back to the page cache where that is refused. */
describe.each<FileSystem>(['ext4', 'xfs', 'tmpfs', 'ramfs'])('past the page cache of %s', (type) => {
  const mount = mountFileSystem(type)
  if (typeof mount === 'string') {
    test.skip(mount)
    return
  }
  afterAll(() => mount.unmount())
  let dir: string
  const io = createIo({ direct: true })
  const span = new Recorder(false, undefined).root
  beforeAll(() => {
    dir = mkdtempSync(join(mount.path, 'd-'))
  })
  afterAll(async () => {
    await io.close()
    rmSync(dir, { recursive: true })
  })

  test.each([
    [0, 1],
    [0, 4096],
    [0, 3_000_001],
    [100, 4096],
    [4000, 1_000_000],
    [8192, 2_500_000],
  ])('%d bytes in, %d are written and read as they are', async (offset, size) => {
    const name = `f-${offset}-${size}`
    const bytes = randomBytes(size)
    const root = io.openRoot(dir)
    const chain = io.chain(span)
    const file = chain.openFile(root, name, { create: 0o644, keep: true })
    const cut = Math.floor(size / 3)
    const pieces = [bytes.subarray(0, cut), bytes.subarray(cut, cut), bytes.subarray(cut)]
    const written = chain.writeData(file, pieces, { offset, direct: true })
    await chain.run()
    expect(written.value).toBe(size)
    expect(readFileSync(join(dir, name)).subarray(offset).equals(bytes)).toBe(true)
    for (const [from, length] of [
      [offset, size],
      [offset + 1, size],
      [offset + Math.min(5000, size - 1), 700_000],
    ] as const) {
      const reading = io.chain(span)
      const read = reading.readData(file.value, { offset: from, length, direct: true })
      await reading.run()
      expect(read.value.equals(bytes.subarray(from - offset, from - offset + length))).toBe(true)
    }
    const closing = io.chain(span)
    closing.close(file.value)
    closing.close(root)
    await closing.run()
  })

  test('what is written that way is not in the page cache, where the file system can', async () => {
    if (type !== 'ext4' && type !== 'xfs') return
    const root = io.openRoot(dir)
    const chain = io.chain(span)
    const file = chain.openFile(root, 'big', { create: 0o644 })
    chain.writeData(file, [randomBytes(4 * 1024 * 1024)], { direct: true })
    chain.close(root)
    await chain.run()
    expect(cachedPages(join(dir, 'big'))).toBe(0)
  })
})

function cachedPages(path: string): number {
  const out = execFileSync('fincore', ['-n', '-o', 'PAGES', path], { encoding: 'utf8' })
  return Number(out.trim())
}
