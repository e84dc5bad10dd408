import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Attributes } from './recorder.ts'
import type { TracingConfig } from './tracing-config.ts'

/** What identifies this process in a trace backend (trace contract, section 1). What the gateway knows itself wins. */
export function resourceAttributes(config: TracingConfig): Attributes {
  return {
    'service.namespace': 'versitygw',
    'service.instance.id': randomUUID(),
    'host.name': hostname(),
    ...config.resourceAttributes,
    'service.name': config.serviceName,
    ...(config.serviceVersion === '' ? {} : { 'service.version': config.serviceVersion }),
    'process.pid': process.pid,
    'deployment.environment.name': config.environment,
    'deployment.environment': config.environment,
  }
}
