import parser from 'yargs-parser'
import type { GivenFlags, Scope, Setting } from './setting.ts'
import { ConfigError, bool } from './values.ts'

export interface CommandLine {
  /** Undefined when only flags, or nothing, was given. */
  readonly command: string | undefined
  readonly flags: GivenFlags
  /** What stands after the sub-command and is no flag. */
  readonly operands: readonly string[]
  /** All that stands after the sub-command, for those that have commands of their own. */
  readonly rest: readonly string[]
  readonly help: boolean
  readonly version: boolean
}

/**
 * Splits a command line `[global flags] command [flags] operands` by the rules of Go's flag package, which VersityGW's
 * users know: one dash or two, `-x v` or `-x=v`, a value may begin with a dash, a switch takes a value only as `-x=false`.
 *
 * yargs's parser is called by itself: laid around it, yargs would take a fifth of the time the gateway has to start.
 */
export function parseCommandLine(
  argv: readonly string[],
  settings: readonly Setting<unknown>[],
): CommandLine {
  const global = parse(argv, settings, 'global')
  const [command, ...rest] = global.operands
  const own = command === 'posix' ? parse(rest, settings, 'posix') : NOTHING
  const flags = new Map([...global.flags, ...own.flags])
  return {
    command,
    flags,
    operands: own.operands,
    rest,
    help: flags.has('help') || command === 'help' || command === 'h',
    version: flags.has('version'),
  }
}

function parse(
  argv: readonly string[],
  settings: readonly Setting<unknown>[],
  scope: Scope,
): ParsedFlags {
  const own = settings.filter((setting) => setting.scope === scope)
  return parseFlags(argv, own, {
    stopsAtOperand: scope === 'global',
    unknownFlag: (flag) => unknownFlag(flag, settings, scope),
  })
}

export interface ParsedFlags {
  readonly flags: GivenFlags
  readonly operands: readonly string[]
}

const NOTHING: ParsedFlags = { flags: new Map(), operands: [] }

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

/** Reads these flags, and --help and --version beside them; with `stopsAtOperand` only what stands before the first operand. */
export function parseFlags(
  argv: readonly string[],
  settings: readonly Setting<unknown>[],
  {
    stopsAtOperand = false,
    unknownFlag = (flag: string) => new ConfigError(`unknown flag --${flag}`),
  } = {},
): ParsedFlags {
  const known = knownFlags(settings)
  const { argv: found, error } = parser.detailed(withPlainSwitches(argv, known), {
    alias: known.aliases,
    boolean: known.switches,
    string: known.values,
    narg: Object.fromEntries(known.values.map((flag) => [flag, 1])),
    configuration: { ...PARSER, 'halt-at-non-option': stopsAtOperand },
  })
  if (error !== null) throw new ConfigError(readable(error.message))
  const flags = new Map<string, string[]>()
  for (const [flag, value] of Object.entries(found)) {
    if (flag === '_') continue
    if (!Object.hasOwn(known.aliases, flag)) throw unknownFlag(flag)
    flags.set(flag, [value].flat().map(String))
  }
  return { flags, operands: found._.map(String) }
}

interface KnownFlags {
  /** Every flag, also those without an alias. */
  readonly aliases: Record<string, string[]>
  readonly switches: string[]
  readonly values: string[]
}

function knownFlags(settings: readonly Setting<unknown>[]): KnownFlags {
  const known: KnownFlags = {
    aliases: { help: ['h'], version: ['v'] },
    switches: ['help', 'version'],
    values: [],
  }
  for (const { flag, aliases, form } of settings) {
    if (flag === undefined) continue
    known.aliases[flag] = [...aliases]
    ;(form === 'switch' ? known.switches : known.values).push(flag)
  }
  return known
}

/** `--x=1` of a switch, which yargs would take for false, becomes `--x=true`. */
function withPlainSwitches(argv: readonly string[], { switches, aliases }: KnownFlags): string[] {
  const names = new Set(switches.flatMap((flag) => [flag, ...(aliases[flag] ?? [])]))
  return argv.map((argument) => {
    const [, dashes = '', flag = '', value = ''] = /^(--?)([^=]+)=(.*)$/s.exec(argument) ?? []
    if (!names.has(flag)) return argument
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
  return new ConfigError(`--${flag} stands ${scope === 'global' ? 'after' : 'before'} "posix"`)
}

/** yargs says "Not enough arguments following: port". */
function readable(message: string): string {
  const [, flag] = /^Not enough arguments following: (.+)$/.exec(message) ?? []
  return flag === undefined ? message : `--${flag}: a value is missing`
}
