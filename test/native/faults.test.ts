import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import type { Chain } from '../../src/io/io.ts'
import { IoError } from '../../src/io/io-error.ts'
import { useIo } from './fixture.ts'

const { EACCES, EDQUOT, EIO, EMFILE, ENOSPC, EOPNOTSUPP, ESTALE, EINTR } = constants.errno

const f = useIo()

const CONTENT = 'some content'

function put(chain: Chain, name?: string): void {
  const tmpDir = chain.openDir(f.root, '.sgwtmp')
  const file = chain.openTmpFile(tmpDir, { size: CONTENT.length, preallocate: true, ...(name && { name }) })
  chain.writeData(file, [Buffer.from(CONTENT)], { hasher: 'job', kinds: ['md5'] })
  chain.startWriteback(file, 0, 4)
  chain.verifySize(file, CONTENT.length)
  chain.writeMetadata(file, [['etag', [{ hasher: 'job', kind: 'md5', encoding: 'hex' }]]], { removed: ['old'] })
  chain.sync(file, 'file')
  const parent = chain.makeParents(f.root, 'a/b', { mode: 0o755, sync: true })
  chain.linkFile(file, parent, 'key', { tmpDir, replace: true, ...(name && { from: name }) })
  chain.sync(parent, 'dir')
}

/** Chains that between them take every step, and what they must not leave behind. */
const CHAINS: readonly (readonly [name: string, build: (chain: Chain) => void])[] = [
  ['a PUT', (chain) => put(chain)],
  ['a PUT by a named file', (chain) => put(chain, 'tmp.1')],
  [
    'a PUT that must not replace',
    (chain) => {
      const tmpDir = chain.openDir(f.root, '.sgwtmp')
      const file = chain.openTmpFile(tmpDir, { size: 0, name: 'tmp.2' })
      chain.linkFile(file, f.root, 'new', { tmpDir, replace: false, from: 'tmp.2' })
    },
  ],
  [
    'a GET',
    (chain) => {
      const file = chain.openFile(f.root, 'old/file')
      chain.stat(file)
      chain.readMetadata(file)
      chain.readMetadata(file, ['a', 'b', 'c'])
      chain.readWhole(file, { wholeIfAtMost: 1000 })
      chain.readData(file, { offset: 1, length: 2 })
      chain.digest('job', 'md5')
    },
  ],
  [
    'a listing',
    (chain) => {
      chain.statAt(f.root, 'old/file')
      chain.listDir(f.root)
      chain.statBatch(f.root, ['old/file', 'none'], ['etag', 'b', 'c'])
    },
  ],
  [
    'a copy',
    (chain) => {
      const from = chain.openFile(f.root, 'old/file')
      const to = chain.openFile(f.root, '.sgwtmp/copy', { create: 0o600 })
      chain.copyRange(from, 0, to, 0, 3, { methods: ['reflink', 'copy_file_range', 'read_write'] })
      chain.truncate(to, 1)
      chain.setModified(to, { mtimeSec: 1, mtimeNsec: 2 })
      chain.setOwner(to, { uid: 0, gid: 0 })
      chain.remove(f.root, '.sgwtmp/copy')
    },
  ],
  [
    'a clean-up',
    (chain) => {
      chain.makeDir(f.root, 'old/dir', { mode: 0o755 })
      chain.rename(f.root, 'old/dir', f.root, 'old/moved')
      chain.pruneParents(f.root, 'old/moved', { stopAt: 'etag', sync: true })
      chain.removeTree(f.root, 'old')
      chain.lock(f.root, 'lock', { exclusive: true, timeoutMs: 0 })
    },
  ],
]

function reset(): void {
  for (const name of readdirSync(f.dir)) rmSync(f.path(name), { recursive: true })
  mkdirSync(f.path('.sgwtmp'))
  mkdirSync(f.path('old'))
  mkdirSync(f.path('a/b'), { recursive: true })
  writeFileSync(f.path('old/file'), 'old')
  writeFileSync(f.path('a/b/key'), 'before')
}

/** The errno that the chain failed with, or 0. */
async function run(build: (chain: Chain) => void): Promise<number> {
  const chain = f.chain()
  build(chain)
  try {
    await chain.run()
    return 0
  } catch (error) {
    if (error instanceof IoError) return error.errno
    throw error
  }
}

function expectNothingLeft(): void {
  // A copy's target is the caller's to remove.
  expect(readdirSync(f.path('.sgwtmp')).filter((name) => name !== 'copy')).toEqual([])
  if (existsSync(f.path('a/b/key'))) expect(['before', CONTENT]).toContain(readFileSync(f.path('a/b/key'), 'utf8'))
}

// Descriptors are compared after each test, by the fixture.
describe.each(CHAINS)('%s', (_, build) => {
  it('succeeds', async () => {
    reset()
    expect(await run(build)).toBe(0)
    expectNothingLeft()
  })

  it.each([EIO, ENOSPC, EDQUOT, EACCES, ESTALE, EMFILE, EOPNOTSUPP])('leaves nothing when a system call fails with %i', async (errno) => {
    let failures = 0
    for (let call = 0; call < 200; call++) {
      reset()
      f.io.faults.set({ after: call, times: 1, errno })
      const result = await run(build)
      const isReached = f.io.faults.remaining() === 0
      f.io.faults.clear()
      expectNothingLeft()
      // What fails may be something that there is another way for; but nothing turns into another error.
      expect([0, errno]).toContain(result)
      if (!isReached) break
      if (result !== 0) failures++
    }
    if (errno === EIO) expect(failures).toBeGreaterThan(2)
  })

  it('leaves nothing when all calls fail from one on', async () => {
    for (let call = 0; call < 200; call++) {
      reset()
      f.io.faults.set({ after: call, errno: EIO })
      const result = await run(build)
      f.io.faults.clear()
      expectNothingLeft()
      if (result === 0) break
      expect(result).toBe(EIO)
    }
  })

  it('leaves nothing when a step fails', async () => {
    for (let step = 0; step < 12; step++) {
      reset()
      f.io.faults.set({ step, errno: EIO })
      const result = await run(build)
      f.io.faults.clear()
      expectNothingLeft()
      if (result === 0) break
      expect(result).toBe(EIO)
    }
  })

  it('is not disturbed by interruptions', async () => {
    for (let call = 0; call < 30; call++) {
      reset()
      f.io.faults.set({ after: call, times: 3, errno: EINTR })
      expect(await run(build)).toBe(0)
      f.io.faults.clear()
    }
  })

  it('ends where every call is interrupted for ever', async () => {
    reset()
    f.io.faults.set({ errno: EINTR })
    expect(await run(build)).toBe(EINTR)
  })
})

it('tells a caller that O_TMPFILE is refused, which may then use names', async () => {
  reset()
  f.io.faults.set({ call: 'openat', errno: EOPNOTSUPP, times: 1 })
  expect(await run((chain) => put(chain))).toBe(EOPNOTSUPP)
  expect(await run((chain) => put(chain, 'tmp.1'))).toBe(0)
})

it('retries an openat2 that raced, and gives up at some time', async () => {
  reset()
  const { EAGAIN } = constants.errno
  f.io.faults.set({ call: 'openat2', errno: EAGAIN, times: 5 })
  expect(await run((chain) => void chain.openFile(f.root, 'old/file'))).toBe(0)
  f.io.faults.set({ call: 'openat2', errno: EAGAIN })
  expect(await run((chain) => void chain.openFile(f.root, 'old/file'))).toBe(EAGAIN)
})
