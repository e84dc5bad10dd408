import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Compiles the sources as they are now, for programs that run in a process of their own; gives back the directory. */
export function compileSources(): string {
  const dir = mkdtempSync(join(tmpdir(), 'vgw-dist-'))
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  // Errors of types elsewhere are not what these tests are about.
  spawnSync(process.execPath, [tsc, '-p', ROOT, '--outDir', dir, '--noEmitOnError', 'false'])
  return dir
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

/** Runs a program of this directory to its end. */
export function runProgram(name: string, options: { dist: string; addon?: string; args?: string[]; env?: NodeJS.ProcessEnv }): Ended {
  const program = fileURLToPath(new URL(`programs/${name}`, import.meta.url))
  const addon = options.addon ?? join(ROOT, 'native/build/addon.node')
  const ended = spawnSync(process.execPath, [program, options.dist, addon, ...(options.args ?? [])], {
    env: { ...process.env, ...options.env },
    encoding: 'utf8',
    timeout: 120_000,
  })
  return { code: ended.status, signal: ended.signal, output: ended.stdout + ended.stderr }
}
