import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../support/fixture.ts'
import { accepts, freePort, scratch, startGateway, type Gateway } from '../support/gateway.ts'
import { findTool } from '../support/tools.ts'

/** Jaeger 2 and a collector with the components of deploy/collector: too large to be built for a test. */
const jaeger = findTool('jaeger')
const otelcol = findTool('otelcol')
const deployed = (path: string): string =>
  fileURLToPath(new URL(`../../deploy/${path}`, import.meta.url))

interface JaegerSpan {
  readonly spanID: string
  readonly operationName: string
  readonly references: readonly { readonly spanID: string }[]
  readonly tags: readonly { readonly key: string; readonly value: unknown }[]
}

const stops: (() => Promise<unknown>)[] = []

/** A program that reads a collector's configuration, on ports of its own. */
async function startCollector(
  program: string,
  config: string,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const port = await freePort()
  const [http, health, telemetry] = [await freePort(), await freePort(), await freePort()]
  const file = join(mkdtempSync(join(scratch(), 'vgw-collector-')), 'config.yaml')
  // The ports of what it tells about itself are numbers in it.
  writeFileSync(
    file,
    readFileSync(deployed(config), 'utf8').replaceAll('port: 8888', `port: ${telemetry}`),
  )
  const child = spawn(program, ['--config', file], {
    stdio: 'ignore',
    env: {
      OTLP_GRPC_ENDPOINT: `127.0.0.1:${port}`,
      OTLP_HTTP_ENDPOINT: `127.0.0.1:${http}`,
      HEALTH_ENDPOINT: `127.0.0.1:${health}`,
      TELEMETRY_HOST: '127.0.0.1',
      ...env,
    },
  })
  const gone = once(child, 'exit')
  stops.push(() => {
    child.kill()
    rmSync(dirname(file), { recursive: true })
    return gone
  })
  for (let tries = 0; !(await accepts(port)); tries++) {
    if (tries === 200 || child.exitCode !== null) throw new Error(`${program} did not start`)
    await sleep(50)
  }
  return port
}

describe.skipIf(jaeger === undefined || otelcol === undefined)('Real receivers', () => {
  let query = 0
  let metrics = 0
  let direct: Gateway
  let behind: Gateway

  beforeAll(async () => {
    ;[query, metrics] = [await freePort(), await freePort()]
    const store = await startCollector(jaeger ?? '', 'jaeger/config.yaml', {
      QUERY_HTTP_ENDPOINT: `127.0.0.1:${query}`,
      QUERY_GRPC_ENDPOINT: `127.0.0.1:${await freePort()}`,
    })
    const collector = await startCollector(otelcol ?? '', 'collector/config.yaml', {
      TRACES_ENDPOINT: `127.0.0.1:${store}`,
      METRICS_ENDPOINT: `127.0.0.1:${metrics}`,
    })
    const start = (port: number): Promise<Gateway> =>
      startGateway({
        flags: ['--otel-enabled', '--otel-endpoint', `http://127.0.0.1:${port}`],
        env: { OTEL_BSP_SCHEDULE_DELAY: '100' },
      })
    ;[direct, behind] = [await start(store), await start(collector)]
    for (const { dir } of [direct, behind]) mkdirSync(join(dir, 'bucket'))
  }, 60_000)
  afterAll(async () => {
    for (const gateway of [direct, behind]) await gateway?.[Symbol.asyncDispose]()
    for (const stop of stops.toReversed()) await stop()
  })

  /** Sends a request and gives back its trace id, by what the gateway says of it. */
  async function traced(s3: S3Client, send: () => Promise<unknown>): Promise<string> {
    let traceId = ''
    s3.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        const { headers } = result.response as { headers: Record<string, string> }
        traceId = headers['x-trace-id'] ?? ''
        return result
      },
      { step: 'deserialize', name: 'trace-id', override: true, priority: 'low' },
    )
    await send().catch(() => undefined)
    return traceId
  }

  async function spansOf(traceId: string): Promise<readonly JaegerSpan[]> {
    for (let tries = 0; tries < 250; tries++) {
      const response = await fetch(`http://127.0.0.1:${query}/api/traces/${traceId}`)
      if (response.ok) {
        const { data } = (await response.json()) as { data: { spans: JaegerSpan[] }[] }
        return data[0]?.spans ?? []
      }
      await sleep(100)
    }
    throw new Error(`Jaeger has no trace ${traceId}`)
  }

  const tagsOf = (spans: readonly JaegerSpan[], name: string): Record<string, unknown> =>
    Object.fromEntries(
      (spans.find(({ operationName }) => operationName === name)?.tags ?? []).map(
        ({ key, value }) => [key, value],
      ),
    )

  test('Jaeger has the tree of a PUT, with its attributes', async () => {
    const s3 = connect(direct)
    const put = new PutObjectCommand({ Bucket: 'bucket', Key: 'key', Body: 'x'.repeat(10_000) })
    const spans = await spansOf(await traced(s3, () => s3.send(put)))
    const nameOf = new Map(spans.map(({ spanID, operationName }) => [spanID, operationName]))
    const parents = spans.map(
      ({ operationName, references }) =>
        `${nameOf.get(references[0]?.spanID ?? '') ?? '-'} > ${operationName}`,
    )
    expect(parents).toEqual(
      expect.arrayContaining([
        '- > S3.PutObject',
        'S3.PutObject > Auth.V4Signature',
        'S3.PutObject > Backend.PutObject',
        'Backend.PutObject > Posix.IO.OpenTmpFile',
        'Backend.PutObject > Posix.IO.WriteData',
        'Backend.PutObject > Posix.IO.LinkFile',
      ]),
    )
    expect(tagsOf(spans, 'S3.PutObject')).toMatchObject({
      'http.method': 'PUT',
      'http.status_code': 200,
      's3.bucket': 'bucket',
      's3.key': 'key',
      's3.content_length': 10_000,
      'vgw.sampling.reason': 'head',
      'span.kind': 'server',
    })
    expect(tagsOf(spans, 'Posix.IO.WriteData')).toMatchObject({ 'posix.bytes_written': 10_000 })
    s3.destroy()
  })

  test('the collector keeps what failed, and counts every span', async () => {
    const s3 = connect(behind)
    const get = new GetObjectCommand({ Bucket: 'bucket', Key: 'missing' })
    const spans = await spansOf(await traced(s3, () => s3.send(get)))
    expect(tagsOf(spans, 'S3.GetObject')).toMatchObject({ 'error.type': 'NoSuchKey' })
    await expect
      .poll(async () => (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text(), {
        timeout: 30_000,
      })
      .toMatch(/traces_span_metrics_calls_total\{[^}]*s3_operation="GetObject"[^}]*\} 1/)
    s3.destroy()
  }, 60_000)
})
