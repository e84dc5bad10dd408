import type { Argv, Options } from 'yargs'
import type { GivenFlags, Scope, Setting } from './setting.ts'
import { ConfigError, bool } from './values.ts'

export interface CommandLine {
  /** Undefined when only flags, or nothing, was given. */
  readonly command: string | undefined
  readonly flags: GivenFlags
  /** What stands after the sub-command and is no flag. */
  readonly operands: readonly string[]
  readonly help: boolean
  readonly version: boolean
}

/**
 * Splits a command line `[global flags] command [flags] operands` by the rules of Go's flag package, which VersityGW's users
 * know: one dash or two, `-x v` or `-x=v`, a value may begin with a dash, a switch takes a value only as `-x=false`.
 */
export async function parseCommandLine(
  argv: readonly string[],
  settings: readonly Setting<unknown>[],
): Promise<CommandLine> {
  const { default: yargs } = await import('yargs')
  const global = parse(yargs(), argv, settings, 'global')
  const [command, ...rest] = global.operands
  const own = command === 'posix' ? parse(yargs(), rest, settings, 'posix') : NOTHING
  const flags = new Map([...global.flags, ...own.flags])
  return {
    command,
    flags,
    operands: own.operands,
    help: flags.has('help') || command === 'help' || command === 'h',
    version: flags.has('version'),
  }
}

/** Everything this gateway can be told, with its variables; what is not available yet is left out. */
export async function helpText(settings: readonly Setting<unknown>[]): Promise<string> {
  const { default: yargs } = await import('yargs')
  const parser = yargs()
    .scriptName('versitygw-ts')
    .usage('$0 [global flags] posix [flags] DIR')
    .help(false)
    .version(false)
    .wrap(110)
  const available = settings.filter((setting) => setting.available)
  const global = { ...ALWAYS, ...options(available, 'global') }
  const posix = options(available, 'posix')
  return parser
    .options({ ...global, ...posix })
    .group(Object.keys(global), 'Global flags:')
    .group(Object.keys(posix), 'Flags of posix:')
    .getHelp()
}

interface Parsed {
  readonly flags: GivenFlags
  readonly operands: readonly string[]
}

const NOTHING: Parsed = { flags: new Map(), operands: [] }

function parse(
  parser: Argv,
  argv: readonly string[],
  settings: readonly Setting<unknown>[],
  scope: Scope,
): Parsed {
  const known = { ...ALWAYS, ...options(settings, scope) }
  const found = parser
    .help(false)
    .version(false)
    .detectLocale(false)
    .exitProcess(false)
    .parserConfiguration({ ...PARSER, 'halt-at-non-option': scope === 'global' })
    .options(known)
    .fail((message) => {
      throw new ConfigError(readable(message))
    })
    .parseSync(withPlainSwitches(argv, known))
  const flags = new Map<string, string[]>()
  for (const [flag, value] of Object.entries(found)) {
    if (flag === '_' || flag === '$0') continue
    if (!Object.hasOwn(known, flag)) throw unknownFlag(flag, settings, scope)
    flags.set(flag, [value].flat().map(String))
  }
  return { flags, operands: found._.map(String) }
}

const PARSER = {
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'greedy-arrays': false,
  'nargs-eats-options': true,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'short-option-groups': false,
  'strip-aliased': true,
}

/** Asks about the program rather than setting something. */
const ALWAYS: Record<string, Options> = {
  help: { type: 'boolean', alias: 'h', describe: 'this text' },
  version: { type: 'boolean', alias: 'v', describe: 'version of the gateway' },
}

function options(settings: readonly Setting<unknown>[], scope: Scope): Record<string, Options> {
  const all: Record<string, Options> = {}
  for (const setting of settings) {
    if (setting.scope !== scope || setting.flag === undefined) continue
    all[setting.flag] = {
      alias: [...setting.aliases],
      describe: describe(setting),
      ...(setting.form === 'switch' ? { type: 'boolean' } : { type: 'string', nargs: 1 }),
    }
  }
  return all
}

function describe(setting: Setting<unknown>): string {
  const simple = typeof setting.default === 'string' || typeof setting.default === 'number'
  const shown =
    simple && !setting.help.includes('(default') ? ` (default ${String(setting.default)})` : ''
  const names = setting.env.map((variable) =>
    typeof variable === 'string' ? variable : variable.name,
  )
  return `${setting.help}${shown} [${[...new Set(names)].join(', ')}]`
}

/** `--x=1` of a switch, which yargs would take for false, becomes `--x=true`. */
function withPlainSwitches(
  argv: readonly string[],
  known: Readonly<Record<string, Options>>,
): string[] {
  const switches = new Set(
    Object.entries(known)
      .filter(([, option]) => option.type === 'boolean')
      .flatMap(([flag, { alias = [] }]) => [flag, alias].flat()),
  )
  return argv.map((argument) => {
    const [, dashes = '', flag = '', value = ''] = /^(--?)([^=]+)=(.*)$/s.exec(argument) ?? []
    if (!switches.has(flag)) return argument
    try {
      return `${dashes}${flag}=${String(bool(value))}`
    } catch (error) {
      throw error instanceof ConfigError ? new ConfigError(`--${flag}: ${error.message}`) : error
    }
  })
}

function unknownFlag(
  flag: string,
  settings: readonly Setting<unknown>[],
  scope: Scope,
): ConfigError {
  const other = settings.find((setting) => setting.flag === flag || setting.aliases.includes(flag))
  if (other === undefined) return new ConfigError(`unknown flag --${flag}`)
  const place = scope === 'global' ? 'after' : 'before'
  return new ConfigError(`--${flag} stands ${place} "posix"`)
}

/** yargs says "Not enough arguments following: port". */
function readable(message: string): string {
  const [, flag] = /^Not enough arguments following: (.+)$/.exec(message) ?? []
  return flag === undefined ? message : `--${flag}: a value is missing`
}
