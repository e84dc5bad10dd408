import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accountDirectory } from '../support/admin.ts'
import { useGateway } from '../support/fixture.ts'
import { bin, scratch } from '../support/gateway.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import { findPython, run, type RunResult } from '../support/tools.ts'

const at = useGateway({ flags: ['--iam-dir', accountDirectory()] })
const TOOL = [bin('versitygw-ts'), 'admin']
const LINE = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d (.*)\n$/

const asRoot = (endpoint = at.gateway.endpoint): Record<string, string> => ({
  ADMIN_ENDPOINT_URL: endpoint,
  ADMIN_ACCESS_KEY_ID: at.credentials.access,
  ADMIN_SECRET_ACCESS_KEY: at.credentials.secret,
})
const tool = (args: readonly string[], env = asRoot()): Promise<RunResult> =>
  run(process.execPath, [...TOOL, ...args], { env, check: false })

/** The program, its standard input a file that holds `text`. */
const toolReading = (text: string, args: readonly string[]): Promise<RunResult> =>
  run('sh', ['-c', 'printf %s "$INPUT" | "$@"', 'sh', process.execPath, ...TOOL, ...args], {
    env: { ...asRoot(), INPUT: text },
    check: false,
  })

const works = async (access: string, secret: string): Promise<boolean> =>
  (await at.send('GET', '/', { credentials: { access, secret } })).status === 200

describe('--json', () => {
  test('users without their secrets, buckets', async () => {
    await tool(['create-user', '-a', 'j1', '-s', 'canary-secret', '-r', 'user', '-ui', '3'])
    await tool(['create-bucket', '-o', 'j1', '--bucket', 'of-j1'])
    const users = await tool(['list-users', '--json'])
    expect(JSON.parse(users.stdout)).toEqual([
      { access: 'j1', role: 'user', userID: 3, groupID: 0, projectID: 0 },
    ])
    expect(users.stdout).not.toContain('canary-secret')
    const buckets = await tool(['list-buckets', '--json'])
    expect(JSON.parse(buckets.stdout)).toEqual([{ name: 'of-j1', owner: 'j1' }])
  })

  test('errors are lines as ever', async () => {
    const { code, stdout, stderr } = await tool(['list-users', '--json'], {
      ...asRoot(),
      ADMIN_ACCESS_KEY_ID: 'nobody',
    })
    expect([code, stdout]).toEqual([1, ''])
    expect(LINE.exec(stderr)?.[1]).toBe(
      'api error InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records.',
    )
  })
})

describe('secrets that are not on the command line', () => {
  test('--secret-stdin takes the first line', async () => {
    const create = ['create-user', '-a', 's1', '-r', 'user', '--secret-stdin']
    expect(await toolReading('from a pipe\nand more', create)).toMatchObject({
      code: 0,
      stderr: '',
    })
    expect(await works('s1', 'from a pipe')).toBe(true)
    const update = ['update-user', '-a', 's1', '--secret-stdin']
    expect((await toolReading('without an end', update)).code).toBe(0)
    expect(await works('s1', 'without an end')).toBe(true)
  })

  test('an empty one is refused by the gateway', async () => {
    const { code, stderr } = await toolReading('', ['update-user', '-a', 's1', '--secret-stdin'])
    expect([code, LINE.exec(stderr)?.[1]]).toEqual([
      1,
      'api error XAdminInvalidArgument: User secret access key is missing.',
    ])
  })

  test('one that never ends is no secret', async () => {
    const create = ['create-user', '-a', 's2', '-r', 'user', '--secret-stdin']
    const { code, stderr } = await toolReading('x'.repeat(100_000), create)
    expect([code, LINE.exec(stderr)?.[1]]).toEqual([1, 'the secret is too long'])
  })

  // A loop over lines of standard input would otherwise hand them out as secrets.
  test('standard input is not read unasked', async () => {
    const { code, stderr } = await toolReading('line\n', ['create-user', '-a', 's3', '-r', 'user'])
    expect([code, LINE.exec(stderr)?.[1]]).toEqual([1, 'Required flag "secret" not set'])
    const own = await tool(['list-users'], { ...asRoot(), ADMIN_SECRET_ACCESS_KEY: '' })
    expect([own.code, LINE.exec(own.stderr)?.[1]]).toEqual([
      1,
      'subcommand admin secret access key is not set',
    ])
  })

  const python = findPython('pty')
  /** Runs the program on a terminal of its own, types each answer when asked, and says what the terminal showed. */
  const onTerminal = async (
    args: readonly string[],
    answers: readonly string[],
    env = asRoot(),
  ): Promise<{ readonly code: number; readonly shown: string }> => {
    const script = `
import os, pty, sys, json
answers = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
shown = b''
while True:
    try:
        piece = os.read(fd, 1024)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if shown.rstrip(b' ').endswith(b':') and answers and piece.endswith(b': '):
        os.write(fd, answers.pop(0).encode())
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`
    const { code, stdout } = await run(
      python ?? '',
      ['-c', script, JSON.stringify(answers), process.execPath, ...TOOL, ...args],
      { env, check: false },
    )
    return { code, shown: stdout }
  }

  test.skipIf(python === undefined)('asked for on a terminal, and not shown', async () => {
    const create = ['create-user', '-a', 't1', '-r', 'user']
    const typed = 'typed-sx\u007fecret é'
    const { code, shown } = await onTerminal(create, [`${typed}\r`, `${typed}\r`])
    expect(shown).toBe('New secret key of t1: \r\nThe same again: \r\n')
    expect(code).toBe(0)
    expect(await works('t1', 'typed-secret é')).toBe(true)
  })

  test.skipIf(python === undefined)('two that differ', async () => {
    const { code, shown } = await onTerminal(
      ['create-user', '-a', 't2', '-r', 'user'],
      ['a\r', 'b\r'],
    )
    expect(code).toBe(1)
    expect(shown).toContain('the two are not the same')
  })

  test.skipIf(python === undefined)("the admin's own; Ctrl-C ends it", async () => {
    const { ADMIN_SECRET_ACCESS_KEY: own = '', ...env } = asRoot()
    const asked = await onTerminal(['list-users'], [`${own}\r`], env)
    expect(asked.shown).toContain(`Secret key of ${at.credentials.access}: \r\nAccount `)
    expect(asked.shown).not.toContain(own)
    expect((await onTerminal(['list-users'], ['abc\u0003'], env)).code).toBe(130)
  })
})

describe('endpoints', () => {
  test('a slash at the end', async () => {
    expect((await tool(['list-users'], asRoot(`${at.gateway.endpoint}/`))).code).toBe(0)
  })

  test('nobody there', async () => {
    const { code, stdout, stderr } = await tool(['list-users'], asRoot('http://127.0.0.1:1'))
    expect([code, stdout]).toEqual([1, ''])
    expect(LINE.exec(stderr)?.[1]).toBe(
      'failed to send the request: connect ECONNREFUSED 127.0.0.1:1',
    )
  })

  let other: Server
  const answers: Record<string, readonly [status: number, body: string]> = {
    '/html/list-users': [502, '<html><body>Bad Gateway</body></html>'],
    '/odd/list-users': [200, '<Other/>'],
  }
  beforeAll(async () => {
    other = createServer((incoming, outgoing) => {
      const [status, body] = answers[incoming.url ?? ''] ?? [200, '']
      if (incoming.url === '/cut/list-users') {
        outgoing
          .writeHead(200, { 'Content-Length': '100' })
          .write('<List', () => outgoing.destroy())
      } else {
        outgoing.writeHead(status).end(body)
      }
    }).listen(0, '127.0.0.1')
    await once(other, 'listening')
  })
  afterAll(() => void other.close())

  test.each([
    ['html', 'the gateway answered 502 Bad Gateway'],
    ['odd', "the gateway's answer is no ListUserAccountsResult"],
    ['empty', "the gateway's answer is no ListUserAccountsResult"],
    ['cut', 'failed to send the request: aborted'],
  ])('somebody else there: %s', async (path, message) => {
    const { port } = other.address() as AddressInfo
    const { code, stdout, stderr } = await tool(
      ['list-users'],
      asRoot(`http://127.0.0.1:${port}/${path}`),
    )
    expect([code, stdout, LINE.exec(stderr)?.[1]]).toEqual([1, '', message])
  })
})

describe('https', () => {
  const dir = mkdtempSync(join(scratch(), 'vgw-admin-tls-'))
  const { key, cert } = makeCertificate()
  const files = { key: join(dir, 'key.pem'), cert: join(dir, 'cert.pem') }
  writeFileSync(files.key, key)
  writeFileSync(files.cert, cert)
  const tls = useGateway({ tls: files, flags: ['--iam-dir', dir] })
  afterAll(() => rmSync(dir, { recursive: true }))

  test('a certificate that nobody vouches for', async () => {
    const env = asRoot(tls.gateway.endpoint)
    const refused = await tool(['list-users'], env)
    expect([refused.code, refused.stdout]).toEqual([1, ''])
    expect(LINE.exec(refused.stderr)?.[1]).toMatch(/^failed to send the request: .*certificate/)
    for (const insecure of [['--allow-insecure'], ['--ai'], ['-ai']])
      expect((await tool([...insecure, 'list-users'], env)).code).toBe(0)
    const variable = { ...env, ADMIN_ALLOW_INSECURE: 'true' }
    expect((await tool(['list-users'], variable)).code).toBe(0)
    const trusted = { ...env, NODE_EXTRA_CA_CERTS: files.cert }
    expect((await tool(['list-users'], trusted)).code).toBe(0)
  })
})

describe('help and completion', () => {
  test('an action that there is none of', async () => {
    expect(await tool(['bogus'])).toEqual({
      code: 3,
      stdout: '',
      stderr: "No help topic for 'bogus'\n",
    })
  })

  test('each action has its help', async () => {
    const { stdout } = await tool([])
    const actions = [...stdout.matchAll(/^ {2}versitygw-ts admin ([a-z-]+)/gm)].map(
      ([, name]) => name,
    )
    expect(actions).toEqual([
      'create-user',
      'update-user',
      'delete-user',
      'list-users',
      'change-bucket-owner',
      'list-buckets',
      'create-bucket',
    ])
    expect((await tool(['create-user', '--help'])).stdout).toContain('--secret-stdin')
  })

  const complete = async (words: readonly string[], shell = '/bin/bash'): Promise<string[]> => {
    const asked = [bin('versitygw-ts'), '--get-yargs-completions', 'versitygw-ts', ...words]
    const { stdout } = await run(process.execPath, asked, { env: { SHELL: shell } })
    return stdout.split('\n').slice(0, -1)
  }

  test('commands, actions, flags', async () => {
    expect(await complete([''])).toEqual([
      'posix',
      'admin',
      'utils',
      'explain',
      'demo',
      'traces',
      'completion',
    ])
    expect(await complete(['admin', 'create-'])).toContain('create-bucket')
    expect(await complete(['posix', '--'])).toContain('--durability')
    const flags = await complete(['admin', 'create-user', '--'])
    expect(flags).toContain('--role')
    expect(flags).not.toContain('--port')
    expect(await complete(['admin', ''], '/bin/zsh')).toContain('create-user:create a user')
  })

  test.each([
    ['/bin/bash', 'complete -o bashdefault'],
    ['/usr/bin/zsh', '#compdef versitygw-ts'],
  ])('the script for %s', async (shell, part) => {
    const asked = [bin('versitygw-ts'), 'completion']
    const { stdout } = await run(process.execPath, asked, { env: { SHELL: shell } })
    expect(stdout).toContain(part)
  })

  test('bash takes the script and completes with it', async () => {
    const script = `
      PATH=$1:$PATH
      source <(versitygw-ts completion)
      COMP_WORDS=(versitygw-ts admin list-) COMP_CWORD=2
      _versitygw_ts_yargs_completions 2>/dev/null || _versitygw-ts_yargs_completions
      echo "\${COMPREPLY[@]}"`
    const dir = bin('.').replace(/\/$/, '')
    const { stdout } = await run('bash', ['-c', script, 'bash', dir], {
      env: { SHELL: '/bin/bash' },
    })
    expect(stdout).toBe('list-users list-buckets\n')
  })
})
