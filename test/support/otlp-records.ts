import { SPAN } from '../../src/trace/names.ts'
import { Recorder, type RemoteParent } from '../../src/trace/recorder.ts'
import type { SyscallFacts, TracingConfig } from '../../src/trace/tracing-config.ts'

/** Configuration for a receiver of the tests, which batches little so that nothing waits. */
export function tracingConfig(given: Partial<TracingConfig> = {}): TracingConfig {
  return {
    enabled: true,
    exporters: ['otlp'],
    endpoint: 'localhost:4317',
    protocol: 'grpc',
    encoding: 'protobuf',
    insecure: true,
    headers: {},
    tlsFiles: { ca: undefined, cert: undefined, key: undefined },
    compression: 'none',
    requestTimeoutMs: 10_000,
    zipkinEndpoint: 'http://localhost:9411/api/v2/spans',
    file: { path: '/nowhere/traces.jsonl', maxBytes: 1024 ** 2 },
    serviceName: 'versitygw',
    environment: 'test',
    serviceVersion: '1.2.3',
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
    spanLimits: {
      attributeValueLength: undefined,
      attributeCount: undefined,
      eventCount: undefined,
      linkCount: undefined,
      eventAttributeCount: undefined,
      linkAttributeCount: undefined,
    },
    batch: {
      unit: 'spans',
      maxQueueSize: 2048,
      maxExportBatchSize: 512,
      scheduleDelayMs: 20,
      exportTimeoutMs: 20_000,
    },
    ...given,
  }
}

export const CALLER: RemoteParent = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  sampled: true,
  traceState: 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
}

const US = 1e3
const MS = 1e6

/** The record of a PutObject as the gateway makes it; times are those of the contract's examples, not of a clock. */
export function putObjectRecord(startNs: number, parent?: RemoteParent): Recorder {
  const recorder = new Recorder(true, parent, startNs)
  const { root } = recorder
  root.name = SPAN.root('PutObject')
  root.set('http.method', 'PUT')
  root.set('http.url', '/bucket/schlüssel/日本語/😀')
  root.set('http.status_code', 200)
  root.set('http.user_agent', `aws-cli/2.x ${'x'.repeat(200)}`)
  root.set('s3.content_length', 6_442_450_944)
  root.set('vgw.ttfb_ms', 12)
  root.set('vgw.client_wait_ms', 0.25)
  root.set('vgw.sampling.reason', 'error')
  root.set('vgw.sampling.reason', 'head')
  const auth = root.child(
    SPAN.auth,
    { 'auth.method': 'header', 'auth.is_root': true, 'auth.role': 'admin' },
    startNs + 10 * US,
  )
  auth.end(startNs + 95 * US)
  const backend = root.child(
    SPAN.backend('PutObject'),
    { 'backend.type': 'posix', 's3.key': 'k' },
    startNs + 100 * US,
  )
  const open = backend.child(
    SPAN.openTmpFile,
    { 'posix.dir': '/data/bucket/.sgwtmp', 'posix.size': 0, 'posix.errno': -17 },
    startNs + 120 * US,
  )
  open.end(startNs + 150 * US)
  const write = backend.child(SPAN.writeData, { 'posix.queue_ms': 0 }, startNs + 150 * US)
  write.set('posix.bytes_written', 104_857_600)
  write.syscalls = Float64Array.of(startNs + 200 * US)
  write.end(startNs + 150 * US + 450 * MS)
  const link = backend.child(
    SPAN.linkFile,
    { 'posix.bucket': 'bucket', 'posix.link_method': 'linkat' },
    startNs + 451 * MS,
  )
  link.fail({
    type: 'ENOSPC',
    message: 'linkat: ENOSPC',
    stack: 'IoError: linkat: ENOSPC\n    at somewhere',
  })
  link.end(startNs + 452 * MS)
  backend.end(startNs + 453 * MS)
  root.end(startNs + 454 * MS)
  return recorder
}

/** Reads what `putObjectRecord` puts in place of system-call records. */
export function* readTestSyscalls(records: Float64Array): Generator<SyscallFacts> {
  for (const startNs of records) {
    yield {
      name: 'pwrite',
      startNs,
      endNs: startNs + 1500,
      fd: 21,
      offset: 2 ** 40,
      bytes: 524_288,
      errno: 0,
    }
    yield { name: 'fsync', startNs: startNs + 2000, endNs: startNs + 3000, fd: 21, errno: 5 }
  }
}
