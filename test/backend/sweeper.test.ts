import {
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Sweeper } from '../../src/backend/posix/sweeper.ts'
import { makeBucket, newCall, openBackend, put, read, type TestBackend } from './support.ts'

const DAY_MS = 24 * 3_600_000
const SHA = 'a'.repeat(64)

/** Contract 2.4: what a killed process may leave in `.sgwtmp`. */
const LITTER = [`tmp.${'0'.repeat(24)}`, '0123456789abcdef0123456789abcdef', `${SHA}.1234567890`]

/** What is no such name, or lies elsewhere. */
const OTHERS = [
  'notes.txt',
  `tmp.${'0'.repeat(23)}`,
  `${SHA}.`,
  'locks/00',
  `multipart/${SHA}/id/1`,
]

describe('temporary files that a killed process left', () => {
  let t: TestBackend
  const tmp = (...names: string[]): string => join(t.root, 'bucket', '.sgwtmp', ...names)

  beforeEach(async () => {
    t = await openBackend({ sweepTimes: { ageMs: DAY_MS, visitMs: 50, tickMs: 10 } })
    await makeBucket(t.backend)
  })
  afterEach(() => t.close())

  function make(name: string, ageMs: number): void {
    mkdirSync(join(tmp(name), '..'), { recursive: true })
    writeFileSync(tmp(name), 'x')
    const at = (Date.now() - ageMs) / 1000
    utimesSync(tmp(name), at, at)
  }

  test('are removed once they are a day old, where this process writes; nothing else is', async () => {
    for (const name of [...LITTER, ...OTHERS]) make(name, DAY_MS + 60_000)
    const fresh = [`tmp.${'f'.repeat(24)}`, 'f'.repeat(32), `${SHA}.9`]
    for (const name of fresh) make(name, DAY_MS - 60_000)
    const odd = `tmp.${'e'.repeat(24)}`
    mkdirSync(tmp(odd))
    symlinkSync('/etc/hostname', tmp('e'.repeat(32)))
    await sleep(100)
    expect(existsSync(tmp(LITTER[0] ?? ''))).toBe(true)
    await put(t.backend, { bucket: 'bucket', key: 'k' }, 'content')
    await expect.poll(() => LITTER.some((name) => existsSync(tmp(name)))).toBe(false)
    await sleep(200)
    expect([...OTHERS, ...fresh].filter((name) => !existsSync(tmp(name)))).toEqual([])
    expect(readdirSync(tmp())).toEqual(expect.arrayContaining([odd, 'e'.repeat(32)]))
    expect((await read(t, { bucket: 'bucket', key: 'k' })).bytes.toString()).toBe('content')

    // Visited again and again: what was fresh then is old some time.
    make(fresh[0] ?? '', DAY_MS + 60_000)
    await expect.poll(() => existsSync(tmp(fresh[0] ?? ''))).toBe(false)
  })

  test('directories of buckets that were never finished go as well', async () => {
    const unfinished = (c: string): string => join(t.root, `.sgwtmp.${c.repeat(24)}`)
    for (const [c, days] of [
      ['0', 2],
      ['1', 2],
      ['2', 0],
    ] as const) {
      mkdirSync(unfinished(c))
      if (c === '1') writeFileSync(join(unfinished(c), 'precious'), 'x')
      const at = (Date.now() - days * DAY_MS) / 1000
      utimesSync(unfinished(c), at, at)
    }
    const hidden = await t.backend.listBuckets(newCall())
    expect(hidden.map(({ name }) => name)).toEqual(['bucket'])
    await expect.poll(() => existsSync(unfinished('0'))).toBe(false)
    await sleep(100)
    expect([existsSync(unfinished('1')), existsSync(unfinished('2'))]).toEqual([true, true])
  })

  test('are removed however many they are', async () => {
    const names = Array.from({ length: 600 }, (_, i) => `tmp.${String(i).padStart(24, '0')}`)
    for (const name of names) make(name, 2 * DAY_MS)
    await put(t.backend, { bucket: 'bucket', key: 'k' }, 'content')
    await expect.poll(() => readdirSync(tmp())).toEqual([])
  })

  test('a bucket that is gone, and .sgwtmp that is none, disturb nobody', async () => {
    await makeBucket(t.backend, 'gone')
    await put(t.backend, { bucket: 'gone', key: 'k' }, 'x')
    rmSync(join(t.root, 'gone'), { recursive: true })
    await makeBucket(t.backend, 'odd')
    await put(t.backend, { bucket: 'odd', key: 'k' }, 'x')
    rmSync(join(t.root, 'odd/.sgwtmp'), { recursive: true })
    symlinkSync(tmp(), join(t.root, 'odd/.sgwtmp'))
    make(LITTER[0] ?? '', 2 * DAY_MS)
    await put(t.backend, { bucket: 'bucket', key: 'k' }, 'content')
    await expect.poll(() => existsSync(tmp(LITTER[0] ?? ''))).toBe(false)
  })
})

describe('the sweeper', () => {
  test('visits one place at a time, each when it is due, and stops when it is closed', async () => {
    let running = 0
    let most = 0
    const visits: string[] = []
    const sweeper = new Sweeper(
      async (bucket, directory) => {
        most = Math.max(most, ++running)
        visits.push(`${bucket}/${directory}`)
        await sleep(5)
        running--
        throw new Error('not now')
      },
      { ageMs: 1, visitMs: 100, tickMs: 1 },
    )
    for (const bucket of ['a', 'b', 'a', 'c']) sweeper.note(bucket, '.sgwtmp')
    sweeper.note('a', 'dir/.sgwtmp')
    await expect.poll(() => visits.length).toBeGreaterThanOrEqual(4)
    expect(visits.slice(0, 4)).toEqual(['a/.sgwtmp', 'b/.sgwtmp', 'c/.sgwtmp', 'a/dir/.sgwtmp'])
    await expect.poll(() => visits.length).toBeGreaterThanOrEqual(8)
    await sweeper.close()
    const { length } = visits
    await sleep(150)
    expect([visits.length, most]).toEqual([length, 1])
  })

  test('remembers a bounded number of places', async () => {
    let visits = 0
    const sweeper = new Sweeper(() => Promise.resolve(visits++), {
      ageMs: 1,
      visitMs: 100_000,
      tickMs: 1,
    })
    for (let i = 0; i < 12_000; i++) sweeper.note(`bucket-${i}`, '.sgwtmp')
    await expect.poll(() => visits).toBe(10_000)
    await sweeper.close()
  })
})
