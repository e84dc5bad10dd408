import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Program } from './gateway.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A directory with our package installed in it, as `npm pack` makes it, for programs that import it by its name. */
export interface InstalledPackage {
  readonly dir: string
  write(name: string, text: string): string
  /** Starts a module of the directory, with the root credentials in its environment. */
  start(name: string, args: readonly string[]): Program
  /** Runs a module of the directory. */
  run(name: string, options?: RunOptions): Promise<Finished>
  remove(): void
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export function installPackage(): InstalledPackage {
  const dir = mkdtempSync(join(tmpdir(), 'vgw-package-'))
  const modules = join(dir, 'node_modules')
  const ours = join(modules, 'versitygw-ts')
  mkdirSync(ours, { recursive: true })
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', dir], {
    cwd: ROOT,
    encoding: 'utf8',
  }).trim()
  execFileSync('tar', ['-xzf', join(dir, packed), '-C', ours, '--strip-components=1'])
  // What npm would install beside it.
  for (const name of readdirSync(join(ROOT, 'node_modules')))
    if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
  return {
    dir,
    write(name, text) {
      writeFileSync(join(dir, name), text)
      return join(dir, name)
    },
    start: (name, args) => new Program(args, { script: join(dir, name), cwd: dir }),
    async run(name, { env = {}, args = [] } = {}) {
      const { PATH = '', HOME = '' } = process.env
      const child = spawn(process.execPath, [join(dir, name), ...args], {
        cwd: dir,
        env: { PATH, HOME, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const finished = { code: null as number | null, stdout: '', stderr: '' }
      child.stdout.setEncoding('utf8').on('data', (text: string) => (finished.stdout += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (finished.stderr += text))
      const timer = setTimeout(() => child.kill('SIGKILL'), 25_000)
      const [code] = await once(child, 'close')
      clearTimeout(timer)
      return { ...finished, code: typeof code === 'number' ? code : null }
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}
