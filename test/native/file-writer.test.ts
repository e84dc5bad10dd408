import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createFileWriter, type FileWriter } from '../../src/io/file-writer.ts'
import type { HashKind } from '../../src/io/io.ts'
import { readSyscalls } from '../../src/io/syscalls.ts'
import { closeFd, failureOf, useIo } from './fixture.ts'

const { ENOSPC } = constants.errno

const f = useIo()

async function newFile(): Promise<number> {
  const chain = f.chain({ record: false })
  const file = chain.openFile(f.root, 'file', { create: 0o644, keep: true })
  await chain.run()
  return file.value
}

/** Writes as a source does that pauses when asked to. */
async function feed(writer: FileWriter, chunks: Iterable<Buffer>): Promise<void> {
  for (const chunk of chunks) {
    if (writer.write(chunk)) continue
    await new Promise<void>((resolve) => {
      writer.onDrain = resolve
    })
  }
}

describe('createFileWriter', () => {
  it.each([0, 1, 65_535, 1_000_000, 10_000_000])('writes and hashes %i bytes', async (size) => {
    const content = randomBytes(size)
    const file = await newFile()
    const hasher = f.io.hasher(['md5', 'sha256'])
    const writer = createFileWriter(f.io, { span: f.span, file, hasher })
    const chunks = Array.from({ length: Math.ceil(size / 65_536) }, (_, i) => content.subarray(i * 65_536, (i + 1) * 65_536))
    await feed(writer, chunks)
    expect(await writer.finish()).toBe(size)
    const chain = f.chain()
    const md5 = chain.verifyDigest(hasher, 'md5', createHash('md5').update(content).digest())
    chain.verifyDigest(hasher, 'sha256', createHash('sha256').update(content).digest())
    chain.verifySize(file, size)
    await chain.run()
    expect(md5.errno).toBe(0)
    expect(readFileSync(f.path('file')).equals(content)).toBe(true)
    hasher.free()
    await closeFd(f.io, file)
  })

  it('frees what is released, once it is written, where nobody else has a part of it', async () => {
    const content = randomBytes(1_000_000)
    const copies = Array.from({ length: 10 }, (_, i) => {
      const copy = Buffer.allocUnsafeSlow(100_000)
      content.copy(copy, 0, i * 100_000)
      return copy
    })
    const file = await newFile()
    const hasher = f.io.hasher(['md5'])
    const writer = createFileWriter(f.io, { span: f.span, file, hasher, pieceBytes: 300_000 })
    const shared = Buffer.concat([content, content])
    for (const copy of copies) {
      await feed(writer, [copy.subarray(0, 60_000), copy.subarray(60_000)])
      writer.release(copy)
    }
    await feed(writer, [shared.subarray(0, content.length)])
    writer.release(shared.subarray(0, content.length))
    await writer.finish()
    expect(copies.slice(0, 9).map((copy) => copy.length)).toEqual(Array(9).fill(0))
    expect(shared.length).toBe(2_000_000)
    const chain = f.chain()
    const twice = Buffer.concat([content, content])
    chain.verifyDigest(hasher, 'md5', createHash('md5').update(twice).digest())
    await chain.run()
    expect(readFileSync(f.path('file')).equals(twice)).toBe(true)
    hasher.free()
    await closeFd(f.io, file)
  })

  it('hashes many bodies at the same time, each by itself', async () => {
    const kinds: (readonly HashKind[])[] = [['md5'], ['md5', 'crc64nvme'], ['md5', 'sha256'], ['crc32c']]
    const bodies = Array.from({ length: 14 }, (_, i) => randomBytes(200_000 + i * 77_777))
    await Promise.all(
      bodies.map(async (content, i) => {
        const open = f.chain({ record: false })
        const file = open.openTmpFile(f.root, { size: content.length, keep: true })
        await open.run()
        const hasher = f.io.hasher(kinds[i % kinds.length] ?? [])
        const writer = createFileWriter(f.io, { span: f.span, file: file.value, hasher, pieceBytes: 65_536 + i * 10_000 })
        for (let at = 0; at < content.length; at += 30_011) await feed(writer, [content.subarray(at, at + 30_011)])
        await writer.finish()
        const chain = f.chain({ record: false })
        for (const kind of hasher.kinds) {
          if (kind === 'md5' || kind === 'sha256') {
            chain.verifyDigest(hasher, kind, createHash(kind).update(content).digest())
          } else {
            const alone = f.chain({ record: false })
            alone.hash([content], 'job', [kind])
            const whole = alone.digest('job', kind)
            await alone.run()
            chain.verifyDigest(hasher, kind, whole.value)
          }
        }
        chain.close(file.value)
        await chain.run()
        hasher.free()
      }),
    )
  })

  it('is one span for the whole body', async () => {
    const file = await newFile()
    const writer = createFileWriter(f.io, {
      span: f.span,
      file,
      pieceBytes: 65_536,
      startWriteback: true,
      attributes: { 'posix.part_number': 3 },
    })
    await feed(writer, [Buffer.alloc(65_536)])
    // Longer than the first piece takes to be written: the client is waited for only then.
    await sleep(500)
    await feed(
      writer,
      Array.from({ length: 20 }, () => Buffer.alloc(65_536)),
    )
    await writer.finish()
    const spans = f.span.recorder.spans.slice(1)
    expect(spans.map((span) => span.name)).toEqual(['Posix.IO.WriteData'])
    const facts = spans[0]?.attributes ?? {}
    expect(facts).toMatchObject({ 'posix.bytes_written': 21 * 65_536, 'posix.part_number': 3 })
    expect(facts['posix.client_wait_ms']).toBeGreaterThan(20)
    expect(Number(facts['posix.duration_ms'])).toBeGreaterThan(Number(facts['posix.client_wait_ms']))
    const calls = [...readSyscalls(spans[0]?.syscalls ?? new Float64Array())]
    expect(calls.filter((call) => call.name === 'pwritev').map((call) => call.offset)).toEqual(
      Array.from({ length: 21 }, (_, i) => i * 65_536),
    )
    await closeFd(f.io, file)
  })

  it('asks the source to pause, and holds no more than it said', async () => {
    const file = await newFile()
    const writer = createFileWriter(f.io, { span: f.span, file, pieceBytes: 100_000, maxPending: 2 })
    let taken = 0
    while (writer.write(Buffer.alloc(50_000))) taken++
    expect(taken).toBeLessThanOrEqual(4)
    await new Promise<void>((resolve) => {
      writer.onDrain = resolve
    })
    expect(await writer.finish()).toBe((taken + 1) * 50_000)
    await closeFd(f.io, file)
  })

  it('begins where it is told to', async () => {
    const file = await newFile()
    const writer = createFileWriter(f.io, { span: f.span, file, offset: 3 })
    writer.write(Buffer.from('abc'))
    await writer.finish()
    expect(readFileSync(f.path('file'), 'latin1')).toBe('\0\0\0abc')
    await closeFd(f.io, file)
  })

  it('stops at the first failure and says so to whoever writes on', async () => {
    const file = await newFile()
    f.io.faults.set({ call: 'pwritev', errno: ENOSPC, after: 1 })
    const writer = createFileWriter(f.io, { span: f.span, file, pieceBytes: 65_536 })
    const error = await failureOf(feed(writer, Array.from({ length: 50 }, () => Buffer.alloc(65_536))))
    expect(error).toMatchObject({ errno: ENOSPC, syscall: 'pwritev' })
    expect(await failureOf(writer.finish())).toBe(error)
    const span = f.span.recorder.spans[1]
    expect(span?.failure?.type).toBe('ENOSPC')
    expect(span?.attributes).toMatchObject({ 'error.type': 'ENOSPC', 'posix.bytes_written': 65_536 })
    await closeFd(f.io, file)
  })

  it('lets the source go on when the failure comes while it pauses', async () => {
    const file = await newFile()
    f.io.faults.set({ call: 'pwritev', errno: ENOSPC })
    const writer = createFileWriter(f.io, { span: f.span, file, pieceBytes: 65_536, maxPending: 1 })
    expect(writer.write(Buffer.alloc(65_536))).toBe(false)
    await new Promise<void>((resolve) => {
      writer.onDrain = resolve
    })
    expect(() => writer.write(Buffer.alloc(1))).toThrow('ENOSPC')
    await failureOf(writer.finish())
    await closeFd(f.io, file)
  })

  it('has waited for what never came when it is aborted', async () => {
    const file = await newFile()
    const writer = createFileWriter(f.io, { span: f.span, file, pieceBytes: 65_536, maxPending: 1 })
    await feed(writer, [Buffer.alloc(65_536)])
    await sleep(50)
    await writer.abort()
    const facts = f.span.recorder.spans[1]?.attributes ?? {}
    // A timer may be a little early.
    expect(facts['posix.client_wait_ms']).toBeGreaterThan(45)
    expect(Number(facts['posix.duration_ms'])).toBeGreaterThan(Number(facts['posix.client_wait_ms']))
    await closeFd(f.io, file)
  })

  it('abandons what is not being written when it is aborted', async () => {
    const file = await newFile()
    const writer = createFileWriter(f.io, { span: f.span, file, pieceBytes: 65_536, maxPending: 4 })
    for (let i = 0; i < 3; i++) writer.write(Buffer.alloc(65_536))
    await writer.abort()
    expect(readFileSync(f.path('file')).length).toBe(65_536)
    expect(() => writer.write(Buffer.alloc(1))).toThrow()
    await closeFd(f.io, file)
  })
})
