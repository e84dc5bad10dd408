import { isInRange, parseAddress, parseAddressRange } from './address.ts'
import type { Evaluation } from './evaluation.ts'
import { Text } from './glob.ts'
import { compilePattern, type Pattern, type PatternOptions } from './pattern.ts'

/** Does a value of the request equal, precede, contain … one of the policy's? */
export type ValueTest = (value: string, evaluation: Evaluation) => boolean

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
  /** Undefined where one of the policy's values is none that the operator can compare with. */
  readonly compile: (values: readonly string[], options: ValueOptions) => ValueTest | undefined
}

/** Their names are case-sensitive. `Null` asks whether a key is there, not for its value: it is not among them. */
export function findOperator(name: string): Operator | undefined {
  return OPERATORS.get(name)
}

const text =
  (comparison: Pick<PatternOptions, 'wildcards' | 'ignoreCase'>): Operator['compile'] =>
  (values, options) => {
    const patterns = values.map((value) => compilePattern(value, { ...comparison, ...options }))
    return (actual, evaluation) => {
      const subject = new Text(comparison.ignoreCase === true ? actual.toLowerCase() : actual)
      return patterns.some((pattern) => pattern.matches(subject, evaluation))
    }
  }

/** The request's value is read once, however many it is compared with; one that cannot be read equals nothing. */
const compared =
  <A, E = A>(
    parse: (text: string) => A | undefined,
    parseExpected: (text: string) => E | undefined,
    holds: (actual: A, expected: E) => boolean,
  ): Operator['compile'] =>
  (values) => {
    const expected: E[] = []
    for (const value of values) {
      const parsed = parseExpected(value)
      if (parsed === undefined) return undefined
      expected.push(parsed)
    }
    return (text) => {
      const actual = parse(text)
      return actual !== undefined && expected.some((one) => holds(actual, one))
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
  ['Bool', { negated: false, compile: compared(parseBool, parseBool, isSame) }],
  ['BinaryEquals', { negated: false, compile: compared(parseBinary, parseBinary, isSame) }],
  ...pair('IpAddress', 'NotIpAddress', compared(parseAddress, parseAddressRange, isInRange)),
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
      return [`${kind}${name}`, { negated: false, compile: compared(parse, parse, holds) }]
    }),
    [`${kind}NotEquals`, { negated: true, compile: compared(parse, parse, COMPARISONS.Equals) }],
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
  return Number.isNaN(ms) || !isInCalendar(text) ? undefined : ms
}

/** JavaScript takes 30 February for 2 March (or 1 March). */
function isInCalendar(text: string): boolean {
  const day = text.slice(0, 'YYYY-MM-DD'.length)
  return new Date(day).toISOString().startsWith(day)
}

function parseBool(text: string): string | undefined {
  const value = text.toLowerCase()
  return value === 'true' || value === 'false' ? value : undefined
}

const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/

/** The same bytes, however their last bits are padded. */
function parseBinary(text: string): string | undefined {
  return BASE64.test(text) ? Buffer.from(text, 'base64').toString('latin1') : undefined
}

function isSame(actual: string, expected: string): boolean {
  return actual === expected
}

const ARN_PARTS = 6

/** Each of the six parts by itself: a star in one does not reach into the next. Only the last may hold colons. */
function compileArn(values: readonly string[], options: ValueOptions): ValueTest | undefined {
  const arns: (readonly Pattern[])[] = []
  for (const value of values) {
    const parts = splitArn(value, true)
    if (parts === undefined) return undefined
    arns.push(parts.map((part) => compilePattern(part, { wildcards: true, ...options })))
  }
  return (actual, evaluation) => {
    const parts = splitArn(actual, false)?.map((part) => new Text(part))
    return parts !== undefined && arns.some((patterns) => matchEach(patterns, parts, evaluation))
  }
}

/** A colon inside a variable ends no part. */
function splitArn(text: string, hasVariables: boolean): readonly string[] | undefined {
  const parts: string[] = []
  let start = 0
  while (parts.length < ARN_PARTS - 1) {
    const colon = findColon(text, start, hasVariables)
    if (colon < 0) return undefined
    parts.push(text.slice(start, colon))
    start = colon + 1
  }
  return [...parts, text.slice(start)]
}

function findColon(text: string, start: number, hasVariables: boolean): number {
  let from = start
  for (;;) {
    const colon = text.indexOf(':', from)
    const variable = hasVariables ? text.indexOf('${', from) : -1
    if (colon < 0 || variable < 0 || colon < variable) return colon
    const close = text.indexOf('}', variable)
    if (close < 0) return colon
    from = close + 1
  }
}

function matchEach(
  patterns: readonly Pattern[],
  texts: readonly Text[],
  evaluation: Evaluation,
): boolean {
  return patterns.every((pattern, i) => {
    const text = texts[i]
    return text !== undefined && pattern.matches(text, evaluation)
  })
}
