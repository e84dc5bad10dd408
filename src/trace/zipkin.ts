import type { HrTime } from '@opentelemetry/api'
import { ZipkinExporter } from '@opentelemetry/exporter-zipkin'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'
import type { BatchExporter } from './batching-sink.ts'

/** Zipkin's JSON of version 2, by the official exporter: https://zipkin.io/zipkin-api/#/default/post_spans */
export function zipkinExporter(
  url: string,
  headers: Readonly<Record<string, string>>,
): BatchExporter {
  const exporter = new ZipkinExporter({ url, headers: { ...headers } })
  const send = (spans: ReadableSpan[]): Promise<void> =>
    new Promise((resolve, reject) => {
      exporter.export(spans, (result) => {
        // ExportResultCode.SUCCESS is 0.
        const code: number = result.code
        if (code === 0) resolve()
        else reject(result.error ?? new Error('export failed'))
      })
    })
  return {
    async export(traces) {
      const spans = traces.flatMap((trace) => trace.map(inMicroseconds))
      for (let at = 0; at < spans.length; at += SPANS_A_REQUEST)
        await send(spans.slice(at, at + SPANS_A_REQUEST))
    },
    close: () => exporter.shutdown(),
  }
}

/** A span takes about a kilobyte, with the resource in each; Zipkin takes 10 MB at a time. */
const SPANS_A_REQUEST = 3000

/**
 * Zipkin's times are whole microseconds, and it refuses what is not; the exporter passes on what it gets, since spans of
 * the SDK begin at whole milliseconds.
 */
function inMicroseconds(span: ReadableSpan): ReadableSpan {
  return {
    ...span,
    startTime: whole(span.startTime),
    duration: whole(span.duration),
  }
}

function whole([seconds, nanoseconds]: HrTime): HrTime {
  return [seconds, Math.floor(nanoseconds / 1000) * 1000]
}
