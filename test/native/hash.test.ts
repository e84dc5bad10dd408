import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const native = fileURLToPath(new URL('../../native', import.meta.url))
const here = fileURLToPath(new URL('.', import.meta.url))
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined']
const SOURCES = /^(?:crc|hash|md5|sha|xxh).*\.c$/

/** Every length up to 5,000 bytes, every level of kernels, any cut, alone and among others: hash-test.c. */
test('every digest is right at every level of kernels, under the sanitizers', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vgw-hash-'))
  try {
    const program = join(dir, 'hash-test')
    const sources = readdirSync(native).filter(
      (name) => SOURCES.test(name) && name !== 'hash-group.c',
    )
    const compile = (flags: readonly string[]) =>
      spawnSync(
        process.env['CC'] ?? 'cc',
        [
          ...['-std=c11', '-D_GNU_SOURCE', '-O1', '-g', '-pthread', ...flags, '-I', native],
          ...['-o', program, join(here, 'hash-test.c'), join(here, 'hash-bench.c')],
          ...sources.map((name) => join(native, name)),
        ],
        { encoding: 'utf8' },
      )
    // A compiler without the sanitizers' libraries still shows that the digests are right.
    const compiled = compile(SANITIZERS).status === 0 ? undefined : compile([])
    expect(compiled?.stderr ?? '').toBe('')
    const ended = spawnSync(program, { encoding: 'utf8' })
    expect([ended.status, ended.stderr]).toEqual([0, ''])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
