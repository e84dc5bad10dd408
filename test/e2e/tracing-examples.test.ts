import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runProgram, startGateway } from '../support/gateway.ts'
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.ts'

const fileOf = (name: string): string =>
  fileURLToPath(new URL(`../../deploy/env/${name}`, import.meta.url))

/** As containers' environment files are read: a line is a name, a value, and nothing else. */
function asContainer(name: string): Record<string, string> {
  const lines = readFileSync(fileOf(name), 'utf8').split('\n')
  return Object.fromEntries(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const equals = line.indexOf('=')
        return [line.slice(0, equals), line.slice(equals + 1)]
      }),
  )
}

/** As a shell reads them. */
function asShell(name: string): Record<string, string> {
  const text = execFileSync('sh', ['-c', 'set -a; . "$1"; env -0', 'sh', fileOf(name)], {
    env: {},
    encoding: 'utf8',
  })
  const all = text
    .split('\0')
    .filter((line) => /^(?:VGW|OTEL)_/.test(line))
    .map((line) => {
      const equals = line.indexOf('=')
      return [line.slice(0, equals), line.slice(equals + 1)]
    })
  return Object.fromEntries(all) as Record<string, string>
}

const EXAMPLES: [file: string, inForce: string[]][] = [
  [
    'development.env',
    ['ratio 1 (VGW_OTEL_SAMPLE_RATE)', 'depth syscall (VGW_OTEL_DEPTH)', 'failed requests'],
  ],
  [
    'staging.env',
    ['ratio 0.5 (VGW_OTEL_SAMPLE_RATE)', 'failed requests (VGW_OTEL_KEEP_ERRORS)', '1000 ms'],
  ],
  [
    'production.env',
    [
      'ratio 0.1 (VGW_OTEL_SAMPLE_RATE)',
      'failed requests (VGW_OTEL_KEEP_ERRORS)',
      'slower than 1000 ms + bytes at 10 MiB/s (VGW_OTEL_SLOW_THRESHOLD, VGW_OTEL_SLOW_RATE)',
    ],
  ],
  [
    'high-volume.env',
    ['ratio 0.01 (VGW_OTEL_SAMPLE_RATE)', '5xx (VGW_OTEL_KEEP_ERRORS)', 'slower than 2000 ms'],
  ],
  ['tracing.env.example', ['ratio 1 (VGW_OTEL_SAMPLE_RATE)', 'depth io (VGW_OTEL_DEPTH)']],
]

describe('ready-made settings', () => {
  let receiver: OtlpReceiver
  beforeAll(async () => {
    receiver = await startOtlpReceiver({ protocol: 'grpc' })
  })
  afterAll(() => receiver.close())

  test.each(EXAMPLES)('%s: shell and container read the same', (file) => {
    expect(asShell(file)).toEqual(asContainer(file))
  })

  test.each(EXAMPLES)('%s: a gateway starts with it, and traces leave', async (file, inForce) => {
    const env: Record<string, string> = {
      ...asContainer(file),
      VGW_OTEL_ENDPOINT: receiver.url,
    }
    await using gateway = await startGateway({ env: { ...env, OTEL_BSP_SCHEDULE_DELAY: '20' } })
    const [line] = await gateway.waitFor(/^ {2}tracing .*$/m)
    expect(inForce.filter((text) => !line.includes(text))).toEqual([])
    const isKept = env['VGW_OTEL_KEEP_ERRORS'] !== '5xx'
    const { headers } = await fetch(`${gateway.endpoint}/no-bucket/k`)
    if (isKept) await receiver.waitForTrace(headers.get('x-trace-id') ?? '')
  })

  test('tracing.env.example tells of every variable of ours, with its default', async () => {
    const told = asContainer('tracing.env.example')
    const { stdout } = await runProgram(['--help'])
    const flags = [...stdout.matchAll(/--otel-[a-z-]+/g)].map(([flag]) => flag)
    const names = flags.map((flag) => `VGW_${flag.slice(2).replaceAll('-', '_').toUpperCase()}`)
    expect(names.length).toBeGreaterThan(20)
    expect(names.filter((name) => !(name in told))).toEqual([])
  })
})
