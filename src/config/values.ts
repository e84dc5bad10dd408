import { isIPv6 } from 'node:net'

/** A start-up error: its message is the one line the user sees. */
export class ConfigError extends Error {}

/** Variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Reads a setting's text. Throws ConfigError with what is wrong; the caller adds where the text came from. */
export type Parse<T> = (text: string) => T

/** Where to listen; without a host on every address. */
export interface Listener {
  readonly host: string | undefined
  readonly port: number
}

export const text: Parse<string> = (value) => value

const TRUE = new Set(['1', 't', 'true'])
const FALSE = new Set(['0', 'f', 'false'])

/** As Go's strconv.ParseBool, which VersityGW reads its variables with. */
export const bool: Parse<boolean> = (value) => {
  const word = value.trim().toLowerCase()
  if (TRUE.has(word)) return true
  if (FALSE.has(word)) return false
  throw new ConfigError(`"${value}" is neither true nor false`)
}

const INTEGER = /^(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]+|0|[1-9][0-9]*)$/

/** A whole number as Go writes it: decimal, 0x…, 0b…, 0o… or with a leading zero octal, so that `0755` is a mode. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Parse<number> {
  return (value) => {
    const digits = value.trim()
    const number = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits)
    if (INTEGER.test(digits) && number >= min && number <= max) return number
    throw new ConfigError(`"${value}" is not a whole number ${range(min, max)}`)
  }
}

function range(min: number, max: number): string {
  return max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
}

/** A share of all, 0 to 1. */
export const ratio: Parse<number> = (value) => {
  const number = Number(value)
  if (value.trim() !== '' && number >= 0 && number <= 1) return number
  throw new ConfigError(`"${value}" is not a number from 0 to 1`)
}

const UNIT_MS = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
])

/** Milliseconds from a time such as `500ms`, `1.5s`, `10m`. */
export const duration: Parse<number> = (value) => {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(value.trim()) ?? []
  const ms = Number(number) * (UNIT_MS.get(unit) ?? NaN)
  if (ms > 0 && ms <= 0x7fff_ffff) return ms
  throw new ConfigError(`"${value}" is not a time such as 500ms, 30s or 10m`)
}

export function choice<const T extends string>(...words: readonly T[]): Parse<T> {
  return (value) => {
    const word = words.find((candidate) => candidate === value.trim().toLowerCase())
    if (word !== undefined) return word
    throw new ConfigError(`"${value}" is not one of ${words.join(', ')}`)
  }
}

/** Comma-separated items; a repeated flag arrives here joined by commas. */
export function list<T>(item: Parse<T>): Parse<readonly T[]> {
  return (value) => {
    const items = value.split(',').map((part) => part.trim())
    return items.filter((part) => part !== '').map(item)
  }
}

/** A path of URLs, with its leading slash. */
export const urlPath: Parse<string> = (value) => (value.startsWith('/') ? value : `/${value}`)

const DEFAULT_PORT = 7070

/** `:port`, `host:port`, `[v6]:port`, a bare host or a bare port. */
const listener: Parse<Listener> = (value) => {
  if (/^(?:\.?\/|@)/.test(value))
    throw new ConfigError(`"${value}": unix sockets are not available yet`)
  if (/^\d+$/.test(value)) return { host: undefined, port: port(value) }
  if (isIPv6(value)) return { host: value, port: DEFAULT_PORT }
  const [, v6, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]\s]*))(?::(\d+))?$/.exec(value) ?? []
  const host = v6 ?? name
  const isHost = v6 === undefined ? host !== undefined : isIPv6(v6)
  if (!isHost || (host === '' && digits === undefined)) {
    throw new ConfigError(
      `"${value}" is not a place to listen at (:port, host:port, [v6]:port or host)`,
    )
  }
  return {
    host: host === '' ? undefined : host,
    port: digits === undefined ? DEFAULT_PORT : port(digits),
  }
}

function port(digits: string): number {
  const number = Number(digits)
  if (number <= 65_535) return number
  throw new ConfigError(`"${digits}" is not a port (0 to 65535)`)
}

/** A bare `:port` collides with every host on that port; port 0 collides with nothing, the system chooses. */
export const listeners: Parse<readonly Listener[]> = (value) => {
  const all = list(listener)(value)
  if (all.length === 0) throw new ConfigError('no port given')
  for (const [i, one] of all.entries()) {
    for (const other of all.slice(0, i)) {
      const sameHost = one.host === other.host || one.host === undefined || other.host === undefined
      if (sameHost && one.port === other.port && one.port !== 0)
        throw new ConfigError(`port ${one.port} is given twice`)
    }
  }
  return all
}

/**
 * `k=v,k=v` as in OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES: values may be percent-encoded, later ones win.
 * Errors do not quote the text, which may hold a key.
 */
export const pairs: Parse<Readonly<Record<string, string>>> = (value) => {
  const found: Record<string, string> = {}
  for (const part of value.split(',')) {
    if (part.trim() === '') continue
    const equals = part.indexOf('=')
    const name = part.slice(0, equals).trim()
    if (equals === -1 || name === '')
      throw new ConfigError('not a list of name=value, name=value …')
    found[decoded(name)] = decoded(part.slice(equals + 1).trim())
  }
  return found
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ConfigError('a value has a % that begins no percent-encoded byte')
  }
}
