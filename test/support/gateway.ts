import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** Programs of this repository. */
export const bin = (name: string): string =>
  fileURLToPath(new URL(`../../bin/${name}`, import.meta.url))

const GATEWAY = bin('versitygw-ts')

const ROOT = {
  ROOT_ACCESS_KEY_ID: 'VGWTESTACCESS',
  ROOT_SECRET_ACCESS_KEY: 'test/secret+0123',
}

export interface ProgramOptions {
  /** bin/versitygw-ts, unless told otherwise. */
  readonly script?: string
  readonly cwd?: string
  /** Beside PATH, HOME and the root credentials there is nothing else in the environment. */
  readonly env?: Readonly<Record<string, string>>
  /** What runs the script: other node options, strace, valgrind … */
  readonly command?: readonly string[]
}

export interface GatewayOptions extends ProgramOptions {
  /** Before and after `posix`. */
  readonly flags?: readonly string[]
  readonly posixFlags?: readonly string[]
  /** Served directory; without it a new one, removed by `stop`. Its file system must hold extended attributes. */
  readonly dir?: string
  /** PEM files; the gateway then speaks TLS. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** Runs the same tests against a gateway of as many workers. */
const WORKERS = process.env['VGW_TEST_WORKERS']

/** The built program as a child process, answering on a port of its own. */
export interface Gateway extends AsyncDisposable {
  readonly endpoint: string
  readonly port: number
  readonly pid: number
  /** The directory it serves. */
  readonly dir: string
  /** Its root account. */
  readonly access: string
  readonly secret: string
  /** What it has written so far. */
  readonly stdout: string
  readonly stderr: string
  /** Resolves with what `text` matched, once standard output or standard error holds it. */
  waitFor(text: RegExp, timeoutMs?: number): Promise<RegExpExecArray>
  /** Ends it with a signal, SIGTERM if not told otherwise; resolves when it is gone. */
  stop(signal?: NodeJS.Signals): Promise<Exit>
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const dir = options.dir ?? (await mkdtemp(join(scratch(), 'vgw-data-')))
  const ownsDir = options.dir === undefined
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const { flags = [], posixFlags = [], tls } = options
    const tlsFlags = tls === undefined ? [] : ['--cert', tls.cert, '--key', tls.key]
    const listen = ['--port', `127.0.0.1:${port}`]
    const argv = [...listen, ...tlsFlags, ...flags, 'posix', ...posixFlags, dir]
    const child = new Program(argv, options)
    if (await child.answersOn(port)) {
      const endpoint = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
      return running(child, { endpoint, port, dir, ownsDir })
    }
    // Between our look and its bind another process may have taken the port.
    if (attempt < 3 && child.stderr.includes('is in use')) continue
    if (ownsDir) await rm(dir, { recursive: true, force: true })
    throw new Error(`the gateway did not start: ${child.stderr}${child.stdout}`)
  }
}

/** Runs the program until it ends by itself: help, version, start-up errors. */
export async function runProgram(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Exit & { readonly stdout: string; readonly stderr: string }> {
  const child = new Program(argv, { env })
  const exit = await child.exitWithin(60_000)
  return { ...exit, stdout: child.stdout, stderr: child.stderr }
}

/** A place for files on a file system with extended attributes; VGW_TEST_DIR where the system's is not one. */
export function scratch(): string {
  return process.env['VGW_TEST_DIR'] ?? tmpdir()
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('not a TCP port')
  return address.port
}

interface Place {
  readonly endpoint: string
  readonly port: number
  readonly dir: string
  readonly ownsDir: boolean
}

function running(child: Program, { ownsDir, ...place }: Place): Gateway {
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> => {
    child.kill(signal)
    const exit = await child.exitWithin(60_000)
    if (ownsDir) await rm(place.dir, { recursive: true, force: true })
    return exit
  }
  return {
    ...place,
    access: child.root.ROOT_ACCESS_KEY_ID,
    secret: child.root.ROOT_SECRET_ACCESS_KEY,
    pid: child.pid,
    get stdout() {
      return child.stdout
    },
    get stderr() {
      return child.stderr
    },
    waitFor: (text, timeoutMs) => child.waitFor(text, timeoutMs),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop()
    },
  }
}

/** A program of bin/ as a child process; it dies with us. */
export class Program {
  stdout = ''
  stderr = ''
  readonly exit: Promise<Exit>
  readonly root: typeof ROOT
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  #ended = false

  constructor(argv: readonly string[], options: ProgramOptions = {}) {
    const [command = process.execPath, ...args] = options.command ?? [process.execPath]
    const { PATH, HOME } = process.env
    this.root = { ...ROOT, ...options.env }
    this.#child = spawn(command, [...args, options.script ?? GATEWAY, ...argv], {
      cwd: options.cwd,
      env: { PATH, HOME, ...(WORKERS === undefined ? {} : { VGW_WORKERS: WORKERS }), ...this.root },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    const killWithUs = (): void => this.kill('SIGKILL')
    process.once('exit', killWithUs)
    this.exit = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', (code, signal) => {
        this.#ended = true
        process.off('exit', killWithUs)
        resolve({ code, signal })
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#ended) this.#child.kill(signal)
  }

  /** False when it ended before it listened. */
  async answersOn(port: number): Promise<boolean> {
    const deadline = Date.now() + 60_000
    while (!this.#ended && Date.now() < deadline) {
      if (await accepts(port)) return !this.#ended
      await sleep(10)
    }
    this.kill('SIGKILL')
    await this.exit
    return false
  }

  async exitWithin(ms: number): Promise<Exit> {
    const timer = setTimeout(() => this.kill('SIGKILL'), ms)
    const exit = await this.exit
    clearTimeout(timer)
    return exit
  }

  async waitFor(text: RegExp, timeoutMs = 60_000): Promise<RegExpExecArray> {
    const deadline = Date.now() + timeoutMs
    while (Date.now() < deadline) {
      const found = text.exec(this.stdout) ?? text.exec(this.stderr)
      if (found !== null) return found
      if (this.#ended) break
      await sleep(10)
    }
    throw new Error(`no ${String(text)} in:\n${this.stdout}${this.stderr}`)
  }
}

/** Whether somebody listens there. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
