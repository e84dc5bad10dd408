import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, scratch } from '../gateway.ts'
import { fileOfTraces } from './otlp-json.ts'
import type { TraceStore } from './seen-span.ts'
import { startCollector } from './server.ts'

/** What reaches the first pipeline's end is written to a file too, before anything is sampled. */
const withFile = (path: string): string => `
exporters:
  file: { path: '${path}', flush_interval: 100ms }
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [memory_limiter, resourcedetection, redaction]
      exporters: [spanmetrics, servicegraph, forward, file]
`

/** An OpenTelemetry Collector as it is deployed, asked by the file that it writes. */
export async function startFileCollector(program: string): Promise<TraceStore> {
  const dir = mkdtempSync(join(scratch(), 'vgw-collector-file-'))
  const path = join(dir, 'traces.jsonl')
  const [traces, metrics] = [await freePort(), await freePort()]
  const server = await startCollector(program, 'collector/config.yaml', {
    over: withFile(path),
    env: { TRACES_ENDPOINT: `127.0.0.1:${traces}`, METRICS_ENDPOINT: `127.0.0.1:${metrics}` },
  })
  return {
    exporter: 'otlp',
    flags: ['--otel-use-http', '--otel-endpoint', `http://127.0.0.1:${server.httpPort}`],
    isExact: true,
    trace: fileOfTraces(path),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true })
    },
  }
}
