import { describe, expect, test } from 'vitest'
import { ConfigError, SETTINGS, loadConfig, type Config } from './config.ts'

const ROOT = { ROOT_ACCESS_KEY: 'AK', ROOT_SECRET_KEY: 'SK' }

async function configOf(
  line: string | readonly string[],
  env: Record<string, string> = {},
): Promise<Config> {
  const argv = typeof line === 'string' ? line.split(' ').filter((word) => word !== '') : line
  const command = await loadConfig(argv, { ...ROOT, ...env })
  if (command.kind !== 'serve') throw new Error(`not a configuration but ${command.kind}`)
  return command.config
}

async function errorOf(
  line: string | readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const outcome: unknown = await configOf(line, env).catch((error: unknown) => error)
  if (!(outcome instanceof ConfigError)) throw new Error('no ConfigError', { cause: outcome })
  return outcome.message
}

describe('defaults', () => {
  test('are those of the contract, section 1, but for keep-alive', async () => {
    const config = await configOf('posix /data')
    expect(config).toMatchObject({
      listeners: [{ host: undefined, port: 7070 }],
      tls: undefined,
      root: { access: 'AK', secret: 'SK' },
      region: 'us-east-1',
      limits: { maxConnections: 250_000, maxRequests: 100_000 },
      keepAlive: true,
      healthPath: undefined,
      virtualDomain: undefined,
      readOnly: false,
      strictBucketNames: true,
      aclsEnabled: true,
      dialect: 'versitygw',
      defaultOwnership: 'BucketOwnerEnforced',
      sigv2: false,
      versioningEnabled: false,
      maxPartNumber: 10_000,
      copyObjectThreshold: 5_368_709_120,
      logLevel: 'info',
      metrics: undefined,
      workers: 1,
      quiet: false,
      posix: {
        directory: '/data',
        durability: 'full',
        dirMode: 0o755,
        useTmpFile: true,
        useCopyFileRange: true,
        followSymlinks: false,
        defaultEtag: undefined,
        concurrency: 5000,
        ioThreads: 8,
        ioBufferSize: 1_048_576,
      },
      tracing: {
        enabled: false,
        exporters: ['otlp'],
        endpoint: 'localhost',
        protocol: 'grpc',
        insecure: false,
        headers: {},
        serviceName: 'versitygw',
        environment: 'development',
        resourceAttributes: {},
        sampleRate: 1,
        parentBased: true,
        depth: 'io',
        trustParent: 'authenticated',
        semconv: 'dup',
        batch: {
          unit: 'traces',
          maxQueueSize: 2048,
          maxExportBatchSize: 512,
          scheduleDelayMs: 5000,
          exportTimeoutMs: 30_000,
        },
      },
    })
  })

  test('the whole configuration is frozen', async () => {
    const config = await configOf('posix /data')
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.tracing.batch)).toBe(true)
    expect(Object.isFrozen(config.listeners[0])).toBe(true)
  })

  test('a relative directory is made absolute', async () => {
    expect((await configOf('posix data')).posix.directory).toBe(`${process.cwd()}/data`)
  })
})

describe('the table', () => {
  test('no two settings of one scope share a flag or an alias', () => {
    for (const scope of ['global', 'posix']) {
      const names = SETTINGS.filter((setting) => setting.scope === scope)
        .flatMap(({ flag, aliases }) => [flag, ...aliases])
        .filter((name) => name !== undefined)
      expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
    }
  })

  test('every setting that is available has a help text', () => {
    expect(SETTINGS.filter(({ available, help }) => available && help === '')).toEqual([])
  })
})

describe('command line', () => {
  test.each([
    ['--port 8080 posix /d', { listeners: [{ host: undefined, port: 8080 }] }],
    ['-p :8080 posix /d', { listeners: [{ host: undefined, port: 8080 }] }],
    ['-port=:8080 posix /d', { listeners: [{ host: undefined, port: 8080 }] }],
    ['--region eu --region us posix /d', { region: 'us' }],
    ['-mc 5 -mr 6 posix /d', { limits: { maxConnections: 5, maxRequests: 6 } }],
    ['-vd s3.example.com:7070 posix /d', { virtualDomain: 's3.example.com:7070' }],
    ['--keep-alive=false posix /d', { keepAlive: false }],
    ['--keep-alive=0 posix /d', { keepAlive: false }],
    ['--readonly=T posix /d', { readOnly: true }],
    ['--noacl posix /d', { aclsEnabled: false }],
    ['--default-object-ownership ObjectWriter posix /d', { defaultOwnership: 'ObjectWriter' }],
    ['--sigv2 posix /d', { sigv2: true }],
    ['--dialect aws posix /d', { dialect: 'aws' }],
    ['--quiet posix /d', { quiet: true }],
    ['-q posix /d', { quiet: true }],
    ['--health h posix /d', { healthPath: '/h' }],
    [
      '--cert c.pem --key /k.pem posix /d',
      { tls: { certFile: `${process.cwd()}/c.pem`, keyFile: '/k.pem' } },
    ],
    ['--debug posix /d', { logLevel: 'debug' }],
    ['--debug --log-level warn posix /d', { logLevel: 'warn' }],
    ['posix --versioning-dir /v /d', { versioningEnabled: true, iam: { internal: undefined } }],
    [
      '--iam-dir iam --iam-cache-ttl 5 --iam-cache-stale 6 --iam-cache-prune 7 --iam-debug posix /d',
      {
        iam: {
          internal: { directory: 'iam' },
          cache: { ttlMs: 5000, staleMs: 6000, pruneMs: 7000 },
          debug: true,
        },
      },
    ],
    ['--iam-cache-disable posix /d', { iam: { cache: { ttlMs: 0, staleMs: 0 } } }],
    ['--workers 1 posix /d', {}],
    [
      'posix --durability none --dir-perms 0700 /d',
      { posix: { durability: 'none', dirMode: 0o700 } },
    ],
    ['posix --dir-perms 448 /d', { posix: { dirMode: 0o700 } }],
    ['posix /d --disableotmp', { posix: { directory: '/d', useTmpFile: false } }],
    ['posix -- --odd', { posix: { directory: `${process.cwd()}/--odd` } }],
    [
      '--idle-timeout 5s --stall-timeout 1.5m posix /d',
      { limits: { idleTimeoutMs: 5000, stallTimeoutMs: 90_000 } },
    ],
  ])('%s', async (line, expected) => {
    expect(await configOf(line)).toMatchObject(expected)
  })

  test.each([
    ['0123', '1e5'],
    ['0x10', 'true'],
    ['-dash', '--port'],
    ['a=b', 'with space, comma'],
  ])('credentials stay text: %s', async (access, secret) => {
    const config = await configOf(['-a', access, '--secret', secret, 'posix', '/d'])
    expect(config.root).toEqual({ access, secret })
  })

  test.each([
    ['--bogus posix /d', 'unknown flag --bogus'],
    ['--no-keep-alive posix /d', 'unknown flag --no-keep-alive'],
    ['posix --bogus 1 /d', 'unknown flag --bogus'],
    ['posix --port 1 /d', '--port stands before "posix"'],
    ['--durability none posix /d', '--durability stands after "posix"'],
    ['--port', '--port: a value is missing'],
    ['posix', 'no directory provided for operation'],
    ['posix /a /b', 'only one directory can be served, not also "/b"'],
    ['--port 70700 posix /d', '--port: "70700" is not a port (0 to 65535)'],
    ['--port @ posix /d', '--port: "@" names no socket'],
    ['--port @s3,:1,@s3 posix /d', '--port: socket @s3 is given twice'],
    ['--port ./s3,./a/../s3 posix /d', `--port: socket ${process.cwd()}/s3 is given twice`],
    [
      `--port /${'s'.repeat(107)} posix /d`,
      `--port: "/${'s'.repeat(107)}" is too long for a socket (107 bytes)`,
    ],
    ['--socket-perm 888 posix /d', '--socket-perm: "888" is not an octal mode such as 0660'],
    ['--socket-perm rw posix /d', '--socket-perm: "rw" is not an octal mode such as 0660'],
    ['--socket-perm 1777 posix /d', '--socket-perm: "1777" is not an octal mode such as 0660'],
    ['--port :1,127.0.0.1:1 posix /d', '--port: port 1 is given twice'],
    ['--max-connections 0 posix /d', '--max-connections: "0" is not a whole number of at least 1'],
    ['--max-requests 1e3 posix /d', '--max-requests: "1e3" is not a whole number of at least 1'],
    ['--keep-alive=maybe posix /d', '--keep-alive: "maybe" is neither true nor false'],
    ['--cert c posix /d', '--cert and --key need each other'],
    ['--admin-cert c posix /d', '--admin-cert and --admin-cert-key need each other'],
    ['--port :1 --admin-port 127.0.0.1:1 posix /d', 'port 1 is given twice'],
    ['--workers 1025 posix /d', '--workers: "1025" is not a whole number from 1 to 1024'],
    ['--idle-timeout 5 posix /d', '--idle-timeout: "5" is not a time such as 500ms, 30s or 10m'],
    ['posix --durability some /d', '--durability: "some" is not one of full, none'],
    ['posix --dir-perms 0999 /d', '--dir-perms: "0999" is not a whole number from 0 to 4095'],
    ['--otel-sample-rate 1.5 posix /d', '--otel-sample-rate: "1.5" is not a number from 0 to 1'],
    [
      '--otel-exporter otlp,smoke posix /d',
      '--otel-exporter: "smoke" is not one of otlp, console, stdout, none, zipkin, jaeger, file',
    ],
    [
      '--otel-endpoint ftp://x posix /d',
      '--otel-endpoint: not an OTLP endpoint: "ftp://x" (http://, https:// or host:port)',
    ],
    ['scoutfs /d', 'scoutfs: not available yet'],
  ])('%s: %s', async (line, expected) => {
    expect(await errorOf(line)).toBe(expected)
  })

  test.each(['', 'bogus', '--port 1', '--help', '-h', 'posix --help', 'help', '--quiet bogus /d'])(
    '"%s" is answered with help',
    async (line) => {
      const command = await loadConfig(line.split(' ').filter(Boolean), {})
      expect(command.kind).toBe('help')
    },
  )

  test.each(['--version', '-v', '--version posix /d'])('%s asks for the version', async (line) => {
    expect(await loadConfig(line.split(' '), {})).toEqual({ kind: 'version' })
  })

  test('help tells of every flag there is and of none that is not', async () => {
    const command = await loadConfig(['--help'], {})
    const help = command.kind === 'help' ? command.text : ''
    const wrong = SETTINGS.filter(({ flag, available }) => {
      return flag !== undefined && new RegExp(`--${flag}[ ,]`).test(help) !== available
    })
    expect(wrong).toEqual([])
  })
})

describe('root credentials', () => {
  test.each([
    [{ ROOT_ACCESS_KEY: 'b' }],
    [{ ROOT_SECRET_KEY: 'b' }],
    [{ ROOT_ACCESS_KEY_ID: 'a', ROOT_SECRET_ACCESS_KEY: '' }],
  ])('%j is not enough', async (env) => {
    const failure = loadConfig(['posix', '/d'], env)
    await expect(failure).rejects.toThrow('root user access and secret key must be provided')
  })

  test('the first variable that is not empty counts', async () => {
    const env = {
      ROOT_ACCESS_KEY_ID: '',
      ROOT_ACCESS_KEY: 'b',
      ROOT_SECRET_ACCESS_KEY: 'c',
      ROOT_SECRET_KEY: 'd',
    }
    expect((await configOf('posix /d', env)).root).toEqual({ access: 'b', secret: 'c' })
  })
})

describe('listeners', () => {
  test.each([
    [':8080', [{ host: undefined, port: 8080 }]],
    ['8080', [{ host: undefined, port: 8080 }]],
    ['127.0.0.1:0', [{ host: '127.0.0.1', port: 0 }]],
    ['gw.example.com:80', [{ host: 'gw.example.com', port: 80 }]],
    ['gw.example.com', [{ host: 'gw.example.com', port: 7070 }]],
    ['[::1]:9', [{ host: '::1', port: 9 }]],
    ['[::1]', [{ host: '::1', port: 7070 }]],
    ['::1', [{ host: '::1', port: 7070 }]],
    // Contract 1.2: a unix path begins with `/` or `./`, an abstract socket with `@`.
    ['/run/s3.sock', [{ path: '/run/s3.sock' }]],
    ['./s3.sock', [{ path: `${process.cwd()}/s3.sock` }]],
    ['@s3', [{ path: '\0s3' }]],
    ['s3.sock', [{ host: 's3.sock', port: 7070 }]],
    [':1,/run/s3.sock', [{ host: undefined, port: 1 }, { path: '/run/s3.sock' }]],
    [
      'localhost:1,:2',
      [
        { host: 'localhost', port: 1 },
        { host: undefined, port: 2 },
      ],
    ],
  ])('%s', async (spec, expected) => {
    expect((await configOf(`--port ${spec} posix /d`)).listeners).toEqual(expected)
    expect((await configOf('posix /d', { VGW_PORT: spec })).listeners).toEqual(expected)
  })

  test('a repeated flag is a list', async () => {
    const { listeners } = await configOf('-p :1 --port a:2,b:3 posix /d')
    expect(listeners).toEqual([
      { host: undefined, port: 1 },
      { host: 'a', port: 2 },
      { host: 'b', port: 3 },
    ])
  })

  test.each(['660', '0660', '0o660'])('--socket-perm %s is octal', async (mode) => {
    expect(await configOf(`--socket-perm ${mode} posix /d`)).toMatchObject({ socketMode: 0o660 })
    expect(await configOf('posix /d', { VGW_SOCKET_PERM: mode })).toMatchObject({
      socketMode: 0o660,
    })
  })

  test.each(['a:b', ':', '[nonsense]:1', 'a:1:2', ''])('"%s" is refused', async (spec) => {
    expect(await errorOf(['--port', spec, 'posix', '/d'])).toMatch(/^--port: /)
  })
})

describe('environment', () => {
  test.each([
    [{ VGW_REGION: 'eu' }, { region: 'eu' }],
    [{ VGW_REGION: '' }, { region: 'us-east-1' }],
    [{ VGW_QUIET: '1' }, { quiet: true }],
    [{ VGW_QUIET: 'F' }, { quiet: false }],
    [{ VGW_KEEP_ALIVE: 'false' }, { keepAlive: false }],
    [{ VGW_READ_ONLY: 'TRUE' }, { readOnly: true }],
    [{ VGW_DURABILITY: 'none' }, { posix: { durability: 'none' } }],
    [{ VGW_DIR_PERMS: '0750' }, { posix: { dirMode: 0o750 } }],
    [{ VGW_POSIX_IO_BUFFER_SIZE: '65536' }, { posix: { ioBufferSize: 65_536 } }],
    [{ OTEL_LOG_LEVEL: 'VERBOSE' }, { logLevel: 'trace' }],
    [{ VGW_LOG_LEVEL: 'warn', OTEL_LOG_LEVEL: 'DEBUG' }, { logLevel: 'warn' }],
    [{ VGW_DEBUG: 'true', OTEL_LOG_LEVEL: 'error' }, { logLevel: 'debug' }],
    [{ VGW_DEBUG: 'true', VGW_LOG_LEVEL: 'warn' }, { logLevel: 'warn' }],
  ])('%j', async (env, expected) => {
    expect(await configOf('posix /d', env)).toMatchObject(expected)
  })

  test('a flag wins over a variable', async () => {
    const config = await configOf('--region cli --quiet=false posix /d', {
      VGW_REGION: 'env',
      VGW_QUIET: 'true',
    })
    expect(config).toMatchObject({
      region: 'cli',
      quiet: false,
      sources: { region: '--region', port: 'default' },
    })
  })

  test.each([
    [{ VGW_QUIET: 'yes' }, 'VGW_QUIET: "yes" is neither true nor false'],
    [
      { VGW_PORT: 'x:y' },
      'VGW_PORT: "x:y" is not a place to listen at (:port, host:port, [v6]:port, host, /socket or @socket)',
    ],
    [{ VGW_DURABILITY: 'some' }, 'VGW_DURABILITY: "some" is not one of full, none'],
    [{ VGW_OTEL_DEPTH: 'deep' }, 'VGW_OTEL_DEPTH: "deep" is not one of http, backend, io, syscall'],
    [{ VGW_OTEL_HEADERS: 'key' }, 'VGW_OTEL_HEADERS: not a list of name=value, name=value …'],
  ])('%j: %s', async (env, expected) => {
    expect(await errorOf('posix /d', env)).toBe(expected)
  })
})

describe('what is not available yet', () => {
  test.each([
    ['-eku x posix /d', '--event-kafka-url: not available yet'],
    ['--webui-no-tls posix /d', '--webui-no-tls: not available yet'],
  ])('%s', async (line, expected) => {
    expect(await errorOf(line)).toBe(expected)
  })

  test.each([
    [{ LOGFILE: '/l' }, '--access-log (from LOGFILE): not available yet'],
    [{ VGW_PPROF: ':1' }, '--pprof (from VGW_PPROF): not available yet'],
  ])('%j', async (env, expected) => {
    expect(await errorOf('posix /d', env)).toBe(expected)
  })

  test('a switch that is off asks for nothing', async () => {
    await expect(
      configOf('--noacl=false posix --nometa=0 /d', { VGW_CHOWN_UID: 'false', VGW_IAM_DEBUG: '0' }),
    ).resolves.toBeDefined()
  })

  test('every such flag is known', async () => {
    for (const { flag = '', form, scope } of SETTINGS.filter(({ available }) => !available)) {
      const given = form === 'switch' ? [`--${flag}`] : [`--${flag}`, 'x']
      const line = scope === 'global' ? [...given, 'posix', '/d'] : ['posix', ...given, '/d']
      expect(await errorOf(line)).toBe(`--${flag}: not available yet`)
    }
  })
})
