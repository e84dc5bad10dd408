import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { accepts, freePort, scratch } from './gateway.ts'
import type { Credentials } from './sigv4.ts'

/** Path of a VersityGW binary; it is not part of this repository, so tests that compare with it may have to be skipped. */
export const versitygw = process.env['VERSITYGW'] || undefined

export interface PeerOptions {
  /** Its root account. */
  readonly credentials?: Credentials
  /** Flags before `posix`; without any it keeps accounts in a directory of its own. */
  readonly flags?: readonly string[]
  /** Flags after `posix`. */
  readonly posixFlags?: readonly string[]
  /** What it serves; a directory of its own unless given. */
  readonly data?: string
}

export interface PeerGateway extends AsyncDisposable {
  readonly endpoint: string
  readonly port: number
  readonly credentials: Credentials
  /** Runs its admin tool against it, as root; resolves to what that prints. */
  admin(...args: readonly string[]): Promise<string>
}

const CREDENTIALS: Credentials = { access: 'VGWTESTACCESS', secret: 'test/secret+0123' }
const run = promisify(execFile)

/** VersityGW, stopped when it is disposed of. */
export async function startVersitygw(options: PeerOptions = {}): Promise<PeerGateway> {
  if (versitygw === undefined) throw new Error('VERSITYGW names no binary')
  const program = versitygw
  const dir = mkdtempSync(join(scratch(), 'vgw-peer-'))
  for (const name of ['data', 'iam']) mkdirSync(join(dir, name))
  const { credentials = CREDENTIALS, flags = ['--iam-dir', join(dir, 'iam')] } = options
  const port = await freePort()
  const listen = ['--port', `127.0.0.1:${port}`, ...flags, '--quiet']
  const { posixFlags = [], data = join(dir, 'data') } = options
  const child = spawn(program, [...listen, 'posix', ...posixFlags, data], {
    env: {
      PATH: process.env['PATH'],
      ROOT_ACCESS_KEY: credentials.access,
      ROOT_SECRET_KEY: credentials.secret,
    },
    stdio: 'ignore',
  })
  const gone = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill()
    await gone
    rmSync(dir, { recursive: true, force: true })
  }
  for (let tries = 0; !(await accepts(port)); tries++) {
    if (tries === 500 || child.exitCode !== null) {
      await stop()
      throw new Error('VersityGW did not start')
    }
    await sleep(10)
  }
  const endpoint = `http://127.0.0.1:${port}`
  const root = ['--access', credentials.access, '--secret', credentials.secret]
  return {
    endpoint,
    port,
    credentials,
    async admin(...args) {
      const { stdout } = await run(program, ['admin', ...root, '--endpoint-url', endpoint, ...args])
      return stdout
    },
    [Symbol.asyncDispose]: stop,
  }
}
