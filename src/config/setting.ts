import { ConfigError, bool, text, type Environment, type Parse } from './values.ts'

/** Where a value may come from when no flag gives it. A string names a variable read like the flag. */
export type EnvSource<T> = string | ForeignVariable<T>

/** A variable with a language of its own. `read` answers undefined where the variable has nothing to say. */
export interface ForeignVariable<T> {
  readonly name: string
  readonly read: (text: string, env: Environment) => T | undefined
}

/** One row of the table: everything there is to know of one setting. */
export interface Setting<T> {
  /** Without dashes; undefined for what only variables set. */
  readonly flag: string | undefined
  readonly aliases: readonly string[]
  /** In order of precedence; the first that is not empty counts. */
  readonly env: readonly EnvSource<T>[]
  /** A switch stands alone on the command line, `one` takes a value, `many` may be repeated. */
  readonly form: 'switch' | 'one' | 'many'
  readonly parse: Parse<T>
  readonly default: T
  readonly help: string
  readonly scope: Scope
  /** Secrets: never shown, not in errors either. */
  readonly secret: boolean
  /** False where VersityGW has the flag and this gateway does not have the feature yet. */
  readonly available: boolean
}

/** Which part of the command line a flag stands in. */
export type Scope = 'global' | 'posix' | 'admin' | 'utils' | 'viewer' | 'demo'

export interface Row<T> {
  readonly flag?: string
  readonly alias?: string
  readonly env: string | readonly EnvSource<T>[]
  readonly form?: 'many'
  readonly parse: Parse<T>
  readonly default?: NoInfer<T>
  readonly help: string
  readonly scope?: Scope
  readonly secret?: true
}

export function setting<T>(row: Row<T> & { readonly default: NoInfer<T> }): Setting<T>
export function setting<T>(row: Row<T>): Setting<T | undefined>
export function setting<T>(row: Row<T>): Setting<T | undefined> {
  const { env, alias } = row
  return {
    flag: row.flag,
    aliases: alias === undefined ? [] : [alias],
    env: typeof env === 'string' ? [env] : env,
    form: row.form ?? 'one',
    parse: row.parse,
    default: row.default,
    help: row.help,
    scope: row.scope ?? 'global',
    secret: row.secret ?? false,
    available: true,
  }
}

/** A setting that is on or off; off unless its row says otherwise. */
export function toggle(row: Omit<Row<boolean>, 'parse' | 'form'>): Setting<boolean> {
  return { ...setting({ default: false, ...row, parse: bool }), form: 'switch' }
}

/** A flag whose feature does not exist here yet; `alias` may be empty. A switch that is off asks for nothing. */
export function later(row: {
  readonly flag: string
  readonly alias: string
  readonly env: readonly string[]
  readonly form: 'switch' | 'one'
  readonly scope: Scope
}): Setting<unknown> {
  return {
    ...row,
    aliases: row.alias === '' ? [] : [row.alias],
    parse: row.form === 'switch' ? bool : text,
    default: undefined,
    help: '',
    secret: true,
    available: false,
  }
}

/** A value and where it came from: `--flag`, a variable's name or `default`. */
export interface Resolved<T> {
  readonly value: T
  readonly source: string
}

/** Texts given on the command line, by flag. */
export type GivenFlags = ReadonlyMap<string, readonly string[]>

export function resolve<T>(setting: Setting<T>, flags: GivenFlags, env: Environment): Resolved<T> {
  const { flag } = setting
  const texts = flag === undefined ? undefined : flags.get(flag)
  if (texts !== undefined) {
    const source = `--${flag}`
    const given = setting.form === 'many' ? texts.join(',') : (texts.at(-1) ?? '')
    return { value: read(source, () => setting.parse(given)), source }
  }
  for (const variable of setting.env) {
    const name = typeof variable === 'string' ? variable : variable.name
    const found = env[name]
    if (found === undefined || found === '') continue
    const parse = typeof variable === 'string' ? setting.parse : variable.read
    const value = read(name, () => parse(found, env))
    if (value !== undefined) return { value, source: name }
  }
  return { value: setting.default, source: 'default' }
}

/** Values of a table, by its keys. */
export type Values<T> = { readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never }

export function readTable<T extends Readonly<Record<string, Setting<unknown>>>>(
  table: T,
  flags: GivenFlags,
  env: Environment,
): { readonly values: Values<T>; readonly sources: Readonly<Record<keyof T, string>> } {
  const resolved = Object.entries(table).map(
    ([name, setting]) => [name, resolve(setting, flags, env)] as const,
  )
  return {
    // Each value was made by the row of its own name.
    values: Object.fromEntries(resolved.map(([name, { value }]) => [name, value])) as Values<T>,
    sources: Object.fromEntries(resolved.map(([name, { source }]) => [name, source])) as Record<
      keyof T,
      string
    >,
  }
}

function read<T>(source: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (error instanceof ConfigError)
      throw new ConfigError(`${source}: ${error.message}`, { cause: error })
    throw error
  }
}
