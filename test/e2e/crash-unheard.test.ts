import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { bin, scratch } from '../support/gateway.ts'

const CRASHING = fileURLToPath(new URL('../support/crash-on-signal.mjs', import.meta.url))

test('a crash ends the process, though nobody reads its output any more', async () => {
  const dir = mkdtempSync(join(scratch(), 'vgw-data-'))
  const args = ['--import', CRASHING, bin('versitygw-ts'), '--port', '127.0.0.1:0', '--quiet']
  const child = spawn(process.execPath, [...args, 'posix', dir], {
    env: { PATH: process.env['PATH'], ROOT_ACCESS_KEY: 'access', ROOT_SECRET_KEY: 'secret' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  try {
    await once(child.stdout, 'data')
    for (const stream of [child.stdout, child.stderr]) stream.destroy()
    const gone = once(child, 'exit')
    // It may not listen for the signal yet.
    const poke = setInterval(() => child.kill('SIGUSR2'), 200)
    const [code] = (await gone) as [number | null]
    clearInterval(poke)
    expect(code).toBe(1)
  } finally {
    child.kill('SIGKILL')
    rmSync(dir, { recursive: true })
  }
})
