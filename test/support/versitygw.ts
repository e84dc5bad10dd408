import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, scratch } from './gateway.ts'
import type { Credentials } from './sigv4.ts'

/** Path of a VersityGW binary; it is not part of this repository, so tests that compare with it may have to be skipped. */
export const versitygw = process.env['VERSITYGW']

export interface PeerGateway extends AsyncDisposable {
  readonly endpoint: string
  readonly credentials: Credentials
}

/** VersityGW with accounts of its own, over a directory of its own. */
export async function startVersitygw(): Promise<PeerGateway> {
  if (versitygw === undefined) throw new Error('VERSITYGW names no binary')
  const dir = mkdtempSync(join(scratch(), 'vgw-peer-'))
  for (const name of ['data', 'iam']) mkdirSync(join(dir, name))
  const credentials = { access: 'VGWTESTACCESS', secret: 'test/secret+0123' }
  const port = await freePort()
  const child = spawn(
    versitygw,
    [
      '--port',
      `127.0.0.1:${port}`,
      '--iam-dir',
      join(dir, 'iam'),
      '-q',
      'posix',
      join(dir, 'data'),
    ],
    {
      env: { ROOT_ACCESS_KEY: credentials.access, ROOT_SECRET_KEY: credentials.secret },
      stdio: 'ignore',
    },
  )
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
  return { endpoint: `http://127.0.0.1:${port}`, credentials, [Symbol.asyncDispose]: stop }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
