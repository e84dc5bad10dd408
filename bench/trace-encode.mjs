/**
 * What a trace costs the main thread: making the record, deciding, encoding, and sending it all to a receiver in another
 * process at a fixed rate. `npm run build && node bench/trace-encode.mjs`
 */
import { readFileSync } from 'node:fs'
import { startSink } from './peers.mjs'

const dist = process.env.DIST ?? new URL('../dist', import.meta.url).pathname
const { nowNs } = await import(`${dist}/trace/clock.js`)
const { SPAN } = await import(`${dist}/trace/names.js`)
const { OtlpBatch } = await import(`${dist}/trace/otlp-batch.js`)
const { Recorder } = await import(`${dist}/trace/recorder.js`)
const { requestAttributes, responseAttributes } = await import(`${dist}/trace/root-attributes.js`)
const { settle } = await import(`${dist}/trace/settle.js`)
const { createTracing } = await import(`${dist}/trace/tracing.js`)
const { OP } = await import(`${dist}/io/arena.js`)
const { ChainStep } = await import(`${dist}/io/chain-step.js`)
const { StepSpans } = await import(`${dist}/io/step-spans.js`)

const AGENT =
  'aws-cli/2.22.7 md/awscrt#0.23.4 ua/2.0 os/linux#6.1.0 md/arch#x86_64 lang/python#3.12.6 md/pyimpl#CPython cfg/retry-mode#standard'
const CONFIG = {
  enabled: true,
  exporters: ['otlp'],
  endpoint: 'http://localhost:4317',
  protocol: 'grpc',
  insecure: true,
  headers: {},
  compression: 'none',
  requestTimeoutMs: 10_000,
  serviceName: 'versitygw',
  environment: 'bench',
  serviceVersion: '0',
  resourceAttributes: {},
  sampleRate: 1,
  parentBased: true,
  keepErrors: 'all',
  slowThresholdMs: 1000,
  slowBytesPerSecond: 10 * 1024 ** 2,
  depth: 'io',
  trustParent: 'authenticated',
  semconv: 'dup',
  propagators: ['tracecontext'],
  spanLimits: {},
  batch: {
    unit: 'spans',
    maxQueueSize: 2048,
    maxExportBatchSize: 512,
    scheduleDelayMs: 5000,
    exportTimeoutMs: 30_000,
  },
}

const PARTS = { log: (level, message) => console.error(level, message), readSyscalls: () => [] }
const OBJECT = Buffer.alloc(4096)
const OUTCOME = { authenticated: true, status: 200, isHead: false }

/** A GetObject of 4 KiB: seven spans. */
function fill(recorder, number) {
  const { root } = recorder
  const at = root.startNs
  const key = `prefix/object-${number}`
  root.name = SPAN.root('GetObject')
  root.set('s3.operation', 'GetObject')
  root.set('s3.bucket', 'mybucket')
  root.set('s3.key', key)
  const auth = root.child(SPAN.auth, undefined, at + 1000)
  auth.set('auth.method', 'header')
  auth.set('auth.payload', 'unsigned')
  auth.set('auth.access_key', 'AKIAIOSFODNN7EXAMPLE')
  auth.set('auth.role', 'admin')
  auth.set('auth.is_root', true)
  auth.end(at + 9000)
  const backend = root.child(SPAN.backend('GetObject'), undefined, at + 11_000)
  backend.set('backend.type', 'posix')
  backend.set('backend.operation', 'GetObject')
  backend.set('s3.bucket', 'mybucket')
  backend.set('s3.key', key)
  const spans = new StepSpans()
  for (const [i, op] of [OP.open, OP.open, OP.readAttributes, OP.readWhole].entries()) {
    const step = new ChainStep(op, i, backend, undefined)
    step.ran = true
    step.queueNs = 11_000 + (number % 13)
    step.startNs = at + 12_000 + i * 5000
    step.endNs = step.startNs + 4000 + (number % 11)
    if (op === OP.readWhole) step.value = OBJECT
    spans.add(step, undefined)
  }
  spans.end()
  backend.set('s3.content_length', 4096)
  backend.end(at + 50_000)
  requestAttributes(root, 'dup', {
    method: 'GET',
    path: `/mybucket/${key}`,
    query: undefined,
    clientAddress: '192.0.2.7',
    userAgent: AGENT,
    serverHost: 'localhost:7070',
    serverPort: 7070,
    protocolVersion: '1.1',
  })
  responseAttributes(root, 'dup', 200)
  root.set('aws.request_id', '0123456789ABCDEF')
  root.set('s3.content_length', 4096)
  root.set('s3.etag', '"d41d8cd98f00b204e9800998ecf8427e"')
  root.set('vgw.ttfb_ms', 0.0481)
  root.set('vgw.client_wait_ms', 0)
  root.end(at + 60_000)
}

function measure(name, work, count = 20_000) {
  for (let i = 0; i < 60_000; i++) work(i)
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 40; round++) {
    const started = performance.now()
    for (let i = 0; i < count; i++) work(i)
    best = Math.min(best, ((performance.now() - started) * 1e6) / count)
  }
  console.log(`${name.padEnd(44)} ${best.toFixed(0).padStart(6)} ns a request`)
}

const ids = createTracing({ ...CONFIG, enabled: false }, PARTS)
measure('tracing off: ids only', () => ids.finish(ids.start({}, nowNs()), OUTCOME))
measure('record of 7 spans', (i) => fill(new Recorder(true, undefined, nowNs()), i))
const dropping = createTracing({ ...CONFIG, sampleRate: 0 }, PARTS)
measure('record, decided and dropped', (i) => {
  const recorder = dropping.start({}, nowNs())
  fill(recorder, i)
  dropping.finish(recorder, OUTCOME)
})

const records = Array.from({ length: 64 }, (_, i) => {
  const recorder = new Recorder(true, undefined, nowNs())
  fill(recorder, i)
  return recorder
})
const batch = new OtlpBatch({ 'service.name': 'versitygw' }, '0')
let encoded = 0
let bytes = 0
measure('settle and encode', (i) => {
  const recorder = records[i % records.length]
  settle(recorder)
  for (const span of recorder.spans) batch.add(span, recorder, 2)
  encoded++
  if (batch.spans >= 512) {
    const sealed = batch.seal()
    bytes += sealed.bytes.length
    batch.release(sealed.bytes.buffer)
  }
})
console.log(`${'bytes a request'.padEnd(44)} ${(bytes / encoded).toFixed(0).padStart(6)}`)

/** CPU time so far, in us: of the main thread and of all threads. */
function cpu() {
  const own = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]
  const { user, system } = process.cpuUsage()
  return { main: Number(own) / 1000, all: user + system }
}

/** Exporting at a rate to a receiver of its own: CPU time a request beyond that of making the records. */
async function exportAtRate(rate, seconds) {
  const sink = await startSink()
  const tracing = createTracing({ ...CONFIG, endpoint: `http://${sink.endpoint}` }, PARTS)
  const run = async (isExported) => {
    const before = cpu()
    const started = performance.now()
    let sent = 0
    while (performance.now() - started < seconds * 1000) {
      const due = ((performance.now() - started) / 1000) * rate
      for (; sent < due; sent++) {
        const recorder = new Recorder(true, undefined, nowNs())
        fill(recorder, sent)
        if (isExported) tracing.finish(recorder, OUTCOME)
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await tracing.flush()
    const { main, all } = cpu()
    return { main: (main - before.main) / sent, all: (all - before.all) / sent }
  }
  await run(true)
  const recorded = await run(false)
  const exported = await run(true)
  const main = (exported.main - recorded.main).toFixed(1)
  const all = (exported.all - recorded.all).toFixed(1)
  console.log(`gRPC at ${rate} requests/s, main thread ${main} us a request, all threads ${all} us`)
  console.log(JSON.stringify(tracing.stats()))
  await tracing.close()
  await sink.stop()
}

await exportAtRate(12_000, 5)
process.exit(0)
