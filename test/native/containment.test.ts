import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import type { Fd } from '../../src/io/io.ts'
import { failureOf, useIo, type Fixture } from './fixture.ts'

const { EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOSYS, ENOTDIR, EPERM, EXDEV } = constants.errno

const f = useIo()
const following = useIo({ followSymlinks: true })

/** A bucket with links that lead out of it, and something outside. */
function layOut({ path }: Fixture): void {
  mkdirSync(path('bucket/inner'), { recursive: true })
  mkdirSync(path('outside'))
  writeFileSync(path('outside/secret'), 'secret')
  writeFileSync(path('bucket/file'), 'content')
  writeFileSync(path('bucket/inner/file'), 'inner')
  symlinkSync('../outside', path('bucket/up'))
  symlinkSync('/', path('bucket/root'))
  symlinkSync(path('outside/secret'), path('bucket/absolute'))
  symlinkSync('inner', path('bucket/within'))
  symlinkSync('file', path('bucket/same'))
  symlinkSync('/proc/self/root', path('bucket/magic'))
  symlinkSync('bucket', path('linked-bucket'))
}

const ESCAPES = [
  ['up/secret', [ELOOP]],
  ['up', [ELOOP]],
  ['root/etc/passwd', [ELOOP]],
  ['absolute', [ELOOP]],
  ['within/file', [ELOOP]],
  ['same', [ELOOP]],
  ['magic/etc/passwd', [ELOOP]],
  ['../outside/secret', [EXDEV]],
  ['inner/../../outside/secret', [EXDEV]],
  ['..', [EXDEV]],
  ['/etc/passwd', [EXDEV]],
] as const

async function attempt(fixture: Fixture, path: string, how: 'read' | 'write' | 'parents'): Promise<number> {
  const chain = fixture.chain()
  const bucket = chain.openDir(fixture.root, 'bucket')
  if (how === 'read') chain.readData(chain.openFile(bucket, path), { offset: 0, length: 10 })
  else if (how === 'write') chain.openFile(bucket, `${path}/new`, { create: 0o644 })
  else chain.makeParents(bucket, `${path}/new`, { mode: 0o755, sync: false })
  return (await failureOf(chain.run())).errno
}

describe.each([
  ['openat2', undefined],
  ['openat2 unknown to the kernel', ENOSYS],
  ['openat2 forbidden by a filter', EPERM],
] as const)('containment by %s', (_, refusal) => {
  const prepare = (): void => {
    layOut(f)
    if (refusal !== undefined) f.io.faults.set({ call: 'openat2', errno: refusal })
  }

  it.each(ESCAPES)('reads nothing at %s', async (path, errnos) => {
    prepare()
    const errno = await attempt(f, path, 'read')
    // A walk that meets `..` after a missing component may see that first.
    expect([...errnos, ...(refusal === undefined ? [] : [ENOENT])]).toContain(errno)
  })

  it.each(ESCAPES.slice(0, 7))('writes nothing below %s', async (path) => {
    prepare()
    expect([ELOOP, ENOTDIR]).toContain(await attempt(f, path, 'write'))
    expect([ELOOP, ENOTDIR]).toContain(await attempt(f, path, 'parents'))
    expect(readdirSync(f.path('outside'))).toEqual(['secret'])
    expect(readdirSync(f.path('bucket/inner'))).toEqual(['file'])
  })

  it('opens what is beneath', async () => {
    prepare()
    const chain = f.chain()
    const bucket = chain.openDir(f.root, 'bucket')
    const bytes = chain.readWhole(chain.openFile(bucket, 'inner/file'), { wholeIfAtMost: 100 })
    const made = chain.makeParents(bucket, 'x/y', { mode: 0o755, sync: false })
    const listed = chain.listDir(made)
    const stat = chain.statAt(bucket, 'inner/file')
    const missing = chain.statAt(bucket, 'inner/none', { tolerate: [ENOENT] })
    const link = chain.statAt(bucket, 'same')
    await chain.run()
    expect(bytes.value?.toString()).toBe('inner')
    expect(listed.value.count).toBe(0)
    expect([stat.value.size, missing.errno, link.value.mode & 0o170000]).toEqual([5, ENOENT, 0o120000])
  })

  it('follows a bucket that is a link, once, and nothing else', async () => {
    prepare()
    const open = async (name: string, followLast: boolean): Promise<number> => {
      const chain = f.chain()
      const step = chain.openDir(f.root, name, { followLast, tolerate: [ELOOP, ENOTDIR, ENOENT, EXDEV] })
      await chain.run()
      return step.errno
    }
    expect(await open('linked-bucket', true)).toBe(0)
    expect(await open('linked-bucket', false)).toBe(ELOOP)
    expect(await open('linked-bucket/within', true)).toBe(ELOOP)
    expect(await open('bucket/file', true)).toBe(ENOTDIR)
    expect(await open('..', true)).toBe(EXDEV)
  })

  it('refuses components of more than 255 bytes and paths of more than 4095', async () => {
    prepare()
    expect(await attempt(f, 'n'.repeat(256), 'read')).toBe(ENAMETOOLONG)
    expect([ENAMETOOLONG, ENOENT]).toContain(await attempt(f, 'directory/'.repeat(500), 'read'))
  })
})

it('remembers that openat2 was refused', async () => {
  layOut(f)
  f.io.faults.set({ call: 'openat2', errno: ENOSYS })
  for (let i = 0; i < 2; i++) {
    const chain = f.chain()
    chain.openFile(f.root, 'bucket/inner/file')
    await chain.run()
  }
  const calls = f.span.recorder.spans.flatMap((span) => [...(span.syscalls ?? [])].filter((_, i) => i % 8 === 0))
  // openat2 is the first name of the table; the second chain does not try it any more.
  expect(calls.filter((name) => name === 0)).toHaveLength(1)
})

it('takes a forbidden call for a missing one only if openat2 is refused altogether', async () => {
  layOut(f)
  f.io.faults.set({ call: 'openat2', errno: EPERM, times: 1 })
  const chain = f.chain()
  chain.openFile(f.root, 'bucket/file')
  expect(await failureOf(chain.run())).toMatchObject({ errno: EPERM })
})

describe('with followSymlinks', () => {
  it('follows', async () => {
    layOut(following)
    const chain = following.chain()
    const bucket = chain.openDir(following.root, 'bucket')
    const up = chain.readWhole(chain.openFile(bucket, 'up/secret'), { wholeIfAtMost: 100 })
    const stat = chain.statAt(bucket, 'same')
    const list = chain.listDir(bucket)
    const batch = chain.statBatch(bucket, ['same', 'up/secret'], ['etag'])
    await chain.run()
    expect(up.value?.toString()).toBe('secret')
    expect(stat.value.size).toBe(7)
    expect(batch.value.map((entry) => entry.stat.size)).toEqual([7, 6])
    const names = Array.from({ length: list.value.count }, (_, i) =>
      list.value.names.toString('utf8', list.value.offsets[i], list.value.offsets[i + 1]),
    )
    expect(list.value.types[names.indexOf('within')]).toBe(4)
    expect(list.value.types[names.indexOf('same')]).toBe(8)
  })

  it('removes a tree without following', async () => {
    layOut(following)
    const chain = following.chain()
    chain.removeTree(following.root, 'bucket')
    await chain.run()
    expect(existsSync(following.path('bucket'))).toBe(false)
    expect(readFileSync(following.path('outside/secret'), 'utf8')).toBe('secret')
  })
})

it('never reads what a swapped directory leads to', async () => {
  layOut(f)
  mkdirSync(f.path('bucket/d'))
  writeFileSync(f.path('bucket/d/secret'), 'ours')
  const seen = new Set<string>()
  const read = async (fd: Fd): Promise<void> => {
    const chain = f.chain()
    const file = chain.openFile(fd, 'bucket/d/secret', { tolerate: [ELOOP, ENOENT, ENOTDIR] })
    const bytes = chain.readData(file, { offset: 0, length: 10 })
    await chain.run()
    seen.add(file.errno === 0 ? bytes.value.toString() : String(file.errno))
  }
  for (let i = 0; i < 300; i++) {
    const reads = [read(f.root), read(f.root)]
    renameSync(f.path('bucket/d'), f.path('bucket/aside'))
    symlinkSync('../outside', f.path('bucket/d'))
    await Promise.all([...reads, read(f.root)])
    rmSync(f.path('bucket/d'))
    renameSync(f.path('bucket/aside'), f.path('bucket/d'))
  }
  expect(seen).not.toContain('secret')
})

describe('what is no file', () => {
  it('does not hold up a thread', async () => {
    execFileSync('mkfifo', [f.path('fifo')])
    const chain = f.chain()
    const stat = chain.stat(chain.openFile(f.root, 'fifo'))
    const batch = chain.statBatch(f.root, ['fifo'], ['etag'])
    await chain.run()
    expect(stat.value.mode & 0o170000).toBe(0o010000)
    expect(batch.value[0]?.errno).toBe(0)
  })

  it('is not read whole', async () => {
    execFileSync('mkfifo', [f.path('fifo')])
    const chain = f.chain()
    const file = chain.openFile(f.root, 'fifo')
    const whole = chain.readWhole(file, { wholeIfAtMost: 100 })
    await chain.run()
    expect(whole.value).toBeUndefined()
    const close = f.chain()
    close.close(file.value)
    await close.run()
  })
})

it.each(['a\0b', `${'x'.repeat(100)}\0`])('refuses a NUL in a path', async (path) => {
  writeFileSync(f.path('a'), 'content')
  writeFileSync(f.path('x'.repeat(100)), 'content')
  const chain = f.chain()
  chain.openFile(f.root, path)
  expect(await failureOf(chain.run())).toMatchObject({ errno: EINVAL })
  const batch = f.chain()
  expect(() => batch.statBatch(f.root, [Buffer.from(path)], [])).toThrow()
})
