import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
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

describe('bulk work', { retry: 2 }, () => {
  it('leaves threads to metadata', async () => {
    mkdirSync(f.path('d'))
    writeFileSync(f.path('d/file'), Buffer.alloc(16 * 1024 * 1024))
    const bulk = Array.from({ length: 32 }, () => {
      const chain = f.chain({ bulk: true })
      const from = chain.openFile(f.root, 'd/file')
      const to = chain.openTmpFile(f.root, { size: 0 })
      chain.copyRange(from, 0, to, 0, 16 * 1024 * 1024, { methods: ['read_write'] })
      return chain.run()
    })
    const waits: number[] = []
    for (let i = 0; i < 20; i++) {
      const chain = f.chain()
      const step = chain.statAt(f.root, 'd/file')
      await chain.run()
      waits.push(chain.times(step).queueNs / 1e6)
    }
    // Six of the eight threads, and one that has only just ended a chain of ours.
    const { running } = f.io.stats()
    await Promise.all(bulk)
    expect(running).toBeLessThanOrEqual(7)
    expect(waits.sort((a, b) => a - b)[10]).toBeLessThan(20)
  })
})

describe('a disk that stalls', { retry: 2 }, () => {
  it('holds up only those that wait for it', async () => {
    writeFileSync(f.path('file'), 'x')
    f.io.faults.set({ call: 'pread', delayMs: 200, times: 4 })
    const reads = Array.from({ length: 4 }, () => {
      const chain = f.chain()
      chain.readWhole(chain.openFile(f.root, 'file'), { wholeIfAtMost: 10 })
      return chain.run()
    })
    const waits: number[] = []
    for (let i = 0; i < 30; i++) {
      const chains = Array.from({ length: 8 }, () => f.chain())
      const steps = chains.map((chain) => chain.statAt(f.root, 'file'))
      await Promise.all(chains.map((chain) => chain.run()))
      waits.push(...steps.map((step, at) => (chains[at]?.times(step).queueNs ?? 0) / 1e6))
    }
    await Promise.all(reads)
    expect(waits.sort((a, b) => a - b)[Math.floor(waits.length * 0.95)]).toBeLessThan(50)
  })

  it('is passed by the watcher when a job blocks just after others were queued', async () => {
    writeFileSync(f.path('file'), 'x')
    const waits: number[] = []
    for (let i = 0; i < 10; i++) {
      f.io.faults.set({ call: 'pread', delayMs: 100, times: 1 })
      const slow = f.chain()
      slow.readWhole(slow.openFile(f.root, 'file'), { wholeIfAtMost: 10 })
      const quick = Array.from({ length: 5 }, () => f.chain())
      const steps = quick.map((chain) => chain.statAt(f.root, 'file'))
      const running = slow.run()
      await Promise.all(quick.map((chain) => chain.run()))
      waits.push(...steps.map((step, at) => (quick[at]?.times(step).queueNs ?? 0) / 1e6))
      await running
    }
    expect(waits.sort((a, b) => a - b)[Math.floor(waits.length * 0.8)]).toBeLessThan(50)
  })

  it('holds back no completion, however many threads are busy and jobs queued', async () => {
    writeFileSync(narrow.path('file'), 'x')
    narrow.io.faults.set({ call: 'pread', delayMs: 60 })
    const late: number[] = []
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const chain = narrow.chain({ bulk: i % 4 === 3 })
        const step = chain.readWhole(chain.openFile(narrow.root, 'file'), { wholeIfAtMost: 10 })
        await chain.run()
        late.push((nowNs() - chain.times(step).endNs) / 1e6)
      }),
    )
    expect(Math.max(...late)).toBeLessThan(40)
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
