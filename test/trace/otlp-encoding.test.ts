import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { OTLPTraceExporter as HttpExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { ExportResultCode } from '@opentelemetry/core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nowNs } from '../../src/trace/clock.ts'
import { parseEndpoint } from '../../src/trace/endpoint.ts'
import { PackageTransport } from '../../src/trace/exporters.ts'
import { OtlpSink } from '../../src/trace/otlp-sink.ts'
import { createSpanReader } from '../../src/trace/readable-spans.ts'
import { Recorder } from '../../src/trace/recorder.ts'
import { addSyscallSpans, settle } from '../../src/trace/settle.ts'
import { levelOf } from '../../src/trace/span-kinds.ts'
import type { Depth } from '../../src/trace/tracing-config.ts'
import { startOtlpReceiver, type OtlpReceiver } from '../support/otlp-receiver.ts'
import {
  CALLER,
  putObjectRecord,
  readTestSyscalls,
  tracingConfig,
} from '../support/otlp-records.ts'
import type { ReceivedAttributes, ReceivedSpan } from '../support/otlp-protobuf.ts'

const RESOURCE = {
  'service.name': 'versitygw',
  'process.pid': 4711,
  'deployment.environment': 'Prüfung',
}
const VERSION = '1.2.3'

let ours: OtlpReceiver
let official: OtlpReceiver
let exporter: GrpcExporter | HttpExporter
let protocol: 'http' | 'grpc'

async function open(wanted: typeof protocol): Promise<void> {
  protocol = wanted
  ours = await startOtlpReceiver({ protocol })
  official = await startOtlpReceiver({ protocol })
  exporter =
    protocol === 'http'
      ? new HttpExporter({ url: `${official.url}/v1/traces` })
      : new GrpcExporter({ url: official.url })
}

async function close(): Promise<void> {
  await exporter.shutdown()
  await ours.close()
  await official.close()
}

beforeEach(() => {
  ours.clear()
  official.clear()
})

/** Sends one record both ways, over sockets, and returns what two receivers decoded. */
async function bothWays(
  recorder: Recorder,
  depth: Depth,
): Promise<{ direct: ReceivedSpan[]; sdk: ReceivedSpan[] }> {
  const endpoint = parseEndpoint(ours.url, { protocol, insecure: true })
  const config = tracingConfig({ protocol })
  const sink = new OtlpSink({
    resource: RESOURCE,
    serviceVersion: VERSION,
    endpoint,
    batch: config.batch,
    log: () => {},
    createTransport: (events) => new PackageTransport({ ...config, endpoint, tls: {} }, events),
  })
  settle(recorder)
  addSyscallSpans(recorder, readTestSyscalls)
  sink.add(recorder, levelOf(depth))
  await sink.close(5000)
  const read = createSpanReader(RESOURCE, VERSION)
  const spans = recorder.spans.flatMap((span) => read(span, levelOf(depth)) ?? [])
  await new Promise<void>((resolve, reject) => {
    exporter.export(spans, ({ code, error }) =>
      code === ExportResultCode.SUCCESS ? resolve() : reject(error),
    )
  })
  return { direct: ours.spans(), sdk: official.spans() }
}

/** All that a span says. The SDK writes whole milliseconds as integers; we write them as the doubles they are. */
function meaning(span: ReceivedSpan): unknown {
  const lines = (attributes: ReceivedAttributes): string[] =>
    attributes.toLines().map((line) => line.replace(/(_ms|_us|_mbps): (int|double)/, '$1: number'))
  return {
    ...span,
    attributes: lines(span.attributes),
    resource: lines(span.resource),
    events: span.events.map((event) => ({ ...event, attributes: lines(event.attributes) })),
    links: span.links.map((link) => ({ ...link, attributes: lines(link.attributes) })),
  }
}

describe.each(['http', 'grpc'] as const)(
  'the direct encoding means what the SDK would have written, over %s',
  (wanted) => {
    beforeAll(() => open(wanted))
    afterAll(close)

    test.each<[string, () => Recorder, Depth, number]>([
      ['a root of ours', () => putObjectRecord(nowNs()), 'io', 6],
      ['a remote parent', () => putObjectRecord(nowNs(), STATELESS_CALLER), 'io', 6],
      ['a remote parent with tracestate', () => putObjectRecord(nowNs(), CALLER), 'io', 6],
      ['system calls', () => putObjectRecord(nowNs()), 'syscall', 8],
      ['the root alone', () => putObjectRecord(nowNs()), 'http', 1],
      ['down to the backend', () => putObjectRecord(nowNs()), 'backend', 3],
      ['a link to a caller that is not trusted', linked, 'io', 6],
      ['a thousand events', thousandEvents, 'io', 2],
      ['odd numbers and texts', oddities, 'io', 1],
      ['spans like those before them, and unlike them', likeAndUnlike, 'io', 501],
      ['a span that began before its anchor', () => putObjectRecord(nowNs() - 3600e9), 'io', 6],
    ])('%s', async (_, record, depth, count) => {
      const { direct, sdk } = await bothWays(record(), depth)
      expect(direct).toHaveLength(count)
      expect(direct.map(meaning)).toEqual(sdk.map(meaning))
    })
  },
)

const STATELESS_CALLER = { ...CALLER, traceState: undefined }

function linked(): Recorder {
  const recorder = putObjectRecord(nowNs())
  recorder.link(CALLER, { 'link.kind': 'test', 'link.number': 3 })
  return recorder
}

/** Few names and keys, in various orders, with values that stay, change, change their type, are missing or set twice. */
function likeAndUnlike(): Recorder {
  const start = nowNs()
  const recorder = new Recorder(true, undefined, start)
  let seed = 7
  const draw = (below: number): number => {
    seed = (seed * 48271) % 2147483647
    return seed % below
  }
  const values = [1, 4096, 0.25, -3, 0, true, false, 'a', 'ü'.repeat(90), 'x'.repeat(300), '']
  const pick = (): string | number | boolean => values[draw(values.length)] ?? 0
  const names = ['Posix.IO.WriteData', 'Posix.IO.OpenFile', 'Backend.GetObject', 'Custom']
  const keys = ['posix.bytes_written', 'posix.queue_ms', 'posix.duration_ms', 'k', 'same']
  for (let i = 0; i < 500; i++) {
    const given: Record<string, string | number | boolean> = { same: 'always' }
    for (let n = draw(3); n > 0; n--) given[keys[draw(4)] ?? 'k'] = pick()
    const span = recorder.root.child(names[draw(4)] ?? 'Custom', given, start + i)
    for (let n = draw(3); n > 0; n--) span.set(keys[draw(5)] ?? 'k', pick())
    if (draw(20) === 0) span.fail({ type: 'EIO', message: 'now and then' })
    if (draw(20) === 0) span.addEvent('seen', { i }, start + i)
    span.end(start + i + draw(1000))
  }
  recorder.root.end(start + 5000)
  return recorder
}

function thousandEvents(): Recorder {
  const start = nowNs()
  const recorder = new Recorder(true, undefined, start)
  const span = recorder.root.child(
    'Posix.IO.AssembleParts',
    { 'posix.total_parts': 1000 },
    start + 10,
  )
  for (let part = 1; part <= 1000; part++) {
    span.addEvent(
      'part_assembled',
      { current_part: part, bytes_copied: part * 104_857_600 },
      start + part * 1000,
    )
  }
  recorder.root.end(start + 2e9)
  return recorder
}

function oddities(): Recorder {
  const start = nowNs()
  const recorder = new Recorder(true, undefined, start)
  const { root } = recorder
  const numbers = [
    0,
    -0,
    1,
    127,
    128,
    16_384,
    2 ** 31,
    2 ** 32,
    2 ** 35,
    2 ** 49 + 1,
    Number.MAX_SAFE_INTEGER,
    2 ** 62,
    2 ** 63,
    1e300,
  ]
  for (const number of numbers) {
    root.set(`number.${number}`, number)
    root.set(`negative.${number}`, -number)
    root.set(`fraction.${number}`, number + 0.5)
  }
  root.set('infinite', Number.POSITIVE_INFINITY)
  root.set('true', true)
  root.set('false', false)
  for (const length of [0, 1, 47, 48, 49, 127, 128, 129, 16_383, 16_384, 300_000])
    root.set(`text.${length}`, 'x'.repeat(length))
  root.set('text.é', 'é'.repeat(63))
  root.set('text.64é', 'é'.repeat(64))
  root.set('text.surrogate', '\ud800 alone')
  root.set('text.control', '\u0000\u007f')
  root.end(start + 1)
  return recorder
}
