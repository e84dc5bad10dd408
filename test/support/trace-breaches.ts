import {
  APPLIES,
  LINKED,
  REQUIRED,
  RESOURCE,
  SPAN_RULES,
  type Expected,
  type SpanRule,
} from './trace-contract.ts'
import type { SeenSpan, SeenValue } from './receivers/seen-span.ts'

/** What a client knows of its request. */
export interface Asked {
  /** With what stands before it: `S3.GetObject`. */
  readonly root: string
  readonly operation: string
  /** Not one of its special cases, where other files may be touched. */
  readonly isPlain: boolean
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly status: number
  /** S3's, of an answer that has one. */
  readonly code: string | undefined
  readonly requestId: string | undefined
}

/** What in a trace is not as the contract has it, one line each. `seen` gathers which rules were met, for `unseen`. */
export function breaches(
  spans: readonly SeenSpan[],
  asked: Asked,
  isExact: boolean,
  seen: Set<string>,
): string[] {
  const found: string[] = []
  const nameOf = new Map(spans.map(({ spanId, name }) => [spanId, name]))
  for (const span of spans) {
    const tell = (what: string): void => void found.push(`${span.name}: ${what}`)
    const rule = ruleOf(span.name, isExact)
    if (rule === undefined) {
      tell('the contract has no such span')
      continue
    }
    const parent = nameOf.get(span.parentSpanId) ?? ''
    if (!insensitive(rule.under, isExact).test(parent)) tell(`is under ${parent}`)
    if (span.kind !== rule.kind) tell(`is of kind ${span.kind}`)
    checkAttributes(span, rule, tell, seen)
    checkEvents(span, rule, isExact, tell, seen)
    checkValues(span.resource, RESOURCE, tell)
    if (span.isError !== span.events.some(({ name }) => name === 'exception'))
      tell('either the status or the exception is missing')
  }
  return [...found, ...rootBreaches(spans, asked, isExact), ...missingSpans(spans, asked, isExact)]
}

/** Attributes and events of the contract that no span had. */
export function unseen(seen: ReadonlySet<string>): string[] {
  return SPAN_RULES.flatMap((rule) => [
    ...Object.keys({ ...rule.always, ...rule.sometimes }).map((key) => idOf(rule, key)),
    ...Object.keys(rule.events ?? {}).map((name) => idOf(rule, `event ${name}`)),
  ]).filter((id) => !seen.has(id) && !NOT_HERE.test(id))
}

/** No entry of a small directory is slow. An exception under file operations is one for all of them. */
const NOT_HERE = /slow_entry|(?<!OpenFile\S*) event exception$/

const idOf = ({ name }: SpanRule, what: string): string => `${name.source} ${what}`

function ruleOf(name: string, isExact: boolean): SpanRule | undefined {
  return SPAN_RULES.find((rule) => insensitive(rule.name, isExact).test(name))
}

function insensitive(pattern: RegExp, isExact: boolean): RegExp {
  return isExact ? pattern : new RegExp(pattern.source, 'i')
}

type Tell = (what: string) => void

function checkAttributes(
  { attributes, durationMs }: SeenSpan,
  rule: SpanRule,
  tell: Tell,
  seen: Set<string>,
): void {
  checkValues(attributes, rule.always, tell)
  const all = { ...rule.always, ...rule.sometimes, ...rule.also }
  for (const [key, value] of attributes) {
    const expected = all[key]
    if (expected === undefined) tell(`${key} is not in the contract`)
    else if (!fits(value, expected)) tell(`${key} is ${value.type ?? ''} ${String(value.value)}`)
    else seen.add(idOf(rule, key))
    // Receivers round to microseconds.
    const isDuration = key === 'duration_ms' || key === 'posix.duration_ms'
    if (isDuration && Math.abs(Number(value.value) - durationMs) > 0.002)
      tell(`took ${durationMs} ms, and says ${value.value}`)
  }
}

function checkEvents(
  { events }: SeenSpan,
  rule: SpanRule,
  isExact: boolean,
  tell: Tell,
  seen: Set<string>,
): void {
  for (const { name, attributes } of events) {
    const expected = rule.events?.[name]
    if (expected === undefined) {
      tell(`the contract has no event ${name}`)
      continue
    }
    seen.add(idOf(rule, `event ${name}`))
    if (isExact) checkValues(attributes, expected, (what) => tell(`event ${name}: ${what}`))
  }
}

function checkValues(
  values: ReadonlyMap<string, SeenValue>,
  expected: Readonly<Record<string, Expected>>,
  tell: Tell,
): void {
  for (const [key, wanted] of Object.entries(expected)) {
    const value = values.get(key)
    if (value === undefined) tell(`${key} is missing`)
    else if (!fits(value, wanted)) tell(`${key} is ${value.type ?? ''} ${String(value.value)}`)
  }
}

const AS_TEXT = {
  string: /^[^]+$/,
  int: /^-?\d+$/,
  double: /^\d+(?:\.\d+)?(?:e-\d+)?$/,
  bool: /^(?:true|false)$/,
} as const

function fits({ type, value }: SeenValue, expected: Expected): boolean {
  if (expected instanceof RegExp)
    return (type === undefined || type === 'string') && expected.test(String(value))
  return (type === undefined || type === expected) && AS_TEXT[expected].test(String(value))
}

/** The root says what the client knows. */
function rootBreaches(spans: readonly SeenSpan[], asked: Asked, isExact: boolean): string[] {
  const root = spans.find(({ kind }) => kind === 'SERVER')
  if (root === undefined) return ['no root']
  const { operation, method, path, status, code, requestId } = asked
  const isRefused = status >= 400
  const told: Record<string, string | undefined> = {
    's3.operation': operation,
    'http.method': method,
    'http.request.method': method,
    'http.url': path,
    'url.path': path,
    'http.status_code': String(status),
    'http.response.status_code': String(status),
    'aws.request_id': requestId,
    ...(code === undefined ? {} : { 'error.type': code }),
    ...(isRefused ? {} : { 'error.type': undefined }),
  }
  const found = Object.entries(told).flatMap(([key, wanted]) => {
    const value = root.attributes.get(key)?.value
    const text = value === undefined ? undefined : String(value)
    return text === wanted ? [] : [`root: ${key} is ${text}, not ${wanted}`]
  })
  if (root.name !== (isExact ? asked.root : asked.root.toLowerCase()))
    found.push(`root: is called ${root.name}, not ${asked.root}`)
  if (isRefused && !root.attributes.has('error.type')) found.push('root: no error.type')
  if (root.isError !== status >= 500) found.push(`root: status ERROR is ${root.isError}`)
  if (status >= 300) return found
  if (isExact && LINKED.test(operation) && root.links.length !== 1) found.push('root: no link')
  for (const [key, operations] of Object.entries(APPLIES))
    if (operations.test(operation) && !root.attributes.has(key)) found.push(`root: no ${key}`)
  return found
}

function missingSpans(
  spans: readonly SeenSpan[],
  { operation, isPlain, status }: Asked,
  isExact: boolean,
): string[] {
  const names = new Set(spans.map(({ name }) => name))
  const required = isPlain && status < 300 ? (REQUIRED[operation] ?? []) : []
  return required
    .filter((name) => !names.has(isExact ? name : name.toLowerCase()))
    .map((name) => `no ${name}`)
}
