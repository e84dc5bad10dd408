import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { freePort } from '../support/gateway.ts'
import { startOtlpReceiver } from '../support/otlp-receiver.ts'
import { exchange } from '../support/raw-http.ts'
import { EMPTY_SHA256, signHeaders } from '../support/sigv4.ts'
import { CREATE, SAY, useTracingPrograms } from '../support/tracing-programs.ts'
import { startVault, VAULT } from '../support/vault-server.ts'

const programs = useTracingPrograms()

test('the declarations are whole: a program in TypeScript that uses everything is checked', () => {
  programs.installed.write(
    'program.ts',
    `import { createTracing, fromEnv, type RemoteContext, type Span, type Tracing, type TracingOptions } from 'versitygw-ts/tracing'
     import { main } from 'versitygw-ts'
     import { Hono } from 'hono'
     const options: TracingOptions = { serviceName: 's', exporter: ['console', 'otlp'], endpoint: 'localhost', samplingRatio: 0.5,
       resourceAttributes: { a: 'b' }, autoInstrument: true, metrics: true }
     const tracing: Tracing = createTracing(options)
     const other: Tracing = fromEnv({ VGW_OTEL_ENABLED: 'true' })
     const add: (a: number, b: number) => Promise<number> = tracing.wrap('add', async (a: number, b: number) => a + b)
     const text: string = tracing.scope('s', (span: Span) => span.traceId)
     const sum: Promise<number> = tracing.scope('s', async () => 1 + (await add(1, 2)))
     const context: RemoteContext | undefined = tracing.extract(new Headers())
     const headers: Record<string, string> = tracing.inject({ a: ['b', 'c'] })
     const answer: Promise<Response> = tracing.fetch('http://localhost', { headers })
     new Hono().use('*', tracing.middleware())
     // @ts-expect-error a service has a name
     createTracing({})
     // @ts-expect-error no such exporter
     createTracing({ serviceName: 's', exporter: 'pigeon' })
     // @ts-expect-error an attribute is no object
     tracing.startSpan('x', { attributes: { a: {} } })
     export { answer, context, main, other, sum, text }
     `,
  )
  programs.installed.write(
    'tsconfig.json',
    JSON.stringify({
      compilerOptions: {
        target: 'es2023',
        module: 'nodenext',
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: false,
        types: ['node'],
      },
      include: ['program.ts'],
    }),
  )
  const tsc = fileURLToPath(new URL('../../node_modules/.bin/tsc', import.meta.url))
  const { dir } = programs.installed
  let output = ''
  try {
    execFileSync(tsc, ['-p', join(dir, 'tsconfig.json')], { encoding: 'utf8', cwd: dir })
  } catch (error) {
    output = String((error as { stdout?: unknown }).stdout)
  }
  // Other packages' own declarations are not ours to mend.
  expect(
    output.split('\n').filter((line) => /^(?:program|node_modules\/versitygw)/.test(line)),
  ).toEqual([])
})

describe('in a process of the gateway', () => {
  const SECRET = 'alice/secret+0123'

  /** A program that embeds the gateway, whose accounts are in Vault, and traces something of its own. */
  const EMBEDDED = `${CREATE}
    import { subscribe } from 'node:diagnostics_channel'
    import { mkdirSync } from 'node:fs'
    import { main } from 'versitygw-ts'
    const tracing = createTracing({ serviceName: 'extension', autoInstrument: true })
    subscribe('http.client.request.start', () => {
      tracing.scope('extension.watch', (span) => {
        tracing.event('seen', { what: 'account store' })
        say({ traceId: span.traceId, correlation: tracing.correlationId() })
      })
    })
    mkdirSync('data/bucket', { recursive: true })
    await main(process.argv.slice(2), (_, [url]) => say({ url }))
    process.on('SIGUSR2', () => tracing.scope('on.its.own', () => undefined))`

  test.each([
    ['1', true],
    ['0', false],
  ])(
    'its spans go into the request’s record and share its decision (rate %s)',
    async (rate, isKept) => {
      const receiver = await startOtlpReceiver({ protocol: 'http' })
      await using vault = await startVault()
      vault.secrets.set(':kv-v2/users/alice', {
        versions: [
          {
            alice: {
              access: 'alice',
              secret: SECRET,
              role: 'admin',
              userID: 0,
              groupID: 0,
              projectID: 0,
            },
          },
        ],
      })
      programs.installed.write('embedded.mjs', SAY + EMBEDDED)
      const port = await freePort()
      const line =
        `--port 127.0.0.1:${port} --otel-enabled --otel-use-http --otel-endpoint ${receiver.url} ` +
        `--otel-sample-rate ${rate} --otel-keep-errors none --otel-slow-threshold 0 ` +
        `--iam-vault-endpoint-url ${vault.endpoint} --iam-vault-secret-storage-path users ` +
        `--iam-vault-root-token ${VAULT.rootToken} posix data`
      const child = programs.installed.start('embedded.mjs', line.split(' '))
      await child.waitFor(/"url"/)
      const target = '/bucket?list-type=2'
      const { headers } = signHeaders(
        { method: 'GET', target, headers: [['Host', `127.0.0.1:${port}`]] },
        { access: 'alice', secret: SECRET },
        { payloadHash: EMPTY_SHA256 },
      )
      const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      const answer = await exchange(port, Buffer.from(`GET ${target} HTTP/1.1\r\n${head}\r\n`), {})
      expect([answer.status, answer.text]).toEqual([200, expect.any(String)])
      const traceId = answer.header('x-trace-id') ?? ''
      await child.waitFor(
        new RegExp(`"traceId":"${traceId}","correlation":"${answer.header('x-amz-request-id')}"`),
      )
      child.kill('SIGUSR2')
      await child.waitFor(/on\.its\.own/)
      child.kill('SIGTERM')
      await child.exit
      // Its own exporter takes what belongs to no request, and nothing else.
      const console = child.stdout.split('\n').filter((line) => line.includes('"resource"'))
      expect(console.filter((line) => line.includes('extension.watch'))).toEqual([])
      const spans = receiver.trace(traceId)
      if (isKept) {
        const root = spans.find(({ kind }) => kind === 'SERVER')
        expect(root?.name).toBe('S3.ListObjectsV2')
        const own = spans.filter(({ name }) => name === 'extension.watch' || name === 'HTTP GET')
        expect(own.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual(
          expect.arrayContaining([
            ['extension.watch', root?.spanId],
            ['HTTP GET', root?.spanId],
          ]),
        )
      } else expect(spans).toEqual([])
      await receiver.close()
    },
  )
})
