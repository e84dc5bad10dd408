import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Program, bin, freePort, scratch } from '../support/gateway.ts'

let cwd: string
let port: number

beforeEach(async () => {
  cwd = mkdtempSync(join(scratch(), 'vgw-start-'))
  port = await freePort()
})

afterEach(() => {
  rmSync(cwd, { recursive: true })
})

const NO_ROOT = { ROOT_ACCESS_KEY_ID: '', ROOT_SECRET_ACCESS_KEY: '' }

function start(
  argv: readonly string[] = [],
  env: Readonly<Record<string, string>> = NO_ROOT,
): Program {
  return new Program(['--port', `127.0.0.1:${port}`, ...argv], {
    script: bin('start.mjs'),
    cwd,
    env,
  })
}

async function stop(program: Program): Promise<void> {
  program.kill('SIGTERM')
  await program.exit
}

describe('npm start', () => {
  test('makes credentials once, serves ./data with tracing on, says how to reach it', async () => {
    const first = start()
    await first.waitFor(/Ctrl-C/, 60_000)
    await stop(first)
    const [, access, secret] =
      /export AWS_ACCESS_KEY_ID=(VGW\S+) AWS_SECRET_ACCESS_KEY=(\S+)/.exec(first.stdout) ?? []
    expect(first.stdout).toContain(`aws --endpoint-url http://127.0.0.1:${port} s3 mb s3://demo`)
    expect(first.stdout).toMatch(/tracing {5}console \(VGW_OTEL_EXPORTER\)/)
    expect(statSync(join(cwd, 'data')).isDirectory()).toBe(true)
    expect(statSync(join(cwd, '.local/credentials')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(cwd, '.local/credentials'), 'utf8')).toBe(
      `[default]\naws_access_key_id = ${access}\naws_secret_access_key = ${secret}\n`,
    )

    const second = start()
    await second.waitFor(/Ctrl-C/)
    await stop(second)
    expect(second.stdout).toContain(`AWS_ACCESS_KEY_ID=${access} AWS_SECRET_ACCESS_KEY=${secret} `)
  })

  test('credentials of the environment are used, not shown and not kept', async () => {
    const program = start([], {
      ROOT_ACCESS_KEY: 'mine',
      ROOT_SECRET_KEY: 'very-secret',
      ROOT_ACCESS_KEY_ID: '',
      ROOT_SECRET_ACCESS_KEY: '',
    })
    await program.waitFor(/Ctrl-C/)
    await stop(program)
    expect(program.stdout).toContain('AWS_ACCESS_KEY_ID=mine ')
    expect(program.stdout + program.stderr).not.toContain('very-secret')
    expect(statSync(join(cwd, '.local/credentials'), { throwIfNoEntry: false })).toBeUndefined()
  })

  test('traces go where a flag or a variable says', async () => {
    const program = start(['--otel-endpoint', 'http://127.0.0.1:9'])
    await program.waitFor(/Ctrl-C/)
    await stop(program)
    expect(program.stdout).toMatch(
      /tracing {5}otlp \(default\), to http:\/\/127.0.0.1:9 \(--otel-endpoint\)/,
    )
  })

  test('a damaged credentials file is not overwritten', async () => {
    mkdirSync(join(cwd, '.local'))
    writeFileSync(join(cwd, '.local/credentials'), '[default]\n')
    const program = start()
    expect((await program.exit).code).toBe(1)
    expect(program.stderr).toBe('.local/credentials holds no credentials: repair or delete it\n')
  })

  test('a port in use is one clear line', async () => {
    const first = start()
    await first.waitFor(/Ctrl-C/)
    const second = start()
    const { code } = await second.exit
    await stop(first)
    expect(second.stderr).toMatch(
      new RegExp(`^\\S+ \\S+ port ${port} is in use: choose another with --port\\n$`),
    )
    expect({ code, stdout: second.stdout }).toEqual({
      code: 1,
      stdout: 'No IAM service configured, enabling single account mode\n',
    })
  })
})
