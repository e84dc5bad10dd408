import { nowNs } from '../../src/trace/clock.ts'
import { formatTraceparent } from '../../src/trace/context.ts'
import type { Recorder } from '../../src/trace/recorder.ts'
import { createTracing, type Tracing, type TracingParts } from '../../src/trace/tracing.ts'
import type { TracingConfig } from '../../src/trace/tracing-config.ts'
import { readTestSyscalls, tracingConfig } from './otlp-records.ts'

/** Tracing as the gateway builds it, and what it wrote to the log. */
export interface LoggedTracing extends Tracing {
  readonly lines: string[]
}

export function loggedTracing(
  config: Partial<TracingConfig>,
  parts: Partial<TracingParts> = {},
): LoggedTracing {
  const lines: string[] = []
  const log = (level: string, message: string): void => void lines.push(`${level} ${message}`)
  return {
    ...createTracing(tracingConfig(config), { log, readSyscalls: readTestSyscalls, ...parts }),
    lines,
  }
}

export interface RequestOptions {
  readonly authenticated?: boolean
  readonly traceparent?: string
  readonly tracestate?: string
  /** Spans below the root. */
  readonly children?: number
  readonly status?: number
  readonly tookMs?: number
}

/** One request from its start to its end. */
export function traceRequest(tracing: Tracing, options: RequestOptions = {}): Recorder {
  const { authenticated = true, traceparent, tracestate, children = 2, status = 200 } = options
  const recorder = tracing.start({ traceparent, tracestate }, nowNs() - (options.tookMs ?? 0) * 1e6)
  recorder.root.name = 'S3.GetObject'
  for (let i = 0; i < children; i++) recorder.root.child('Backend.GetObject', { number: i }).end()
  tracing.finish(recorder, { authenticated, status, isHead: false })
  return recorder
}

export function traceparentOf(traceId: string, sampled = true): string {
  return formatTraceparent(traceId, '00f067aa0ba902b7', sampled)
}
