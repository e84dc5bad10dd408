import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { runProgram, startGateway, type Gateway } from '../support/gateway.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.ts'
import { threadNiceness } from '../support/process-facts.ts'

interface ZipkinSpan {
  readonly traceId: string
  readonly name: string
  readonly timestamp: number
}

describe('several exporters at once, by TLS where asked', () => {
  let dir: string
  let receiver: OtlpReceiver
  let zipkin: Server
  const zipkinSpans: ZipkinSpan[] = []
  let gateway: Gateway

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'vgw-exporters-'))
    const [theirs, ours] = [makeCertificate(), makeCertificate()]
    await writeFile(join(dir, 'ca.pem'), theirs.cert)
    await writeFile(join(dir, 'cert.pem'), ours.cert)
    await writeFile(join(dir, 'key.pem'), ours.key)
    receiver = await startOtlpReceiver({ protocol: 'grpc', tls: { ...theirs, ca: ours.cert } })
    zipkin = createServer((request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        zipkinSpans.push(...(JSON.parse(Buffer.concat(pieces).toString()) as ZipkinSpan[]))
        response.writeHead(202).end()
      })
    })
    zipkin.listen(0, '127.0.0.1')
    await once(zipkin, 'listening')
    const { port } = zipkin.address() as AddressInfo
    gateway = await startGateway({
      flags: [
        '--otel-enabled',
        '--otel-exporter=jaeger,zipkin,file,console',
        '--otel-headers=x-tenant=flag',
        `--otel-file=${join(dir, 'traces.jsonl')}`,
        `--otel-ca=${join(dir, 'ca.pem')}`,
        `--otel-cert=${join(dir, 'cert.pem')}`,
        `--otel-key=${join(dir, 'key.pem')}`,
      ],
      env: {
        JAEGER_ENDPOINT: `localhost:${receiver.port}`,
        OTLP_ENDPOINT: 'localhost:1',
        OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=variable,x-other=variable',
        OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
        OTEL_EXPORTER_ZIPKIN_ENDPOINT: `http://127.0.0.1:${port}`,
        OTEL_BSP_SCHEDULE_DELAY: '20',
      },
    })
  })
  afterAll(async () => {
    await gateway.stop()
    await receiver.close()
    zipkin.closeAllConnections()
    zipkin.close()
    await rm(dir, { recursive: true })
  })

  test('one line at start says where traces go, what is kept, and who said so', async () => {
    const [line] = await gateway.waitFor(/^ {2}tracing .*$/m)
    expect(line).toContain('otlp, zipkin, file, console (--otel-exporter)')
    expect(line).toContain(`to https://localhost:${receiver.port} (JAEGER_ENDPOINT)`)
    expect(line).toContain('by grpc (default)')
    expect(line).toMatch(/zipkin to http:\/\/127\.0\.0\.1:\d+\/api\/v2\/spans \(OTEL_EXPORTER_ZIP/)
    expect(line).toContain(`file ${join(dir, 'traces.jsonl')} (--otel-file)`)
    expect(line).toContain('parent-based ratio 1 (default)')
    expect(line).toContain(
      'always kept: failed requests (default), requests slower than 1000 ms + bytes at 10 MiB/s (default, default)',
    )
    expect(line).not.toContain('x-tenant')
  })

  test('a request arrives at all of them', async () => {
    const answer = await fetch(`${gateway.endpoint}/no-bucket/no-key`)
    const traceId = answer.headers.get('x-trace-id') ?? ''
    const spans = await receiver.waitForTrace(traceId)
    const names = spans.map(({ name }) => name).toSorted()
    expect(names).toContain('S3.GetObject')
    const { headers, compressed } = receiver.exports[0] ?? {}
    // A flag wins whole: what a variable has beside it is not sent.
    expect([headers?.['x-tenant'], headers?.['x-other'], compressed]).toEqual([
      'flag',
      undefined,
      true,
    ])
    const atZipkin = await vi.waitFor(() => {
      const found = zipkinSpans.filter((span) => span.traceId === traceId)
      expect(found).toHaveLength(spans.length)
      return found
    }, 60_000)
    expect(atZipkin.map(({ name }) => name).toSorted()).toEqual(names)
    expect(atZipkin.every(({ timestamp }) => Number.isInteger(timestamp))).toBe(true)
    await vi.waitFor(async () => {
      const text = await readFile(join(dir, 'traces.jsonl'), 'utf8')
      expect(text.split('\n').filter((line) => line.includes(traceId))).toHaveLength(1)
    }, 60_000)
    await gateway.waitFor(new RegExp(`"trace_id":"${traceId}"`))
  })

  test('requests go before the thread that sends traces', () => {
    const threads = threadNiceness(gateway.pid)
    const usual = threads.get(gateway.pid) ?? 0
    const others = [...threads.values()].filter((niceness) => niceness !== usual)
    expect(others).toEqual(usual < 5 ? [5] : [])
  })
})

describe('certificates towards the receiver', () => {
  test('SIGHUP takes those that have been renewed, and keeps the old ones where it cannot', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'vgw-renewed-'))
    const file = (name: string): string => join(dir, name)
    const put = async ({ cert, key }: { cert: string; key: string }): Promise<void> => {
      await writeFile(file('cert.pem'), cert)
      await writeFile(file('key.pem'), key)
    }
    const [theirs, old, renewed] = [makeCertificate(), makeCertificate(), makeCertificate()]
    await writeFile(file('ca.pem'), theirs.cert)
    await put(old)
    const first = await startOtlpReceiver({ protocol: 'grpc', tls: { ...theirs, ca: old.cert } })
    await using gateway = await startGateway({
      flags: [
        '--workers=2',
        '--otel-enabled',
        `--otel-endpoint=${first.url}`,
        ...['ca', 'cert', 'key'].map((name) => `--otel-${name}=${file(`${name}.pem`)}`),
      ],
      env: { OTEL_BSP_SCHEDULE_DELAY: '20' },
    })
    /** One by each worker. */
    const ask = async (receiver: OtlpReceiver): Promise<void> => {
      for (let i = 0; i < 2; i++) {
        const { headers } = await fetch(`${gateway.endpoint}/no-bucket/k`)
        await receiver.waitForTrace(headers.get('x-trace-id') ?? '')
      }
    }
    const reload = async (said: RegExp): Promise<void> => {
      process.kill(gateway.pid, 'SIGHUP')
      await gateway.waitFor(said)
    }
    await ask(first)
    await writeFile(file('cert.pem'), 'junk')
    await reload(/otel cert reload failed.*/)
    expect(gateway.stdout).not.toContain('otel cert reloaded')
    await ask(first)
    const { port } = first
    await first.close()
    await put(renewed)
    await reload(/^otel cert reloaded \(ca: \S+ca\.pem, cert: \S+cert\.pem, key: \S+key\.pem\)$/m)
    const tls = { ...theirs, ca: renewed.cert }
    const second = await startOtlpReceiver({ protocol: 'grpc', port, tls })
    await ask(second)
    await second.close()
    await rm(dir, { recursive: true })
  })
})

describe.each(['grpc', 'http'] as const)('a receiver over %s', (protocol) => {
  test('that is away for two seconds loses no trace, and one that is away at the stop does not hold it up', async () => {
    const first = await startOtlpReceiver({ protocol })
    await using gateway = await startGateway({
      flags: [
        '--otel-enabled',
        `--otel-endpoint=${first.url}`,
        ...(protocol === 'http' ? ['--otel-use-http'] : []),
      ],
      // Longer than any machine needs to start a receiver.
      env: { OTEL_BSP_SCHEDULE_DELAY: '20', OTEL_EXPORTER_OTLP_TIMEOUT: '25000' },
    })
    const ask = async (): Promise<string> => {
      const { headers } = await fetch(`${gateway.endpoint}/no-bucket/k`)
      return headers.get('x-trace-id') ?? ''
    }
    await first.waitForTrace(await ask())
    await first.close()
    const meanwhile: string[] = []
    for (const end = performance.now() + 2000; performance.now() < end; await delay(100))
      meanwhile.push(await ask())
    const second = await startOtlpReceiver({ protocol, port: first.port })
    for (const traceId of meanwhile) await second.waitForTrace(traceId)
    await second.close()
    await ask()
    expect(await gateway.stop()).toEqual({ code: 0, signal: null })
    expect(gateway.stdout).toMatch(/\d+ spans had not left for \S+ when the gateway stopped/)
  })
})

describe('what cannot work ends the start with one line', () => {
  test.each([
    [['--otel-ca', '/nowhere/ca.pem'], '--otel-ca: /nowhere/ca.pem cannot be read: ENOENT'],
    [['--otel-ca', '/etc/hostname'], '--otel-ca: /etc/hostname is not a PEM file'],
    [
      ['--otel-endpoint', 'http://jaeger:14268/api/traces'],
      '--otel-endpoint: "http://jaeger:14268/api/traces" is the address of Jaeger\'s old protocol; ' +
        'Jaeger takes OTLP: http://jaeger:4317, or http://jaeger:4318 with --otel-use-http',
    ],
  ])('%j', async (flags, expected) => {
    const argv = ['--port', '127.0.0.1:0', '--otel-enabled', ...flags, 'posix', '/tmp']
    const { code, stderr } = await runProgram(argv)
    expect(code).toBe(1)
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(expected)])
  })
})
