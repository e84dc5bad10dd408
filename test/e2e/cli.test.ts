import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort, runProgram, scratch, startGateway } from '../support/gateway.ts'

/** As Go's log package writes it. */
const FATAL = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d (.*)\n$/

let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(scratch(), 'vgw-cli-'))
})

afterAll(() => {
  rmSync(directory, { recursive: true })
})

describe('a start-up error is one line on standard error and exit code 1', () => {
  test.each([
    ['unknown flag', ['--bogus', 'posix', '/tmp'], {}, 'unknown flag --bogus'],
    ['feature not built yet', ['--webui', ':1', 'posix', '/tmp'], {}, '--webui: not available yet'],
    [
      'the same by variable',
      ['posix', '/tmp'],
      { VGW_WEBUI_NO_TLS: 'true' },
      '--webui-no-tls (from VGW_WEBUI_NO_TLS): not available yet',
    ],
    [
      'no root credentials',
      ['posix', '/tmp'],
      { ROOT_SECRET_ACCESS_KEY: '' },
      'root user access and secret key must be provided',
    ],
    ['no directory', ['posix'], {}, 'no directory provided for operation'],
    [
      'bad value',
      ['--otel-sample-rate', '2', 'posix', '/tmp'],
      {},
      '--otel-sample-rate: "2" is not a number from 0 to 1',
    ],
  ])('%s', async (_, argv, env, message) => {
    const { code, stdout, stderr } = await runProgram(argv, env)
    expect(FATAL.exec(stderr)?.[1]).toBe(message)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  })

  test('directory that does not exist', async () => {
    const missing = join(directory, 'missing')
    const { code, stderr } = await runProgram(['--port', '127.0.0.1:0', 'posix', missing])
    expect(FATAL.exec(stderr)?.[1]).toContain(missing)
    expect(code).toBe(1)
  })

  test('a file in place of the directory', async () => {
    const { code, stderr } = await runProgram(['--port', '127.0.0.1:0', 'posix', '/etc/hostname'])
    expect(FATAL.exec(stderr)?.[1]).toContain('/etc/hostname')
    expect(code).toBe(1)
  })

  test('directory that cannot hold extended attributes', async () => {
    const { code, stderr } = await runProgram(['--port', '127.0.0.1:0', 'posix', '/proc'])
    expect(FATAL.exec(stderr)?.[1]).toContain('extended attributes')
    expect(code).toBe(1)
  })

  test('port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    const { code, stderr } = await runProgram(['--port', `127.0.0.1:${port}`, 'posix', directory])
    other.close()
    expect(FATAL.exec(stderr)?.[1]).toBe(`port ${port} is in use: choose another with --port`)
    expect(code).toBe(1)
  })

  test.each(['--port', '--admin-port', '--metrics-port'])(
    '%s that is no place of this machine',
    async (flag) => {
      // https://www.rfc-editor.org/rfc/rfc5737: nobody has this address.
      const places = flag === '--port' ? [] : ['--port', '127.0.0.1:0']
      const given = [...places, flag, '192.0.2.1:7099']
      const { code, stderr } = await runProgram([...given, 'posix', directory])
      expect(FATAL.exec(stderr)?.[1]).toMatch(new RegExp(`^${flag}: listen EADDRNOTAVAIL`))
      expect(code).toBe(1)
    },
  )

  test.each(['--admin-port', '--metrics-port'])('%s in use', async (flag) => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    const places = ['--port', '127.0.0.1:0', flag, `127.0.0.1:${port}`]
    const { stderr } = await runProgram([...places, 'posix', directory])
    other.close()
    expect(FATAL.exec(stderr)?.[1]).toBe(`port ${port} is in use: choose another with ${flag}`)
  })

  test('file of traces that cannot be written', async () => {
    const path = join(directory, 'missing', 'traces.jsonl')
    const tracing = ['--otel-enabled', '--otel-exporter', 'file', '--otel-file', path]
    const argv = ['--port', '127.0.0.1:0', ...tracing, 'posix', directory]
    const { code, stderr } = await runProgram(argv)
    expect(FATAL.exec(stderr)?.[1]).toBe(`--otel-file: ${path} cannot be written: ENOENT`)
    expect(code).toBe(1)
  })

  test('certificate that cannot be read', async () => {
    const argv = [
      '--port',
      '127.0.0.1:0',
      '--cert',
      '/missing.pem',
      '--key',
      '/missing.pem',
      'posix',
      directory,
    ]
    const { code, stderr } = await runProgram(argv)
    expect(FATAL.exec(stderr)?.[1]).toContain('/missing.pem')
    expect(code).toBe(1)
  })
})

describe('answers without serving', () => {
  test('--version is three lines', async () => {
    const { code, stdout, stderr } = await runProgram(['--version'])
    expect(stdout).toMatch(/^Version {2}: \d+\.\d+\.\d+\nBuild {4}: \w+\nBuildTime: .+\n$/)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  test.each([[[]], [['--help']], [['bogus']], [['--port', ':1']]])(
    '%j is answered with help',
    async (argv) => {
      const { code, stdout, stderr } = await runProgram(argv)
      expect(stdout).toMatch(/^versitygw-ts \[global flags\] posix \[flags\] DIR\n/)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    },
  )
})

describe('a gateway that serves', () => {
  test('says where, what, how safe and what it traces', async () => {
    await using gateway = await startGateway({
      flags: ['--otel-enabled', '--otel-exporter', 'none'],
    })
    await gateway.waitFor(/tracing .*\n/)
    expect(gateway.stdout).toContain(`listening   ${gateway.endpoint}\n`)
    expect(gateway.stdout).toContain(`directory   ${gateway.dir}\n`)
    expect(gateway.stdout).toContain('durability  full (default)\n')
    expect(gateway.stdout).toMatch(
      /tracing {5}none \(--otel-exporter\), parent-based ratio 1 \(default\)/,
    )
  })

  test('contract 1.6: with --quiet it says which accounts there are and nothing else', async () => {
    const gateway = await startGateway({ flags: ['--quiet'] })
    await fetch(gateway.endpoint)
    await gateway.stop()
    expect(gateway.stdout).toBe('No IAM service configured, enabling single account mode\n')
  })

  test('never shows the secret', async () => {
    const gateway = await startGateway({
      flags: ['--debug', '--otel-enabled', '--otel-exporter', 'none', '--otel-headers', 'key=hush'],
      env: { ROOT_SECRET_ACCESS_KEY: 'very-secret' },
    })
    await fetch(gateway.endpoint)
    await gateway.stop()
    expect(gateway.stdout + gateway.stderr).not.toMatch(/very-secret|hush/)
  })

  test('answers on the health path', async () => {
    await using gateway = await startGateway({ flags: ['--health', '/healthz'] })
    const response = await fetch(`${gateway.endpoint}/healthz`)
    expect(response.status).toBe(200)
  })

  test('listens at every place it is told', async () => {
    const second = await freePort()
    await using gateway = await startGateway({ flags: ['--port', `127.0.0.1:${second}`] })
    const statuses = await Promise.all(
      [gateway.endpoint, `http://127.0.0.1:${second}`].map(
        async (url) => (await fetch(url)).status,
      ),
    )
    expect(statuses).toEqual([403, 403])
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('ends with code 0 on %s', async (signal) => {
    const gateway = await startGateway()
    const exit = await gateway.stop(signal)
    expect(exit).toEqual({ code: 0, signal: null })
    expect(gateway.stderr).toBe(
      `caught signal ${signal}\nterminating signal caught, shutting down\n`,
    )
  })

  test('goes on after SIGHUP', async () => {
    await using gateway = await startGateway()
    process.kill(gateway.pid, 'SIGHUP')
    await gateway.waitFor(/SIGHUP/)
    expect((await fetch(gateway.endpoint)).status).toBe(403)
  })
})

describe('README', () => {
  const root = new URL('../../', import.meta.url)
  const readme = readFileSync(new URL('README.md', root), 'utf8')

  test('tells of every flag', async () => {
    const { stdout } = await runProgram(['--help'])
    const flags = [...stdout.matchAll(/^ {2}(?:-\w, {1,2}| {4})(--[a-z0-9_-]+)/gm)].map(
      ([, flag]) => flag,
    )
    expect(flags.length).toBeGreaterThan(40)
    expect(flags.filter((flag) => !readme.includes(`\`${flag}\``))).toEqual([])
  })

  test('names files that exist', () => {
    const paths = [...readme.matchAll(/`((?:src|native|bin|docs|bench)\/[\w/.-]*)`/g)].map(
      ([, path]) => path,
    )
    expect(paths.length).toBeGreaterThan(10)
    expect(paths.filter((path) => !existsSync(new URL(path ?? '', root)))).toEqual([])
  })
})
