import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, it, vi } from 'vitest'
import { createIo } from '../../src/io/native.ts'
import { nowNs } from '../../src/trace/clock.ts'
import { Recorder } from '../../src/trace/recorder.ts'
import { failureOf, openFiles, useIo } from './fixture.ts'

const { ECANCELED, ENOENT, EIO } = constants.errno

const f = useIo()
const small = useIo({ threads: 1, slots: 2 })
const narrow = useIo({ threads: 3 })

describe('a chain longer than a slot', () => {
  it('runs as one', async () => {
    const chain = f.chain()
    const dir = chain.makeParents(f.root, 'd', { mode: 0o755, sync: false })
    const files = Array.from({ length: 100 }, (_, i) => {
      const file = chain.openFile(dir, `file-${i}`, { create: 0o644 })
      chain.writeData(file, [Buffer.from(`content ${i}`)], { hasher: 'job', kinds: ['md5'] })
      return file
    })
    const stats = files.map((file) => chain.stat(file))
    const digest = chain.digest('job', 'md5')
    await chain.run()
    expect(stats.map((stat) => stat.value.size)).toEqual(files.map((_, i) => `content ${i}`.length))
    expect(digest.value).toHaveLength(16)
    expect(readdirSync(f.path('d'))).toHaveLength(100)
  })

  it.each([5, 31, 32, 33, 64, 95])('closes and removes everything when step %i fails', async (at) => {
    const chain = f.chain()
    for (let i = 0; i < 96; i++) {
      if (i === at) chain.statAt(f.root, 'missing')
      else if (i % 2 === 0) chain.openDir(f.root, '', { keep: true })
      else chain.openTmpFile(f.root, { name: `tmp-${i}`, size: 0 })
    }
    expect(await failureOf(chain.run())).toMatchObject({ errno: ENOENT })
    expect(readdirSync(f.dir)).toEqual([])
  })

  it('skips steps whose descriptor an earlier job did not open', async () => {
    const chain = f.chain()
    const missing = chain.openFile(f.root, 'missing', { tolerate: [ENOENT] })
    for (let i = 0; i < 40; i++) chain.statAt(f.root, '')
    const skipped = chain.stat(missing)
    const copy = chain.copyRange(f.root, 0, missing, 0, 1, { methods: ['read_write'] })
    const last = chain.statAt(f.root, '')
    await chain.run()
    expect([skipped.ran, copy.ran, last.ran]).toEqual([false, false, true])
  })

  it('is split where its texts are long, and a text longer than a slot goes beside it', async () => {
    const chain = f.chain()
    const path = Array.from({ length: 16 }, (_, i) => `${String.fromCharCode(97 + i).repeat(240)}`).join('/')
    const made = chain.makeParents(f.root, path, { mode: 0o755, sync: false })
    const steps = Array.from({ length: 10 }, () => chain.statAt(f.root, path))
    const batch = chain.statBatch(
      f.root,
      Array.from({ length: 50 }, () => path),
      [],
    )
    await chain.run()
    expect(made.ran).toBe(true)
    expect(new Set(steps.map((step) => step.value.ino)).size).toBe(1)
    expect(batch.value).toHaveLength(50)
  })

  it('rejects a NUL in a late job after the early ones ran, and closes what those opened', async () => {
    const chain = f.chain()
    for (let i = 0; i < 40; i++) chain.openDir(f.root, '')
    chain.openFile(f.root, 'a\0b')
    expect(await failureOf(chain.run())).toMatchObject({ errno: constants.errno.EINVAL })
  })
})

describe('more chains than slots', () => {
  it('wait for their turn', async () => {
    const chains = Array.from({ length: 500 }, (_, i) => {
      const chain = small.chain({ bulk: i % 3 === 0 })
      const file = chain.openFile(small.root, `file-${i}`, { create: 0o644 })
      chain.writeData(file, [Buffer.from(String(i))])
      return chain.run()
    })
    expect(small.io.stats().queued).toBeGreaterThan(400)
    await Promise.all(chains)
    expect(readdirSync(small.dir)).toHaveLength(500)
    expect(readFileSync(small.path('file-499'), 'utf8')).toBe('499')
    expect(small.io.stats()).toMatchObject({ threads: 1, queued: 0 })
  })

  it('show their wait in queue_ms', async () => {
    const chains = Array.from({ length: 50 }, () => {
      const chain = small.chain()
      const step = chain.statAt(small.root, '')
      return { chain, step, run: chain.run() }
    })
    await Promise.all(chains.map(({ run }) => run))
    const waits = chains.map(({ chain, step }) => chain.times(step).queueNs)
    expect(waits.every((ns) => ns > 0)).toBe(true)
    // The wait for a slot counts: the last began to wait before the first chain had ended.
    expect((waits[49] ?? 0) / 1e3).toBeGreaterThan(10)
  })

  it('end with ECANCELED when the pool closes', async () => {
    const io = createIo({ threads: 2, slots: 4 })
    const { root } = new Recorder(false, undefined)
    const before = openFiles()
    const runs = Array.from({ length: 100 }, () => {
      const chain = io.chain(root)
      for (let i = 0; i < 40; i++) chain.openDir(f.root, '', { keep: true })
      return chain.run().then(
        () => 0,
        (error: unknown) => (error as { errno: number }).errno,
      )
    })
    await io.close()
    const errnos = new Set(await Promise.all(runs))
    expect(errnos).toEqual(new Set([ECANCELED]))
    expect(openFiles()).toEqual(before)
    const late = io.chain(root)
    late.stat(0)
    expect(await failureOf(late.run())).toMatchObject({ errno: ECANCELED })
    await io.close()
  })
})

/** ms: a call that takes as long is overtaken by all that need not wait for it, however busy the machine. */
const STALL_MS = 2000

describe('bulk work', () => {
  it('leaves threads to metadata', async () => {
    mkdirSync(f.path('d'))
    writeFileSync(f.path('d/file'), 'x')
    f.io.faults.set({ call: 'pread', delayMs: STALL_MS })
    let ended = 0
    const bulk = Array.from({ length: 8 }, async () => {
      const chain = f.chain({ bulk: true })
      const from = chain.openFile(f.root, 'd/file')
      const to = chain.openTmpFile(f.root, { size: 0 })
      chain.copyRange(from, 0, to, 0, 1, { methods: ['read_write'] })
      await chain.run()
      ended++
    })
    for (let i = 0; i < 20; i++) {
      const chain = f.chain()
      chain.statAt(f.root, 'd/file')
      await chain.run()
    }
    // Six of the eight threads, once those that ended the chains above have counted themselves out.
    await vi.waitUntil(
      () => {
        const { running, queued } = f.io.stats()
        return running === 6 && queued === 2
      },
      { timeout: STALL_MS, interval: 1 },
    )
    expect(ended).toBe(0)
    await Promise.all(bulk)
  })
})

describe('a disk that stalls', () => {
  const readFile = async (): Promise<void> => {
    const chain = f.chain()
    chain.readWhole(chain.openFile(f.root, 'file'), { wholeIfAtMost: 10 })
    await chain.run()
  }

  const statFile = async (): Promise<void> => {
    const chain = f.chain()
    chain.statAt(f.root, 'file')
    await chain.run()
  }

  it('holds up only those that wait for it', async () => {
    writeFileSync(f.path('file'), 'x')
    f.io.faults.set({ call: 'pread', delayMs: STALL_MS, times: 4 })
    let ended = 0
    const reads = Array.from({ length: 4 }, () => readFile().then(() => ended++))
    let rounds = 0
    for (; rounds < 30 && ended === 0; rounds++) await Promise.all(Array.from({ length: 8 }, statFile))
    // Had the first round waited for a read, there would be no second one. A busy machine may not get to all thirty.
    expect(rounds).toBeGreaterThan(3)
    await Promise.all(reads)
  })

  it('is passed by the watcher when a job blocks just after others were queued', async () => {
    writeFileSync(f.path('file'), 'x')
    for (let i = 0; i < 3; i++) {
      f.io.faults.set({ call: 'pread', delayMs: STALL_MS, times: 1 })
      let ended = 0
      const slow = readFile().then(() => ended++)
      await Promise.all(Array.from({ length: 5 }, statFile))
      expect(ended).toBe(0)
      await slow
    }
  })

  it('holds back no completion, however many threads are busy and jobs queued', async () => {
    writeFileSync(narrow.path('file'), 'x')
    narrow.io.faults.set({ call: 'pread', delayMs: STALL_MS })
    const late = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const chain = narrow.chain({ bulk: i % 4 === 3 })
        const step = chain.readWhole(chain.openFile(narrow.root, 'file'), { wholeIfAtMost: 10 })
        await chain.run()
        return (nowNs() - chain.times(step).endNs) / 1e6
      }),
    )
    // One that is held back is so until another job ends.
    expect(Math.max(...late)).toBeLessThan(STALL_MS / 2)
  })

  it('shows in the span that waited', async () => {
    writeFileSync(f.path('file'), 'x')
    f.io.faults.set({ call: 'pread', delayMs: 50 })
    const chain = f.chain()
    chain.readWhole(chain.openFile(f.root, 'file'), { wholeIfAtMost: 10 })
    await chain.run()
    const read = f.span.recorder.spans.find((span) => span.name === 'Posix.IO.ReadData')
    expect(((read?.endNs ?? 0) - (read?.startNs ?? 0)) / 1e6).toBeGreaterThan(49)
  })
})

it('runs a chain once, and an empty one at once', async () => {
  const chain = f.chain()
  chain.stat(f.root)
  const running = chain.run()
  expect(() => chain.run()).toThrow('once')
  await running
  await f.chain().run()
})

it('keeps the pieces of a running chain', async () => {
  const chain = f.chain()
  const file = chain.openFile(f.root, 'file', { create: 0o644 })
  chain.writeData(
    file,
    Array.from({ length: 50 }, (_, i) => Buffer.alloc(10_000, i)),
  )
  const running = chain.run()
  for (let i = 0; i < 20; i++) Buffer.alloc(10_000_000, 0xff)
  await running
  const content = readFileSync(f.path('file'))
  expect(content.every((byte, i) => byte === Math.floor(i / 10_000))).toBe(true)
})

it('reports a fault as what it is', async () => {
  f.io.faults.set({ step: 1, errno: EIO })
  const chain = f.chain()
  chain.stat(f.root)
  const second = chain.stat(f.root)
  expect(await failureOf(chain.run())).toMatchObject({ errno: EIO, step: second })
})
