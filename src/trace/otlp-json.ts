import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'
import type { BatchExporter } from './batching-sink.ts'
import type { Transport } from './exporters.ts'
import { jsonRequest } from './json-request.ts'

/** Some 0.7 kB each; receivers take a few MB at a time. */
const SPANS_A_REQUEST = 3000

/**
 * OTLP/HTTP with its JSON encoding, for receivers and proxies that take no other. It is made of the SDK's spans, on the main
 * thread, and costs several times what protobuf does: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function otlpJsonExporter(transport: Transport): BatchExporter {
  return {
    async export(traces) {
      const spans = traces.flat()
      for (let at = 0; at < spans.length; at += SPANS_A_REQUEST)
        await send(transport, spans.slice(at, at + SPANS_A_REQUEST))
    },
    close: () => transport.close(),
    abort: () => transport.abort(),
  }
}

function send(transport: Transport, spans: ReadableSpan[]): Promise<void> {
  // A copy in memory of its own, since it may be handed over to another thread.
  const bytes = Uint8Array.from(jsonRequest(spans))
  return new Promise((resolve, reject) => {
    transport.send({ bytes, spans: spans.length }, (error) => {
      if (error === undefined) resolve()
      else reject(error)
    })
  })
}
