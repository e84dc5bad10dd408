import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'

/**
 * ExportTraceServiceRequest in OTLP's JSON, by the SDK: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 *
 * The SDK writes a number that happens to be whole as an integer, which is another type: durations and rates are doubles
 * (`isDoubleKey`). Within a text each quotation mark has a backslash before it, so that no value looks like this.
 */
export function jsonRequest(spans: readonly ReadableSpan[]): Uint8Array {
  const bytes = JsonTraceSerializer.serializeRequest([...spans]) ?? new Uint8Array()
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  return Buffer.from(text.replaceAll(WHOLE_DOUBLE, '$1"doubleValue":'))
}

const WHOLE_DOUBLE = /("key":"[^"\\]*_(?:ms|us|mbps)","value":\{)"intValue":/g
