import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.ts'
import { tracingConfig } from '../support/otlp-records.ts'

/**
 * In the built program exports leave from a thread. Vitest runs the sources, where no thread can be started, so the
 * built modules are run in a process of their own.
 */
const PROGRAM = `
  import { nowNs } from '${fileURLToPath(new URL('../../dist/trace/clock.js', import.meta.url))}'
  import { createTracing } from '${fileURLToPath(new URL('../../dist/trace/tracing.js', import.meta.url))}'
  const { config, requests } = JSON.parse(process.argv[1])
  const lines = []
  const tracing = createTracing(config, { log: (level, message) => lines.push(level + ' ' + message), readSyscalls: () => [] })
  for (let i = 0; i < requests; i++) {
    const recorder = tracing.start({}, nowNs())
    recorder.root.child('Backend.GetObject', {}).end()
    tracing.finish(recorder, { authenticated: true, status: 200, isHead: false })
    if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const started = performance.now()
  await tracing.close()
  console.log(JSON.stringify({ stats: tracing.stats(), lines, closedMs: performance.now() - started }))
`

interface Outcome {
  readonly stats: { readonly exported: number; readonly failed: number; readonly rejected: number }
  readonly lines: readonly string[]
  readonly closedMs: number
}

async function run(
  config: Parameters<typeof tracingConfig>[0],
  requests: number,
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  const argument = JSON.stringify({ config: tracingConfig(config), requests })
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, argument], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  return JSON.parse(await text(child.stdout))
}

const BATCH = {
  unit: 'spans' as const,
  maxQueueSize: 15_000,
  maxExportBatchSize: 100,
  scheduleDelayMs: 50,
  exportTimeoutMs: 30_000,
}

describe.each(['grpc', 'http'] as const)('a thread that exports over %s', (protocol) => {
  let receiver: OtlpReceiver

  afterEach(() => receiver.close())

  test('brings all spans, and ends with the program', async () => {
    receiver = await startOtlpReceiver({ protocol, rejectedSpans: 1 })
    const { stats } = await run({ protocol, endpoint: receiver.url, batch: BATCH }, 2000)
    expect(receiver.spans()).toHaveLength(4000)
    expect(stats).toMatchObject({ exported: 4000, failed: 0, rejected: receiver.exports.length })
  })

  test('says why spans do not leave', async () => {
    receiver = await startOtlpReceiver({ protocol })
    const tls = {
      protocol,
      endpoint: `localhost:${receiver.port}`,
      insecure: false,
      batch: { ...BATCH, exportTimeoutMs: 2000 },
    }
    const { stats, lines } = await run(tls, 10)
    expect(stats).toMatchObject({ exported: 0, failed: 20 })
    expect(lines.join('\n')).toContain('add --otel-insecure')
  })

  test('is ended when the receiver hangs at the stop', async () => {
    receiver = await startOtlpReceiver({ protocol })
    receiver.fault = 'hang'
    const started = performance.now()
    const { lines, closedMs } = await run({ protocol, endpoint: receiver.url, batch: BATCH }, 10, {
      OTEL_EXPORTER_OTLP_TIMEOUT: '60000',
    })
    expect(closedMs).toBeGreaterThan(4900)
    expect(closedMs).toBeLessThan(30_000)
    // The process ends too: no socket of the thread keeps it.
    expect(performance.now() - started).toBeLessThan(50_000)
    expect(lines.at(-1)).toMatch(/^warn 20 spans had not left/)
  })
})
