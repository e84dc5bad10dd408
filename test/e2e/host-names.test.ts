import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Program, freePort, scratch, startGateway } from '../support/gateway.ts'
import { canUnshareMounts } from '../support/tools.ts'

/** Contract 1.2: "Host names expand to all addresses; link-local ones skipped". */
describe.skipIf(!canUnshareMounts())('--port with a host name', () => {
  const dir = mkdtempSync(join(scratch(), 'vgw-hosts-'))
  const hosts = join(dir, 'hosts')
  afterAll(() => rmSync(dir, { recursive: true }))
  beforeAll(() => {
    writeFileSync(
      hosts,
      [
        '127.0.0.2 several',
        '127.0.0.3 several',
        '169.254.7.7 several',
        'fe80::1 several',
        '127.0.0.2 several',
        '169.254.7.7 link-local',
        '127.0.0.2 elsewhere',
        '203.0.113.9 elsewhere',
        '',
      ].join('\n'),
    )
  })
  /** The program sees our /etc/hosts instead of the system's. */
  const command = [
    'unshare',
    '--mount',
    'sh',
    '-c',
    'mount --bind "$0" /etc/hosts && exec "$@"',
    hosts,
    process.execPath,
  ]

  test('binds every address of it once, link-local ones left out', async () => {
    const port = await freePort()
    await using gateway = await startGateway({ flags: ['--port', `several:${port}`], command })
    const [, urls] = await gateway.waitFor(/listening +(.*)\n/)
    expect(urls?.split('  ')).toEqual([
      `http://127.0.0.1:${gateway.port}`,
      `http://127.0.0.2:${port}`,
      `http://127.0.0.3:${port}`,
    ])
    for (const address of ['127.0.0.2', '127.0.0.3'])
      expect((await fetch(`http://${address}:${port}/`)).status).toBe(403)
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow()
  })

  test.each([
    ['nothing but link-local ones', 'link-local', /link-local has no address to listen on\n$/],
    [
      'one that is not of this host',
      'elsewhere',
      /EADDRNOTAVAIL: address not available 203\.0\.113\.9/,
    ],
    ['none', 'no-such-name.invalid', /no-such-name\.invalid/],
  ])('with %s it does not start', async (_, name, message) => {
    const port = await freePort()
    const program = new Program(['--port', `${name}:${port}`, 'posix', dir], { command })
    const { code } = await program.exitWithin(20_000)
    expect(code).toBe(1)
    expect(program.stderr).toMatch(message)
    expect(program.stderr).toMatch(/^[^\n]*\n$/)
  })
})
