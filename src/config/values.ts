import { isIPv6 } from 'node:net'
import { resolve as resolvePath } from 'node:path'
import type { Listener } from '../http/listener.ts'

/** A start-up error: its message is the one line the user sees. */
export class ConfigError extends Error {}

/** What the user typed cannot be meant: said as it stands, without a time before it, and ended with a code of its own. */
export class UsageError extends ConfigError {
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Reads a setting's text. Throws ConfigError with what is wrong; the caller adds where the text came from. */
export type Parse<T> = (text: string) => T

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

/** As `duration`, or 0. */
export const durationOrZero: Parse<number> = (value) =>
  /^0(ms|s|m|h)?$/.test(value.trim()) ? 0 : duration(value)

const UNIT_BYTES = new Map([
  ['', 1],
  ['K', 1000],
  ['M', 1e6],
  ['G', 1e9],
  ['KI', 1024],
  ['MI', 1024 ** 2],
  ['GI', 1024 ** 3],
])

/** Bytes, such as `1048576`, `64KiB`, `10MiB`, `1.5GB`. */
export const bytes: Parse<number> = (value) => {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) *([KMG]i?)?B?$/i.exec(value.trim()) ?? []
  const count = Math.round(Number(number) * (UNIT_BYTES.get(unit.toUpperCase()) ?? NaN))
  if (count >= 0 && count <= Number.MAX_SAFE_INTEGER) return count
  throw new ConfigError(`"${value}" is not a number of bytes such as 1048576, 64KiB or 10MiB`)
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

/** What a header can hold and nothing be added to. */
export const headerText: Parse<string> = (value) => {
  if (/^[\x21-\x7e]*$/.test(value)) return value
  throw new ConfigError(`"${value}" is not the value of a header`)
}

/** A path of URLs, with its leading slash. */
export const urlPath: Parse<string> = (value) => (value.startsWith('/') ? value : `/${value}`)

const DEFAULT_PORT = 7070

/** `:port`, `host:port`, `[v6]:port`, a bare host, a bare port, `/path` or `./path` of a socket, `@name` of an abstract one. */
export function listenerOn(defaultPort: number): Parse<Listener> {
  return (value) => readListener(value, defaultPort)
}

function readListener(value: string, defaultPort: number): Listener {
  if (value.startsWith('@')) return { path: socketPath(`\0${value.slice(1)}`, value) }
  if (/^\.?\//.test(value)) return { path: socketPath(resolvePath(value), value) }
  if (/^\d+$/.test(value)) return { host: undefined, port: port(value) }
  if (isIPv6(value)) return { host: value, port: defaultPort }
  const [, v6, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]\s]*))(?::(\d+))?$/.exec(value) ?? []
  const host = v6 ?? name
  const isHost = v6 === undefined ? host !== undefined : isIPv6(v6)
  if (!isHost || (host === '' && digits === undefined)) {
    throw new ConfigError(
      `"${value}" is not a place to listen at (:port, host:port, [v6]:port, host, /socket or @socket)`,
    )
  }
  return {
    host: host === '' ? undefined : host,
    port: digits === undefined ? defaultPort : port(digits),
  }
}

/** What Linux has room for in an address, without the NUL at the end of a path. */
const MAX_SOCKET_PATH = 107

function socketPath(path: string, value: string): string {
  if (path === '\0') throw new ConfigError(`"${value}" names no socket`)
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH) return path
  throw new ConfigError(`"${value}" is too long for a socket (${MAX_SOCKET_PATH} bytes)`)
}

function port(digits: string): number {
  const number = Number(digits)
  if (number <= 65_535) return number
  throw new ConfigError(`"${digits}" is not a port (0 to 65535)`)
}

export const listeners: Parse<readonly Listener[]> = (value) => {
  const all = list(listenerOn(DEFAULT_PORT))(value)
  if (all.length === 0) throw new ConfigError('no port given')
  checkCollisions(all)
  return all
}

/** Two that would listen at one place are refused before either does. */
export function checkCollisions(all: readonly Listener[]): void {
  for (const [i, one] of all.entries()) {
    for (const other of all.slice(0, i)) {
      const place = collision(one, other)
      if (place !== undefined) throw new ConfigError(`${place} is given twice`)
    }
  }
}

/** A bare `:port` collides with every host on that port; port 0 collides with nothing, the system chooses. */
function collision(one: Listener, other: Listener): string | undefined {
  if ('path' in one || 'path' in other) {
    const isSame = 'path' in one && 'path' in other && one.path === other.path
    return isSame ? `socket ${one.path.replace(/^\0/, '@')}` : undefined
  }
  const sameHost = one.host === other.host || one.host === undefined || other.host === undefined
  return sameHost && one.port === other.port && one.port !== 0 ? `port ${one.port}` : undefined
}

/** Permission bits, always read as octal: `660`, `0660`, `0o660`. */
export const octalMode: Parse<number> = (value) => {
  const [, digits] = /^(?:0o?)?([0-7]{1,3})$/.exec(value.trim()) ?? []
  if (digits !== undefined) return Number.parseInt(digits, 8)
  throw new ConfigError(`"${value}" is not an octal mode such as 0660`)
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
