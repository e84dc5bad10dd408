import { parseFlags } from './command-line.ts'
import { SERVER_SETTINGS } from './server-settings.ts'
import { readTable, resolve, setting, toggle, type GivenFlags, type Values } from './setting.ts'
import { ConfigError, UsageError, integer, text, type Environment } from './values.ts'

/** Which running gateway is asked, and as whom. */
const CONNECTION = {
  viewerUrl: setting({
    scope: 'viewer',
    flag: 'viewer-url',
    env: 'VGW_VIEWER_URL',
    parse: text,
    help: 'where the trace viewer listens (default: what `npm start` left in .local/viewer)',
  }),
  token: setting({
    scope: 'viewer',
    flag: 'token',
    env: 'VGW_VIEWER_TOKEN',
    parse: text,
    secret: true,
    help: 'its token (default: that of .local/viewer); as a flag other users of the machine see it',
  }),
  access: setting({
    scope: 'viewer',
    flag: 'access',
    alias: 'a',
    env: ['ADMIN_ACCESS_KEY_ID', 'ADMIN_ACCESS_KEY'],
    parse: text,
    help: 'access key of an admin account, in place of the token (the root account unless given)',
  }),
  secret: setting({
    scope: 'viewer',
    flag: 'secret',
    alias: 's',
    env: ['ADMIN_SECRET_ACCESS_KEY', 'ADMIN_SECRET_KEY'],
    parse: text,
    secret: true,
    help: 'its secret key',
  }),
  allowInsecure: toggle({
    scope: 'viewer',
    flag: 'allow-insecure',
    env: 'ADMIN_ALLOW_INSECURE',
    help: 'do not verify the TLS certificate of the gateway',
  }),
  json: toggle({
    scope: 'viewer',
    flag: 'json',
    env: [],
    help: 'what the viewer answered, as JSON',
  }),
  tree: toggle({ scope: 'viewer', flag: 'tree', env: [], help: 'with all spans, and bars' }),
}

const given = (flag: string, help: string) =>
  setting({ scope: 'viewer', flag, env: [], parse: text, help })

/** What is shown of all that is there. */
const FILTERS = {
  operation: given('operation', 'only this operation, such as GetObject'),
  bucket: given('bucket', 'only this bucket'),
  prefix: given('prefix', 'only keys that begin so'),
  status: given('status', 'only this status: 404, 5xx, or error for 400 and above'),
  minMs: given('min-ms', 'only what took so many milliseconds or more'),
  by: given('by', 'only requests of this access key'),
  reason: given('reason', 'only traces kept for this reason: head, error or slow'),
}

export const VIEWER_COMMANDS = {
  explain: {
    usage: 'explain [flags] TRACE-ID | REQUEST-ID | --slowest | --last-error',
    help: 'say in words where the time of a request went, and why',
    flags: {
      ...CONNECTION,
      ...FILTERS,
      slowest: toggle({
        scope: 'viewer',
        flag: 'slowest',
        env: [],
        help: 'the slowest request that is held',
      }),
      lastError: toggle({
        scope: 'viewer',
        flag: 'last-error',
        env: [],
        help: 'the last request that was answered with 400 or above',
      }),
    },
  },
  traces: {
    usage: 'traces [flags]',
    help: 'list the last kept traces, or follow them as they come',
    flags: {
      ...CONNECTION,
      ...FILTERS,
      follow: toggle({
        scope: 'viewer',
        flag: 'follow',
        alias: 'f',
        env: [],
        help: 'go on with each new one until Ctrl-C',
      }),
      limit: setting({
        scope: 'viewer',
        flag: 'limit',
        alias: 'n',
        env: [],
        parse: integer(1, 500),
        default: 20,
        help: 'so many at most',
      }),
    },
  },
} as const

export type ViewerCommandName = keyof typeof VIEWER_COMMANDS

/** Which gateway to ask. Without a URL, what `npm start` left tells; without a token, an account or that too. */
export interface ViewerConnection {
  readonly url: string | undefined
  readonly token: string | undefined
  readonly account: { readonly access: string; readonly secret: string } | undefined
  readonly allowInsecure: boolean
}

interface Shown {
  readonly connection: ViewerConnection
  /** Query parameters of the viewer's API. */
  readonly filter: Readonly<Record<string, string>>
  readonly json: boolean
  readonly tree: boolean
  /** Unless NO_COLOR says otherwise: https://no-color.org */
  readonly mayColor: boolean
}

export type ViewerCommand =
  | { readonly kind: 'help'; readonly name: ViewerCommandName }
  | ({ readonly kind: 'explain'; readonly what: Wanted } & Shown)
  | ({ readonly kind: 'traces'; readonly follow: boolean; readonly limit: number } & Shown)

export type Wanted =
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'slowest' }
  | { readonly kind: 'last-error' }

/** Reads `explain …` and `traces …`; `global` are the flags before it. */
export function readViewerCommand(
  name: ViewerCommandName,
  argv: readonly string[],
  { global, env }: { readonly global: GivenFlags; readonly env: Environment },
): ViewerCommand {
  const line = parseFlags(argv, Object.values(VIEWER_COMMANDS[name].flags))
  if (line.flags.has('help')) return { kind: 'help', name }
  const operands = line.operands
  if (name === 'explain') {
    const { values } = readTable(VIEWER_COMMANDS.explain.flags, line.flags, env)
    const what = readWanted(operands, values)
    return { kind: 'explain', what, ...shown(values, global, env) }
  }
  const [surplus] = operands
  if (surplus !== undefined) throw new UsageError(`traces: "${surplus}" is no flag`, 2)
  const { values } = readTable(VIEWER_COMMANDS.traces.flags, line.flags, env)
  return {
    kind: 'traces',
    follow: values.follow,
    limit: values.limit,
    ...shown(values, global, env),
  }
}

function readWanted(
  operands: readonly string[],
  { slowest, lastError }: { readonly slowest: boolean; readonly lastError: boolean },
): Wanted {
  const [id, surplus] = operands
  const asked = [id !== undefined, slowest, lastError].filter(Boolean).length
  if (asked !== 1 || surplus !== undefined)
    throw new UsageError(
      'explain: one of TRACE-ID, REQUEST-ID, --slowest and --last-error is needed',
      2,
    )
  if (slowest) return { kind: 'slowest' }
  if (lastError) return { kind: 'last-error' }
  if (/^(?:[0-9a-f]{16}|[0-9a-f]{32})$/i.test(id ?? '')) return { kind: 'id', id: id ?? '' }
  throw new UsageError(
    `explain: "${id}" is neither a trace id (32 hex digits) nor a request id (16)`,
    2,
  )
}

function shown(
  values: Values<typeof CONNECTION & typeof FILTERS>,
  global: GivenFlags,
  env: Environment,
): Shown {
  const access = values.access ?? resolve(SERVER_SETTINGS.access, global, env).value
  const secret = values.secret ?? resolve(SERVER_SETTINGS.secret, global, env).value
  const hasAccount = access !== undefined && secret !== undefined && access !== '' && secret !== ''
  const filter: Record<string, string> = {}
  for (const [name, value] of Object.entries({
    operation: values.operation,
    bucket: values.bucket,
    prefix: values.prefix,
    status: values.status,
    minMs: values.minMs,
    access: values.by,
    reason: values.reason,
  }))
    if (value !== undefined && value !== '') filter[name] = value
  if (values.viewerUrl !== undefined && !isHttp(values.viewerUrl))
    throw new ConfigError(
      `--viewer-url: "${withoutToken(values.viewerUrl)}" is no URL of http:// or https://`,
    )
  return {
    connection: {
      url: values.viewerUrl,
      token: values.token,
      account: hasAccount ? { access, secret } : undefined,
      allowInsecure: values.allowInsecure,
    },
    filter,
    json: values.json,
    tree: values.tree,
    mayColor: (env['NO_COLOR'] ?? '') === '',
  }
}

function isHttp(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
}

function withoutToken(value: string): string {
  return value.replace(/#.*$/s, '')
}
