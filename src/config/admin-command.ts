import { ADMIN_ACTIONS, ADMIN_SETTINGS, type AdminActionName } from './admin-settings.ts'
import { parseFlags } from './command-line.ts'
import { readTable, resolve, type GivenFlags, type Setting, type Values } from './setting.ts'
import { SERVER_SETTINGS } from './server-settings.ts'
import { ConfigError, UsageError, type Environment } from './values.ts'

/** Which gateway to ask and as whom. Without `secret` the terminal is asked for it. */
export interface AdminConnection {
  readonly endpoint: URL
  readonly access: string
  readonly secret: string | undefined
  readonly region: string
  readonly allowInsecure: boolean
}

type Given<K extends AdminActionName> = Values<(typeof ADMIN_ACTIONS)[K]['flags']>

/** One action and what it was told; required flags are there. */
export type AdminAction = {
  [K in AdminActionName]: { readonly name: K } & Given<K>
}[AdminActionName]

export type AdminCommand =
  | { readonly kind: 'run'; readonly connection: AdminConnection; readonly action: AdminAction }
  | { readonly kind: 'help'; readonly action: AdminActionName | undefined }

/**
 * Reads `admin [flags] action [flags]`; `global` are the flags before `admin`, whose credentials stand in for those that
 * are missing. Checks come in VersityGW's order, with its words.
 */
export function readAdminCommand(
  argv: readonly string[],
  global: GivenFlags,
  env: Environment,
): AdminCommand {
  const line = parseFlags(argv, Object.values(ADMIN_SETTINGS), { stopsAtOperand: true })
  const [name, ...rest] = line.operands
  if (name === undefined || name === 'help' || name === 'h')
    return { kind: 'help', action: undefined }
  if (!isAction(name)) throw new UsageError(`No help topic for '${name}'`, 3)
  const { flags, required } = ADMIN_ACTIONS[name]
  const own = parseFlags(rest, Object.values(flags))
  if (line.flags.has('help')) return { kind: 'help', action: undefined }
  if (own.flags.has('help')) return { kind: 'help', action: name }

  const { values } = readTable(ADMIN_SETTINGS, line.flags, env)
  if (values.endpointUrl === undefined)
    throw new ConfigError('Required flag "endpoint-url" not set')
  const missing = required.filter((flag) => !own.flags.has(flag))
  if (missing.length > 0)
    throw new ConfigError(
      `Required flag${missing.length > 1 ? 's' : ''} "${missing.join(', ')}" not set`,
    )
  const access = values.access ?? resolve(SERVER_SETTINGS.access, global, env).value
  if (access === undefined || access === '')
    throw new ConfigError('subcommand admin access key id is not set')
  return {
    kind: 'run',
    connection: {
      endpoint: readEndpoint(values.endpointUrl),
      access,
      secret: values.secret ?? resolve(SERVER_SETTINGS.secret, global, env).value,
      region: values.region,
      allowInsecure: values.allowInsecure,
    },
    // The values were read by the table of this very name.
    action: {
      name,
      ...readTable<Readonly<Record<string, Setting<unknown>>>>(flags, own.flags, env).values,
    } as unknown as AdminAction,
  }
}

function isAction(name: string): name is AdminActionName {
  return Object.hasOwn(ADMIN_ACTIONS, name)
}

function readEndpoint(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new ConfigError(`--endpoint-url: "${value}" is no URL of http:// or https://`)
}
