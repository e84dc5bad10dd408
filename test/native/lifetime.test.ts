import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileSources, runProgram } from './compiled.ts'

let dist = ''
beforeAll(() => {
  dist = compileSources()
})
afterAll(() => rmSync(dist, { recursive: true, force: true }))

describe('a process', () => {
  it.each([
    ['ends by itself with an idle pool', 'idle', 0, ''],
    ['ends by itself when its chains have settled', 'settled', 0, ''],
    ['finishes what it started before it ends', 'finish', 0, 'finished 80'],
    ['closes a busy pool, twice', 'close', 0, 'closed'],
    ['exits while its pool is busy', 'exit', 7, ''],
    ['exits between callbacks', 'loop', 7, ''],
    ['dies of an exception while its pool is busy', 'throw', 1, 'on purpose'],
  ])('%s', (_, how, code, output) => {
    const ended = runProgram('exit.mjs', { dist, args: [how] })
    expect(ended).toMatchObject({ code, signal: null })
    expect(ended.output).toContain(output)
  })

  it('dies of a signal while its pool is busy', () => {
    expect(runProgram('exit.mjs', { dist, args: ['kill'] })).toMatchObject({ signal: 'SIGTERM' })
  })

  it('has pools in many worker threads, which end busy or done', () => {
    expect(runProgram('workers.mjs', { dist })).toMatchObject({ code: 0, signal: null, output: 'done 4\n' })
  })
})

describe('without a usable addon', () => {
  it('says in one line what to do', () => {
    const missing = runProgram('exit.mjs', { dist, addon: '/nowhere/addon.node', args: ['idle'] })
    expect(missing.code).toBe(1)
    expect(missing.output).toContain('the native addon is not built: run "make -C native", which needs a C compiler and make')
    const broken = runProgram('exit.mjs', { dist, addon: join(dist, 'main.js'), args: ['idle'] })
    expect(broken.output).toMatch(/the native addon (does not load|was built from other sources)/)
  })
})

const native = fileURLToPath(new URL('../../native/', import.meta.url))

describe('under ThreadSanitizer', () => {
  const make = spawnSync('make', ['-s', '-C', native, 'races'], { encoding: 'utf8' })
  if (make.status !== 0) {
    it.skip(`races does not build: ${make.stderr}`)
    return
  }

  it('the core without Node has no races', ({ skip }) => {
    const dir = mkdtempSync(join(tmpdir(), 'vgw-races-'))
    const ended = spawnSync(join(native, 'build/races'), [dir, '1000'], { encoding: 'utf8', timeout: 100_000 })
    rmSync(dir, { recursive: true })
    // The sanitizer wants its addresses where some kernels put something else.
    if (ended.stderr.includes('unexpected memory mapping')) skip('ThreadSanitizer does not run on this kernel')
    expect(ended.stderr).toBe('')
    expect(ended).toMatchObject({ status: 0, stdout: 'raced 1000\n' })
  })
})

describe('under AddressSanitizer and UBSan', () => {
  const runtime = (name: string): string => spawnSync('cc', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim()
  const libraries = [runtime('libasan.so'), runtime('libubsan.so')]
  if (!libraries.every((library) => existsSync(library))) {
    it.skip('the compiler has no libasan.so and libubsan.so')
    return
  }

  const addon = join(native, 'build/asan/addon.node')
  const env = { LD_PRELOAD: libraries.join(' '), ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'print_stacktrace=1' }
  beforeAll(() => {
    const make = spawnSync('make', ['-s', '-C', native, 'asan'], { encoding: 'utf8' })
    expect(make.stderr.replaceAll(/.*jobserver.*\n/g, '')).toBe('')
  })

  it.each([
    ['everything at once, with faults', 'stress.mjs', ['4'], 0, 'stressed true'],
    ['an exit while busy', 'exit.mjs', ['exit'], 7, ''],
    ['a close while busy', 'exit.mjs', ['close'], 0, 'closed'],
    ['worker threads', 'workers.mjs', [], 0, 'done 4'],
  ])('%s', (_, program, args, code, output) => {
    const ended = runProgram(program, { dist, addon, args, env })
    expect(ended.output).not.toMatch(/Sanitizer|runtime error/)
    expect(ended).toMatchObject({ code, signal: null })
    expect(ended.output).toContain(output)
  })
})
