import { isInRange, parseAddress, parseAddressRange } from './address.ts'
import { compilePattern, type Pattern, type PatternOptions, type Variables } from './pattern.ts'

/** Does a value of the request equal, precede, contain … the policy's? */
export type ValueTest = (value: string, variables: Variables) => boolean

export interface ValueOptions {
  /** `${aws:username}` in a value stands for something. */
  readonly variables: boolean
  /** Learns the keys that variables ask for. */
  readonly keys: Set<string>
}

/** A condition operator without its prefixes and suffixes. */
export interface Operator {
  /** It holds where none of the policy's values passes the test: `StringNotEquals` and its like. */
  readonly negated: boolean
  /** Undefined where the policy's value is none that the operator can compare with. */
  readonly compile: (value: string, options: ValueOptions) => ValueTest | undefined
}

/** Their names are case-sensitive. `Null` asks whether a key is there, not for its value: it is not among them. */
export function findOperator(name: string): Operator | undefined {
  return OPERATORS.get(name)
}

const text =
  (comparison: Pick<PatternOptions, 'wildcards' | 'ignoreCase'>): Operator['compile'] =>
  (value, options) => {
    const pattern = compilePattern(value, { ...comparison, ...options })
    return comparison.ignoreCase === true
      ? (actual, variables) => pattern.matches(actual.toLowerCase(), variables)
      : (actual, variables) => pattern.matches(actual, variables)
  }

const compared =
  (
    parse: (text: string) => number | undefined,
    holds: (actual: number, expected: number) => boolean,
  ): Operator['compile'] =>
  (value) => {
    const expected = parse(value)
    if (expected === undefined) return undefined
    return (actual) => {
      const number = parse(actual)
      return number !== undefined && holds(number, expected)
    }
  }

const COMPARISONS = {
  Equals: (a: number, b: number) => a === b,
  LessThan: (a: number, b: number) => a < b,
  LessThanEquals: (a: number, b: number) => a <= b,
  GreaterThan: (a: number, b: number) => a > b,
  GreaterThanEquals: (a: number, b: number) => a >= b,
}

const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ...pair('StringEquals', 'StringNotEquals', text({ wildcards: false })),
  ...pair(
    'StringEqualsIgnoreCase',
    'StringNotEqualsIgnoreCase',
    text({ wildcards: false, ignoreCase: true }),
  ),
  ...pair('StringLike', 'StringNotLike', text({ wildcards: true })),
  ...comparisons('Numeric', parseNumber),
  ...comparisons('Date', parseDate),
  ['Bool', { negated: false, compile: compileBool }],
  ['BinaryEquals', { negated: false, compile: compileBinary }],
  ...pair('IpAddress', 'NotIpAddress', compileAddress),
  ...pair('ArnEquals', 'ArnNotEquals', compileArn),
  ...pair('ArnLike', 'ArnNotLike', compileArn),
])

type Entry = readonly [string, Operator]

function pair(name: string, negation: string, compile: Operator['compile']): readonly Entry[] {
  return [
    [name, { negated: false, compile }],
    [negation, { negated: true, compile }],
  ]
}

function comparisons(kind: string, parse: (text: string) => number | undefined): readonly Entry[] {
  return [
    ...Object.entries(COMPARISONS).map(([name, holds]): Entry => {
      return [`${kind}${name}`, { negated: false, compile: compared(parse, holds) }]
    }),
    [`${kind}NotEquals`, { negated: true, compile: compared(parse, COMPARISONS.Equals) }],
  ]
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

function parseNumber(text: string): number | undefined {
  return NUMBER.test(text) ? Number(text) : undefined
}

const DATE =
  /^\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2}))?)?)?$/
const EPOCH_SECONDS = /^\d+(?:\.\d+)?$/

/** Milliseconds since the epoch: of an ISO 8601 date in one of W3C's profiles, or of seconds. Four digits are a year. */
function parseDate(text: string): number | undefined {
  if (!DATE.test(text)) return EPOCH_SECONDS.test(text) ? Number(text) * 1000 : undefined
  const ms = Date.parse(text.replace(/([+-]\d{2})(\d{2})$/, '$1:$2'))
  return Number.isNaN(ms) ? undefined : ms
}

function compileBool(value: string): ValueTest | undefined {
  const expected = value.toLowerCase()
  if (expected !== 'true' && expected !== 'false') return undefined
  return (actual) => actual.toLowerCase() === expected
}

const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/

function compileBinary(value: string): ValueTest | undefined {
  if (!BASE64.test(value)) return undefined
  const expected = Buffer.from(value, 'base64')
  return (actual) => BASE64.test(actual) && Buffer.from(actual, 'base64').equals(expected)
}

function compileAddress(value: string): ValueTest | undefined {
  const range = parseAddressRange(value)
  if (range === undefined) return undefined
  return (actual) => {
    const address = parseAddress(actual)
    return address !== undefined && isInRange(address, range)
  }
}

const ARN_PARTS = 6
/** A colon inside a variable ends no part. */
const ARN_PIECE = /(?:\$\{[^}]*\}|[^:])+|:/g

/** Each of the six parts by itself: a star in one does not reach into the next. Only the last may hold colons. */
function compileArn(value: string, options: ValueOptions): ValueTest | undefined {
  const parts = splitArn(value.match(ARN_PIECE) ?? [])
  if (parts === undefined) return undefined
  const patterns = parts.map((part) => compilePattern(part, { wildcards: true, ...options }))
  return (actual, variables) => {
    const actualParts = splitArn(actual.match(/[^:]+|:/g) ?? [])
    return actualParts !== undefined && matchEach(patterns, actualParts, variables)
  }
}

function splitArn(pieces: readonly string[]): readonly string[] | undefined {
  const parts = ['']
  for (const piece of pieces) {
    if (piece === ':' && parts.length < ARN_PARTS) parts.push('')
    else parts.push((parts.pop() ?? '') + piece)
  }
  return parts.length === ARN_PARTS ? parts : undefined
}

function matchEach(
  patterns: readonly Pattern[],
  texts: readonly string[],
  variables: Variables,
): boolean {
  return patterns.every((pattern, i) => pattern.matches(texts[i] ?? '', variables))
}
