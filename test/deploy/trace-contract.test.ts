import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeRequests, type Made } from '../support/contract-requests.ts'
import { useGateway } from '../support/fixture.ts'
import { startFileCollector } from '../support/receivers/collector.ts'
import { startJaeger } from '../support/receivers/jaeger.ts'
import { fileOfTraces } from '../support/receivers/otlp-json.ts'
import { isWhole, type SeenSpan, type TraceStore } from '../support/receivers/seen-span.ts'
import { startRotel } from '../support/receivers/rotel.ts'
import { startZipkin } from '../support/receivers/zipkin.ts'
import { findTool, findZipkin } from '../support/tools.ts'
import { breaches, unseen } from '../support/trace-breaches.ts'
import { memoryDir } from '../support/traced.ts'

/**
 * What real receivers give back of every operation, in success and in failure, against the trace contract; and against the
 * gateway's own file, to know that all of it arrives.
 */

const jaeger = findTool('jaeger')
const otelcol = findTool('otelcol')
const rotel = findTool('rotel-agent')
const zipkin = findZipkin()

type Start = () => Promise<TraceStore>

const RECEIVERS: readonly (readonly [string, Start | undefined])[] = [
  ['Jaeger', jaeger === undefined ? undefined : () => startJaeger(jaeger)],
  ['a collector', otelcol === undefined ? undefined : () => startFileCollector(otelcol)],
  ['Rotel', rotel === undefined ? undefined : () => startRotel(rotel, 'grpc')],
  ['Rotel, by JSON', rotel === undefined ? undefined : () => startRotel(rotel, 'http/json')],
  ['Zipkin', zipkin === undefined ? undefined : () => startZipkin(zipkin)],
]
const found = RECEIVERS.filter((one): one is [string, Start] => one[1] !== undefined)

const NO_RECEIVER: TraceStore = {
  exporter: 'otlp',
  flags: [],
  isExact: true,
  trace: async () => [],
  [Symbol.asyncDispose]: async () => {},
}

const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8')

// Without any of them what the gateway writes to a file is all there is to be asked.
const stores: [string, Start][] = found.length > 0 ? found : [['a file', async () => NO_RECEIVER]]

describe.each(stores)('%s', (_, start) => {
  const dir = mkdtempSync(join(memoryDir(), 'vgw-contract-'))
  const [data, versions, iam] = ['data', 'versions', 'iam'].map((part) => join(dir, part))
  const file = join(dir, 'traces.jsonl')
  const ofFile = fileOfTraces(file)
  let store: TraceStore = NO_RECEIVER
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    rmSync(dir, { recursive: true })
  })
  beforeAll(async () => {
    for (const part of [data, versions, iam]) mkdirSync(part ?? '')
    store = await start()
  })
  const at = useGateway(() => ({
    dir: data ?? '',
    flags: [
      '--otel-enabled',
      '--otel-exporter',
      store === NO_RECEIVER ? 'file' : `${store.exporter},file`,
      '--otel-file',
      file,
      '--otel-depth',
      'syscall',
      '--iam-dir',
      iam ?? '',
      ...store.flags,
    ],
    posixFlags: ['--versioning-dir', versions ?? ''],
    env: { ...store.env, OTEL_BSP_SCHEDULE_DELAY: '10' },
  }))

  async function wholeTrace(
    from: Pick<TraceStore, 'trace'>,
    id: string,
  ): Promise<readonly SeenSpan[]> {
    for (let tries = 0; tries < 200; tries++) {
      const spans = await from.trace(id)
      if (isWhole(spans)) return spans
      await sleep(50)
    }
    throw new Error(`no whole trace ${id}`)
  }

  let made: readonly Made[] = []
  beforeAll(async () => {
    made = await makeRequests(at)
  })

  test('has every operation of the README, in success and in failure', () => {
    const operations = [...readme.matchAll(/^\| (\w+) \| `[A-Z]+ \//gm)].map(([, found]) => found)
    expect(operations.length).toBeGreaterThan(50)
    const answered = (isFailure: boolean) =>
      new Set(made.filter(({ status }) => status >= 400 === isFailure).map((one) => one.operation))
    const [succeeded, failed] = [answered(false), answered(true)]
    expect(operations.filter((one) => !succeeded.has(one ?? ''))).toEqual([])
    expect(operations.filter((one) => !failed.has(one ?? ''))).toEqual([])
  })

  test('gives back every span with every attribute, kind, status and event', async () => {
    const seen = new Set<string>()
    const wrong: string[] = []
    for (const one of made) {
      const sent = await wholeTrace({ trace: ofFile }, one.traceId)
      const spans = store === NO_RECEIVER ? sent : await wholeTrace(store, one.traceId)
      const faults = [
        ...breaches(spans, one, store.isExact, seen),
        ...breaches(sent, one, true, new Set()),
      ]
      wrong.push(...faults.map((fault) => `${one.what} (${one.status}): ${fault}`))
      const ids = (of: readonly SeenSpan[]) =>
        of.map((span) => `${span.parentSpanId}>${span.spanId}`)
      expect([one.what, ids(spans).toSorted()]).toEqual([one.what, ids(sent).toSorted()])
    }
    expect(wrong).toEqual([])
    expect(unseen(seen)).toEqual([])
  })
})
