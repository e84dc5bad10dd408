import { describe, expect, test } from 'vitest'
import { ConfigError, UsageError, loadConfig, type Command, type Config } from '../config.ts'

const ROOT = { ROOT_ACCESS_KEY: 'AK', ROOT_SECRET_KEY: 'SK' }

async function load(line: string, env: Record<string, string> = ROOT): Promise<Command> {
  return loadConfig(line.split(' '), env)
}

async function configOf(line: string, env: Record<string, string> = {}): Promise<Config> {
  const command = await load(line, { ...ROOT, ...env })
  if (command.kind !== 'serve') throw new Error(`not a configuration but ${command.kind}`)
  return command.config
}

async function adminOf(
  line: string,
  env: Record<string, string> = {},
): Promise<Extract<Command, { kind: 'admin' }>['command']> {
  const command = await load(line, env)
  if (command.kind !== 'admin') throw new Error(`not a call but ${command.kind}`)
  return command.command
}

async function errorOf(line: string, env: Record<string, string> = {}): Promise<Error> {
  const outcome: unknown = await load(line, env).catch((error: unknown) => error)
  if (!(outcome instanceof ConfigError)) throw new Error('no ConfigError', { cause: outcome })
  return outcome
}

const AT = '-er http://h:1'

describe('admin: which gateway, as whom (contract 1.4)', () => {
  test('flags, aliases', async () => {
    const short = await adminOf('admin -a A -s S -r eu -er https://h:1 -ai list-users')
    const long = await adminOf(
      'admin --access=A --secret=S --region eu --endpoint-url https://h:1 --allow-insecure list-users',
    )
    expect(short).toEqual(long)
    expect(short).toMatchObject({
      connection: { access: 'A', secret: 'S', region: 'eu', allowInsecure: true },
      action: { name: 'list-users', json: false },
    })
    expect(short.connection.endpoint.href).toBe('https://h:1/')
  })

  test('variables', async () => {
    const env = {
      ADMIN_ACCESS_KEY: 'A',
      ADMIN_SECRET_KEY: 'S',
      ADMIN_REGION: 'eu',
      ADMIN_ENDPOINT_URL: 'http://h',
      ADMIN_ALLOW_INSECURE: 't',
    }
    const { connection } = await adminOf('admin list-users', env)
    expect(connection).toMatchObject({
      access: 'A',
      secret: 'S',
      region: 'eu',
      allowInsecure: true,
    })
    const first = { ADMIN_ACCESS_KEY_ID: 'A1', ADMIN_SECRET_ACCESS_KEY: 'S1' }
    const other = (await adminOf('admin list-users', { ...env, ...first })).connection
    expect(other).toMatchObject({ access: 'A1', secret: 'S1' })
  })

  test("root's credentials stand in for those that are missing", async () => {
    const { connection } = await adminOf(`admin ${AT} list-users`, ROOT)
    expect(connection).toMatchObject({ access: 'AK', secret: 'SK', region: 'us-east-1' })
    const flags = (await adminOf(`-a A -s S admin ${AT} list-users`, ROOT)).connection
    expect(flags).toMatchObject({ access: 'A', secret: 'S' })
  })

  test('what is missing or wrong', async () => {
    expect((await errorOf('admin list-users')).message).toBe('Required flag "endpoint-url" not set')
    expect((await errorOf(`admin ${AT} list-users`)).message).toBe(
      'subcommand admin access key id is not set',
    )
    expect((await errorOf(`admin -er h:1 list-users`, ROOT)).message).toBe(
      '--endpoint-url: "h:1" is no URL of http:// or https://',
    )
    expect((await errorOf(`admin ${AT} --bogus list-users`, ROOT)).message).toBe(
      'unknown flag --bogus',
    )
    const unknown = await errorOf(`admin ${AT} bogus`, ROOT)
    expect([unknown instanceof UsageError && unknown.exitCode, unknown.message]).toEqual([
      3,
      "No help topic for 'bogus'",
    ])
  })
})

describe('admin: the actions (contract 1.4)', () => {
  const actionOf = async (line: string): Promise<object> =>
    (await adminOf(`admin ${AT} ${line}`, ROOT)).action

  test('create-user', async () => {
    expect(await actionOf('create-user -a a -s s -r user -ui 1 -gi 2 -pi 3')).toEqual({
      name: 'create-user',
      access: 'a',
      secret: 's',
      secretStdin: false,
      role: 'user',
      userId: 1,
      groupId: 2,
      projectId: 3,
    })
  })

  test('update-user: what is not given is not there', async () => {
    expect(await actionOf('update-user --access a --user-id=0')).toEqual({
      name: 'update-user',
      access: 'a',
      secretStdin: false,
      userId: 0,
    })
  })

  test('change-bucket-owner and create-bucket', async () => {
    expect(await actionOf('change-bucket-owner -b b -o o')).toEqual({
      name: 'change-bucket-owner',
      bucket: 'b',
      owner: 'o',
    })
    expect(
      await actionOf(
        'create-bucket -o o --bucket b --no-object-lock-enabled-for-bucket --acl private',
      ),
    ).toEqual({
      name: 'create-bucket',
      owner: 'o',
      bucket: 'b',
      acl: 'private',
      lock: false,
      noLock: true,
    })
  })

  test.each([
    ['create-user', 'Required flags "access, role" not set'],
    ['create-user -a a', 'Required flag "role" not set'],
    ['delete-user', 'Required flag "access" not set'],
    ['change-bucket-owner', 'Required flags "bucket, owner" not set'],
    ['create-bucket --bucket b', 'Required flag "owner" not set'],
    ['create-bucket -o o -b b', 'unknown flag --b'],
    ['update-user -a a -ui x', '--user-id: "x" is not a whole number from 0 to 4294967294'],
    ['update-user -a a -ui -1', '--user-id: "-1" is not a whole number from 0 to 4294967294'],
  ])('%s', async (line, message) => {
    expect((await errorOf(`admin ${AT} ${line}`, ROOT)).message).toBe(message)
  })

  test.each([
    'admin',
    'admin --help',
    'admin help',
    'admin create-user -h',
    'utils',
    'utils cxm -h',
  ])('%s is answered with help', async (line) => {
    expect((await load(line)).kind).toBe('help')
  })
})

describe('the admin port (contract 1.2)', () => {
  test('without one the admin API is beside S3', async () => {
    expect((await configOf('posix /d')).admin).toBeUndefined()
    expect((await configOf('-amc 5 posix /d')).admin).toBeUndefined()
  })

  test('its own places, certificate and limits', async () => {
    const line =
      '-ap :1 --admin-port @adm --admin-cert /c --admin-cert-key /k -amc 5 -amr 6 posix /d'
    expect((await configOf(line)).admin).toEqual({
      listeners: [{ host: undefined, port: 1 }, { path: '\0adm' }],
      tls: { certFile: '/c', keyFile: '/k' },
      maxConnections: 5,
      maxRequests: 6,
    })
    const { admin } = await configOf('posix /d', { VGW_ADMIN_PORT: '127.0.0.1:2' })
    expect(admin).toEqual({
      listeners: [{ host: '127.0.0.1', port: 2 }],
      tls: undefined,
      maxConnections: 250_000,
      maxRequests: 100_000,
    })
  })
})
