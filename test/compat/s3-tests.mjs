import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Runs ceph/s3-tests against a gateway of its own: docs/compat.md.
 * Usage: npm run s3tests -- RUNNER CONF LOG [pytest arguments]; RUNNER is called with a copy of CONF that names the gateway's
 * port, LOG and the arguments. Each section of CONF with an access_key becomes an account of role userplus.
 */
const [runner, conf, log, ...rest] = process.argv.slice(2)
if (log === undefined) {
  console.error('usage: npm run s3tests -- RUNNER CONF LOG [pytest arguments]')
  process.exit(2)
}

/** What the suite takes for granted and VersityGW does not do. */
const SETTINGS = ['--dialect', 'aws', '--default-object-ownership', 'none', '--sigv2']

const port = await freePort()
const directory = mkdtempSync(join(tmpdir(), 's3tests-'))
for (const name of ['data', 'iam', 'versions']) mkdirSync(join(directory, name))
const text = readFileSync(conf, 'utf8').replace(/^port *=.*$/m, `port = ${port}`)
writeFileSync(join(directory, 's3tests.conf'), text)
writeFileSync(join(directory, 'iam', 'users.json'), accountsOf(text), { mode: 0o600 })

const program = fileURLToPath(new URL('../../bin/versitygw-ts', import.meta.url))
const flags = ['--port', `127.0.0.1:${port}`, '--iam-dir', join(directory, 'iam'), '--quiet']
const posix = ['posix', '--durability', 'none', '--versioning-dir', join(directory, 'versions')]
const gateway = spawn(
  process.execPath,
  [program, ...flags, ...SETTINGS, ...posix, join(directory, 'data')],
  {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      ROOT_ACCESS_KEY: 's3tests-root',
      ROOT_SECRET_KEY: 's3tests-root-secret',
    },
  },
)
let suite
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => suite?.kill() ?? gateway.kill())
try {
  await listening()
  suite = spawn(runner, [join(directory, 's3tests.conf'), log, ...rest], { stdio: 'inherit' })
  const [code] = await once(suite, 'exit')
  process.exitCode = code ?? 1
} finally {
  gateway.kill()
  await once(gateway, 'exit')
  rmSync(directory, { recursive: true, force: true })
}

function accountsOf(configuration) {
  const accounts = {}
  for (const section of configuration.split(/^\[/m)) {
    const access = /^access_key *= *(.*)$/m.exec(section)?.[1]
    const secret = /^secret_key *= *(.*)$/m.exec(section)?.[1]
    if (access === undefined || secret === undefined) continue
    accounts[access] = { access, secret, role: 'userplus', userID: 0, groupID: 0, projectID: 0 }
  }
  return JSON.stringify({ accessAccounts: accounts })
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

async function listening() {
  for (let i = 0; i < 100; i++) {
    if (gateway.exitCode !== null) throw new Error('the gateway ended')
    try {
      await fetch(`http://127.0.0.1:${port}/`)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  throw new Error('the gateway does not listen')
}
