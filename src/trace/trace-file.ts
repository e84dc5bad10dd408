import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer'
import type { BatchExporter } from './batching-sink.ts'

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
        const line = JsonTraceSerializer.serializeRequest([...trace])
        if (trace.length > 0 && line !== undefined) lines.push(withDoubles(line), NEWLINE)
      }
      if (lines.length > 0) await file.append(Buffer.concat(lines))
    },
    close: () => file.close(),
  }
}

/**
 * The SDK writes a number that happens to be whole as an integer, which is another type: durations and rates are doubles
 * (`isDoubleKey`). Within a text each quotation mark has a backslash before it, so that no value looks like this.
 */
function withDoubles(line: Uint8Array): Uint8Array {
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8')
  return Buffer.from(text.replaceAll(WHOLE_DOUBLE, '$1"doubleValue":'))
}

const WHOLE_DOUBLE = /("key":"[^"\\]*_(?:ms|us|mbps)","value":\{)"intValue":/g
