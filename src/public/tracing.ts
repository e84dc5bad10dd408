import { PROCESS_ENVIRONMENT } from '../config/environment.ts'
import { LiveTracing } from './live-tracing.ts'
import { noTracing } from './no-tracing.ts'
import { configFromEnv, configFromOptions } from './options.ts'
import type { Tracing, TracingOptions } from './types.ts'

export type * from './types.ts'

/** Tracing as told. Throws an Error that names the option where one is wrong. */
export function createTracing(options: TracingOptions): Tracing {
  const config = configFromOptions(options)
  if (!config.enabled) return noTracing()
  const { autoInstrument = false, metrics = false } = options
  return new LiveTracing(config, { autoInstrument, metrics })
}

/**
 * Tracing as the gateway's own variables and OpenTelemetry's say (VGW_OTEL_*, OTEL_*): off unless VGW_OTEL_ENABLED or
 * TRACING_ENABLED turns it on. VGW_OTEL_AUTO_INSTRUMENT and VGW_OTEL_SPAN_METRICS stand for the two options of that kind.
 */
export function fromEnv(
  environment: Readonly<Record<string, string | undefined>> = PROCESS_ENVIRONMENT,
): Tracing {
  const { config, autoInstrument, metrics } = configFromEnv(environment)
  return config.enabled ? new LiveTracing(config, { autoInstrument, metrics }) : noTracing()
}
