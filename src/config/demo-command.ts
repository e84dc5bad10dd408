import type { Listener } from '../http/listener.ts'
import { parseFlags } from './command-line.ts'
import { readTable, setting } from './setting.ts'
import {
  ConfigError,
  UsageError,
  duration,
  integer,
  listenerOn,
  text,
  type Environment,
} from './values.ts'

/** Settings of `versitygw-ts demo`. */
export const DEMO_SETTINGS = {
  exporter: setting({
    scope: 'demo',
    flag: 'exporter',
    env: [],
    parse: text,
    default: 'console',
    help: 'where its traces go, as --otel-exporter',
  }),
  endpoint: setting({
    scope: 'demo',
    flag: 'endpoint',
    env: [],
    parse: text,
    help: 'the receiver, as --otel-endpoint',
  }),
  durationMs: setting({
    scope: 'demo',
    flag: 'duration',
    env: [],
    parse: seconds,
    default: 60_000,
    help: 'how long it plays: seconds, or a time such as 5m (default 60)',
  }),
  workers: setting({
    scope: 'demo',
    flag: 'workers',
    env: [],
    parse: integer(1, 200),
    default: 5,
    help: 'simulated clients',
  }),
  port: setting({
    scope: 'demo',
    flag: 'port',
    env: [],
    parse: listenerOn(7070),
    help: 'where the gateway listens (default: a free port of this host)',
  }),
  viewer: setting({
    scope: 'demo',
    flag: 'viewer',
    env: [],
    parse: listenerOn(7071),
    help: 'where its trace viewer listens (default: a free port of this host)',
  }),
}

const FREE: Listener = { host: '127.0.0.1', port: 0 }

export type DemoCommand =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'run'
      readonly exporter: string
      readonly endpoint: string | undefined
      readonly durationMs: number
      readonly workers: number
      /** As the gateway's flags take them. */
      readonly port: string
      readonly viewer: string
      /** What the gateway is started with. */
      readonly env: Environment
    }

export function readDemoCommand(argv: readonly string[], env: Environment): DemoCommand {
  const line = parseFlags(argv, Object.values(DEMO_SETTINGS))
  if (line.flags.has('help')) return { kind: 'help' }
  const [surplus] = line.operands
  if (surplus !== undefined) throw new UsageError(`demo: "${surplus}" is no flag`, 2)
  const { values } = readTable(DEMO_SETTINGS, line.flags, env)
  return {
    kind: 'run',
    exporter: values.exporter,
    endpoint: values.endpoint,
    durationMs: values.durationMs,
    workers: values.workers,
    port: placeText('--port', values.port ?? FREE),
    viewer: placeText('--viewer', values.viewer ?? FREE),
    env,
  }
}

function seconds(value: string): number {
  return duration(/^\d+(?:\.\d+)?$/.test(value.trim()) ? `${value.trim()}s` : value)
}

function placeText(flag: string, place: Listener): string {
  if ('path' in place) throw new ConfigError(`${flag}: the demonstration needs a port`)
  const { host = '', port } = place
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
