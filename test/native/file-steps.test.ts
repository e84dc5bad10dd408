import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { closeFd, failureOf, untilWaiting, useIo } from './fixture.ts'

const { EBADF, EBADMSG, EEXIST, EINVAL, EIO, EISDIR, ELOOP, ENOENT, ENOTDIR } = constants.errno

const f = useIo()

describe('openDir and openFile', () => {
  it('opens below a directory, each beneath the other', async () => {
    mkdirSync(f.path('a/b'), { recursive: true })
    writeFileSync(f.path('a/b/file'), 'content')
    const chain = f.chain()
    const a = chain.openDir(f.root, 'a')
    const b = chain.openDir(a, 'b', { readable: true })
    const file = chain.openFile(b, 'file')
    const bytes = chain.readData(file, { offset: 3, length: 100 })
    await chain.run()
    expect(bytes.value.toString()).toBe('tent')
  })

  it.each([
    ['missing', ENOENT],
    ['file/below', ENOTDIR],
    ['link', ELOOP],
    ['link/file', ELOOP],
  ])('fails on %s', async (path, errno) => {
    writeFileSync(f.path('file'), '')
    symlinkSync('.', f.path('link'))
    const chain = f.chain()
    const step = chain.openFile(f.root, path)
    const never = chain.stat(step)
    const error = await failureOf(chain.run())
    expect(error).toMatchObject({ errno, step, syscall: 'openat2' })
    expect(error.message).not.toContain(path)
    expect(step).toMatchObject({ errno, ran: true })
    expect(never.ran).toBe(false)
  })

  it('goes on after a tolerated errno and skips the steps that need its descriptor', async () => {
    const chain = f.chain()
    const missing = chain.openFile(f.root, 'missing', { tolerate: [EISDIR, ENOENT] })
    const skipped = chain.stat(missing)
    const skippedToo = chain.readMetadata(missing)
    const stat = chain.stat(f.root)
    await chain.run()
    expect(missing).toMatchObject({ errno: ENOENT, ran: true })
    expect(skipped.ran).toBe(false)
    expect(skippedToo.ran).toBe(false)
    expect(stat.value.mode & 0o170000).toBe(0o040000)
  })

  it('tolerates up to eight errnos', async () => {
    const chain = f.chain()
    const step = chain.openFile(f.root, 'missing', { tolerate: [101, 102, 103, 104, 105, 106, 107, ENOENT] })
    await chain.run()
    expect(step.errno).toBe(ENOENT)
  })

  it('keeps a descriptor when asked to, and closes it when the chain fails', async () => {
    writeFileSync(f.path('file'), 'x')
    const chain = f.chain()
    const kept = chain.openFile(f.root, 'file', { keep: true })
    await chain.run()
    const next = f.chain()
    const stat = next.stat(kept)
    const dup = next.openFile(f.root, 'file', { keep: true })
    next.openFile(f.root, 'missing')
    await failureOf(next.run())
    expect(stat.value.size).toBe(1)
    expect(dup.ran).toBe(true)
    await closeFd(f.io, kept.value)
  })

  it('creates a file that does not exist, and no other', async () => {
    const chain = f.chain()
    const file = chain.openFile(f.root, 'new', { create: 0o600 })
    chain.writeData(file, [Buffer.from('abc')])
    await chain.run()
    expect(readFileSync(f.path('new'), 'utf8')).toBe('abc')
    const again = f.chain()
    again.openFile(f.root, 'new', { create: 0o600 })
    expect(await failureOf(again.run())).toMatchObject({ errno: EEXIST })
  })

  it('opens the directory itself for an empty path', async () => {
    const chain = f.chain()
    const stat = chain.stat(chain.openDir(f.root, ''))
    await chain.run()
    expect(stat.value.ino).toBe(statSync(f.dir).ino)
  })

  it('refuses a descriptor that is none', async () => {
    const chain = f.chain()
    chain.stat(-1)
    expect(await failureOf(chain.run())).toMatchObject({ errno: EBADF })
  })
})

describe('stat and statAt', () => {
  it('tells what fs.stat tells', async () => {
    writeFileSync(f.path('file'), 'hello')
    const chain = f.chain()
    const at = chain.statAt(f.root, 'file')
    const open = chain.stat(chain.openFile(f.root, 'file'))
    await chain.run()
    const expected = statSync(f.path('file'), { bigint: true })
    expect(at.value).toEqual(open.value)
    expect(at.value).toMatchObject({
      size: 5,
      mode: Number(expected.mode),
      ino: Number(expected.ino),
      dev: Number(expected.dev),
      nlink: 1,
      mtimeSec: Number(expected.mtimeNs / 1_000_000_000n),
      mtimeNsec: Number(expected.mtimeNs % 1_000_000_000n),
      mtimeMs: Number(expected.mtimeMs),
      ctimeNsec: Number(expected.ctimeNs % 1_000_000_000n),
      uid: Number(expected.uid),
    })
  })

  it('of a link tells of the link', async () => {
    mkdirSync(f.path('d'))
    symlinkSync('/etc/passwd', f.path('link'))
    symlinkSync('/etc/passwd', f.path('d/link'))
    const chain = f.chain()
    const link = chain.statAt(f.root, 'link')
    const deep = chain.statAt(f.root, 'd/link')
    await chain.run()
    expect(link.value.mode & 0o170000).toBe(0o120000)
    expect(deep.value.mode & 0o170000).toBe(0o120000)
  })
})

describe('readData and readWhole', () => {
  it.each([0, 1, 4096, 65536, 90_000, 3_000_000])('reads %i bytes', async (size) => {
    const content = randomBytes(size)
    writeFileSync(f.path('file'), content)
    const chain = f.chain()
    const file = chain.openFile(f.root, 'file')
    const data = chain.readData(file, { offset: 0, length: size + 10 })
    const whole = chain.readWhole(file, { wholeIfAtMost: size })
    await chain.run()
    expect(data.value.equals(content)).toBe(true)
    expect(whole.value?.equals(content)).toBe(true)
  })

  it('leaves a longer file open for the caller', async () => {
    writeFileSync(f.path('file'), 'hello')
    const chain = f.chain()
    const file = chain.openFile(f.root, 'file')
    const whole = chain.readWhole(file, { wholeIfAtMost: 4 })
    await chain.run()
    expect(whole).toMatchObject({ value: undefined, ran: true, errno: 0 })
    await closeFd(f.io, file.value)
  })

  it('leaves a longer file closed when the chain fails later', async () => {
    writeFileSync(f.path('file'), 'hello')
    const chain = f.chain()
    const file = chain.openFile(f.root, 'file')
    chain.readWhole(file, { wholeIfAtMost: 4 })
    chain.statAt(f.root, 'missing')
    await failureOf(chain.run())
  })

  it('reads nothing of a directory', async () => {
    const chain = f.chain()
    const dir = chain.openFile(f.root, '')
    const whole = chain.readWhole(dir, { wholeIfAtMost: 1e6 })
    await chain.run()
    expect(whole.value).toBeUndefined()
    await closeFd(f.io, dir.value)
  })

  it('fails on a file that shrank after its size was told', async () => {
    writeFileSync(f.path('file'), 'hello')
    const holder = f.chain()
    const lock = holder.lock(f.root, 'lock', { exclusive: true, timeoutMs: 0, keep: true })
    await holder.run()
    const chain = f.chain()
    const file = chain.openFile(f.root, 'file')
    chain.stat(file)
    chain.lock(f.root, 'lock', { exclusive: true, timeoutMs: 10_000 })
    const whole = chain.readWhole(file, { wholeIfAtMost: 100 })
    const running = failureOf(chain.run())
    await untilWaiting(f)
    truncateSync(f.path('file'), 2)
    await closeFd(f.io, lock.value)
    expect(await running).toMatchObject({ errno: EIO, step: whole })
  })
})

describe('openTmpFile and writeData', () => {
  it('writes pieces at an offset, gathered', async () => {
    const chain = f.chain()
    const file = chain.openFile(f.root, 'file', { create: 0o644 })
    chain.writeData(file, [Buffer.from('0123456789')])
    const step = chain.writeData(file, [Buffer.from('ab'), Buffer.alloc(0), Buffer.from('c')], { offset: 4 })
    await chain.run()
    expect(step.value).toBe(3)
    expect(readFileSync(f.path('file'), 'utf8')).toBe('0123abc789')
  })

  it('writes more pieces than one pwritev takes', async () => {
    const pieces = Array.from({ length: 2500 }, (_, i) => Buffer.from(`${i},`))
    const chain = f.chain()
    chain.writeData(chain.openFile(f.root, 'file', { create: 0o644 }), pieces)
    await chain.run()
    expect(readFileSync(f.path('file')).equals(Buffer.concat(pieces))).toBe(true)
  })

  it('leaves an unnamed file no trace', async () => {
    const chain = f.chain()
    const file = chain.openTmpFile(f.root, { size: 3, preallocate: true })
    chain.writeData(file, [Buffer.from('abc')])
    chain.verifySize(file, 3)
    await chain.run()
    expect(readdirSync(f.dir)).toEqual([])
  })

  it('removes a named one when the chain fails, and not when it succeeds', async () => {
    const failing = f.chain()
    failing.openTmpFile(f.root, { name: 'tmp', size: 0 })
    failing.statAt(f.root, 'missing')
    await failureOf(failing.run())
    expect(existsSync(f.path('tmp'))).toBe(false)
    const chain = f.chain()
    chain.openTmpFile(f.root, { name: 'tmp', size: 0 })
    await chain.run()
    expect(existsSync(f.path('tmp'))).toBe(true)
  })

  it('does not remove a file of that name that was there before', async () => {
    writeFileSync(f.path('tmp'), 'theirs')
    const chain = f.chain()
    chain.openTmpFile(f.root, { name: 'tmp', size: 0 })
    expect(await failureOf(chain.run())).toMatchObject({ errno: EEXIST })
    expect(readFileSync(f.path('tmp'), 'utf8')).toBe('theirs')
  })

  it('takes no path for a name', async () => {
    mkdirSync(f.path('d'))
    const chain = f.chain()
    chain.openTmpFile(f.root, { name: 'd/tmp', size: 0 })
    expect(await failureOf(chain.run())).toMatchObject({ errno: EINVAL })
  })
})

describe('hashes', () => {
  const content = [randomBytes(100_000), randomBytes(7), randomBytes(64)]
  const md5 = createHash('md5').update(Buffer.concat(content)).digest()
  const sha256 = createHash('sha256').update(Buffer.concat(content)).digest()

  it('hashes what it writes', async () => {
    const chain = f.chain()
    const file = chain.openTmpFile(f.root, { size: 0 })
    chain.writeData(file, content, { hasher: 'job', kinds: ['md5', 'sha256', 'crc32'] })
    const a = chain.digest('job', 'md5')
    const b = chain.verifyDigest('job', 'sha256', sha256)
    const crc = chain.digest('job', 'crc32')
    await chain.run()
    expect(a.value.equals(md5)).toBe(true)
    expect(b.value.equals(sha256)).toBe(true)
    expect(crc.value).toHaveLength(4)
  })

  it('hashes small bodies of chains that come together', async () => {
    const bodies = Array.from({ length: 300 }, (_, i) => randomBytes((i * 997) % 20_000))
    const digests = bodies.map((body, i) => {
      const chain = f.chain()
      const file = chain.openTmpFile(f.root, { size: 0 })
      if (i % 5 === 0) chain.writeData(file, [body.subarray(0, 100), body.subarray(100)], { hasher: 'job', kinds: ['md5', 'crc32'] })
      else chain.writeData(file, [body], { hasher: 'job', kinds: i % 7 === 0 ? ['md5', 'sha256'] : ['md5', 'crc32'] })
      // The hasher of such a chain is filled twice.
      if (i % 11 === 0) chain.writeData(file, [body], { hasher: 'job' })
      const digest = chain.digest('job', 'md5')
      return chain.run().then(() => digest.value.toString('hex'))
    })
    const expected = bodies.map((body, i) => {
      const hash = createHash('md5').update(body)
      return (i % 11 === 0 ? hash.update(body) : hash).digest('hex')
    })
    expect(await Promise.all(digests)).toEqual(expected)
  })

  it('fails where a digest is not the expected one, and tells what it is', async () => {
    const chain = f.chain()
    chain.hash(content, 'job', ['md5'])
    const wrong = chain.verifyDigest('job', 'md5', Buffer.alloc(16))
    expect(await failureOf(chain.run())).toMatchObject({ errno: EBADMSG, step: wrong })
    expect(wrong.value.equals(md5)).toBe(true)
  })

  it('fails where a digest has the wrong length', async () => {
    const chain = f.chain()
    chain.hash(content, 'job', ['md5'])
    chain.verifyDigest('job', 'md5', md5.subarray(0, 15))
    expect(await failureOf(chain.run())).toMatchObject({ errno: EBADMSG })
  })

  it('goes on in another chain', async () => {
    const hasher = f.io.hasher(['md5'])
    for (const piece of content) {
      const chain = f.chain()
      chain.hash([piece], hasher)
      await chain.run()
    }
    const chain = f.chain()
    const digest = chain.digest(hasher, 'md5')
    const running = chain.run()
    hasher.free()
    await running
    expect(digest.value.equals(md5)).toBe(true)
    const late = f.chain()
    late.digest(hasher, 'md5')
    expect(() => late.run()).toThrow('freed')
  })

  it('fails where a kind was not asked for', async () => {
    const hasher = f.io.hasher(['md5'])
    const chain = f.chain()
    chain.digest(hasher, 'sha1')
    expect(await failureOf(chain.run())).toMatchObject({ errno: EINVAL })
    hasher.free()
  })

  it('combines CRCs', async () => {
    const [a = Buffer.alloc(0), ...rest] = content
    const b = Buffer.concat(rest)
    const crcs: string[] = []
    for (const pieces of [[a], [b], [a, b]]) {
      const chain = f.chain()
      chain.hash(pieces, 'job', ['crc64nvme'])
      const crc = chain.digest('job', 'crc64nvme')
      await chain.run()
      crcs.push(crc.value.toString('base64'))
    }
    expect(f.io.combineCrc('crc64nvme', crcs[0] ?? '', crcs[1] ?? '', b.length)).toBe(crcs[2])
  })
})

describe('setModified', () => {
  it('sets the time of the last write to the nanosecond, before 1970 and after 2038 too', async () => {
    for (const time of [
      { mtimeSec: -5, mtimeNsec: 999_999_999 },
      { mtimeSec: 2 ** 32, mtimeNsec: 1 },
    ]) {
      const chain = f.chain()
      const file = chain.openTmpFile(f.root, { size: 3 })
      chain.writeData(file, [Buffer.from('abc')])
      chain.setModified(file, time)
      const stat = chain.stat(file)
      await chain.run()
      expect(stat.value).toMatchObject(time)
    }
  })
})

describe('verifySize, truncate, sync, startWriteback', () => {
  it('refuses a file that is too short or too long', async () => {
    for (const size of [2, 4]) {
      const chain = f.chain()
      const file = chain.openTmpFile(f.root, { size: 3 })
      chain.writeData(file, [Buffer.from('abc')])
      const step = chain.verifySize(file, size)
      expect(await failureOf(chain.run())).toMatchObject({ errno: EBADMSG, step })
    }
  })

  it('does not trust a size that it knew before a write', async () => {
    const chain = f.chain()
    const file = chain.openTmpFile(f.root, { size: 3 })
    chain.stat(file)
    chain.writeData(file, [Buffer.from('abc')])
    chain.startWriteback(file, 0, 3)
    chain.verifySize(file, 3)
    chain.truncate(file, 1)
    chain.verifySize(file, 1)
    chain.sync(file, 'file')
    await chain.run()
  })

  it('cannot sync a descriptor opened for its path only', async () => {
    const chain = f.chain()
    const step = chain.sync(chain.openDir(f.root, ''), 'dir')
    expect(await failureOf(chain.run())).toMatchObject({ errno: EBADF, step, syscall: 'fsync' })
  })
})
