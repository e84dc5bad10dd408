import type { BatchExporter } from './batching-sink.ts'
import { jsonRequest } from './json-request.ts'

/** Where lines are written: a file that somebody keeps from growing without end. */
export interface LineFile {
  append(lines: Uint8Array): Promise<void>
  close(): Promise<void>
}

const NEWLINE = Buffer.from('\n')

/**
 * OTLP as JSON lines, one trace a line, as collectors' `otlpjsonfile` receiver reads them:
 * https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
 */
export function fileExporter(file: LineFile): BatchExporter {
  return {
    async export(traces) {
      const lines: Uint8Array[] = []
      for (const trace of traces) {
        if (trace.length > 0) lines.push(jsonRequest(trace), NEWLINE)
      }
      if (lines.length > 0) await file.append(Buffer.concat(lines))
    },
    close: () => file.close(),
  }
}
