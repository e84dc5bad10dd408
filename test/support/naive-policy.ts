/**
 * A second evaluator of bucket policies, to compare the gateway's with: AWS's documents transcribed sentence by sentence,
 * slow and without a plan. It shares no code with src/auth/policy and must not.
 *
 * Sources: "Policy evaluation logic", "IAM JSON policy elements: Condition operators", "Conditions with multiple context keys
 * or values", "Set operators for multi-valued context keys", "Policy variables and tags" of the IAM User Guide.
 */
export interface NaiveRequest {
  readonly principal: string | null
  readonly action: string
  readonly bucket: string
  readonly key: string | null
  /** Lower-case names. */
  readonly context: Readonly<Record<string, readonly string[]>>
}

type Loose = Record<string, unknown>

/** "An explicit deny overrides an allow"; "by default, all requests are implicitly denied". */
export function naiveDecision(text: string, request: NaiveRequest): 'allow' | 'deny' | 'none' {
  const document = JSON.parse(text) as Loose
  const said = new Set<unknown>()
  for (const statement of document['Statement'] as Loose[])
    if (isAbout(statement, request, document['Version'] === '2012-10-17'))
      said.add(statement['Effect'])
  if (said.has('Deny')) return 'deny'
  return said.has('Allow') ? 'allow' : 'none'
}

function isAbout(statement: Loose, request: NaiveRequest, variables: boolean): boolean {
  if ('Principal' in statement && !namesCaller(statement['Principal'], request)) return false
  if ('NotPrincipal' in statement && namesCaller(statement['NotPrincipal'], request)) return false
  if ('Action' in statement && !namesAction(statement['Action'], request)) return false
  if ('NotAction' in statement && namesAction(statement['NotAction'], request)) return false
  if ('Resource' in statement && !namesResource(statement['Resource'], request, variables))
    return false
  if ('NotResource' in statement && namesResource(statement['NotResource'], request, variables))
    return false
  return conditionsHold(statement['Condition'] as Loose | undefined, request, variables)
}

function listOf(value: unknown): string[] {
  return (Array.isArray(value) ? (value as unknown[]) : [value]).map((one) => String(one))
}

function namesCaller(element: unknown, { principal }: NaiveRequest): boolean {
  const inner =
    typeof element === 'object' && element !== null && 'AWS' in element ? element.AWS : element
  return listOf(inner).some((name) => name === '*' || name === principal)
}

function namesAction(element: unknown, { action }: NaiveRequest): boolean {
  return listOf(element).some((pattern) => like(symbols(pattern), action))
}

function namesResource(element: unknown, request: NaiveRequest, variables: boolean): boolean {
  const { bucket, key } = request
  const arns = [`arn:aws:s3:::${bucket}${key === null ? '' : `/${key}`}`]
  // The contract's: a directory object goes by either of its names.
  if (key?.endsWith('/') === true) arns.push(`arn:aws:s3:::${bucket}/${key.slice(0, -1)}`)
  return listOf(element).some((pattern) => {
    const filled = fill(tidy(pattern), request, variables)
    return filled !== null && arns.some((arn) => like(filled, arn))
  })
}

/** The contract's: `a//b`, `./a/b` and `x/../a/b` are `a/b`. */
function tidy(arn: string): string {
  let path = arn
  for (;;) {
    const next = path
      .replace(/\/\/+/, '/')
      .replace(/\/\.(?=\/|$)/, '')
      .replace(/\/(?!\.\.?(?:\/|$))[^/]+\/\.\.(?=\/|$)/, '')
    if (next === path) return path
    path = next
  }
}

/** A character that stands for itself, or one that stands for others. */
type Symbol_ = { readonly literal: string } | { readonly wild: '*' | '?' }

function symbols(text: string): Symbol_[] {
  return Array.from(text, (c) => (c === '*' || c === '?' ? { wild: c } : { literal: c }))
}

function literals(text: string): Symbol_[] {
  return Array.from(text, (c) => ({ literal: c }))
}

/** "*: any combination of characters", "?: any single character". A table of what matches what. */
function like(pattern: readonly Symbol_[], text: string): boolean {
  const characters = Array.from(text)
  let row = characters.map(() => false)
  row.unshift(true)
  for (const symbol of pattern) {
    const next: boolean[] = []
    for (let n = 0; n <= characters.length; n++) {
      if ('literal' in symbol)
        next.push(n > 0 && row[n - 1] === true && characters[n - 1] === symbol.literal)
      else if (symbol.wild === '?') next.push(n > 0 && row[n - 1] === true)
      else next.push(row[n] === true || (n > 0 && next[n - 1] === true))
    }
    row = next
  }
  return row[characters.length] === true
}

/**
 * "${*}, ${?} and ${$}" are predefined; "you can add a default value surrounded by single quotes"; a variable that
 * "is not present in the authorization context … is effectively null. There is no equal or like value."
 */
function fill(text: string, request: NaiveRequest, variables: boolean): Symbol_[] | null {
  if (!variables) return symbols(text)
  const filled: Symbol_[] = []
  let rest = text
  while (rest !== '') {
    const close = rest.startsWith('${') ? rest.indexOf('}') : -1
    if (close < 0) {
      const [first = ''] = rest
      filled.push(...symbols(first))
      rest = rest.slice(first.length)
      continue
    }
    const inside = rest.slice(2, close)
    rest = rest.slice(close + 1)
    const value = ['*', '?', '$'].includes(inside) ? inside : valueOf(inside, request)
    if (value === null) return null
    filled.push(...literals(value))
  }
  return filled
}

function valueOf(inside: string, request: NaiveRequest): string | null {
  const comma = inside.indexOf(',')
  const name = (comma < 0 ? inside : inside.slice(0, comma)).trim()
  const values = lookUp(name, request)
  if (values?.length === 1) return values[0] ?? null
  if (comma < 0) return null
  const quoted = inside.slice(comma + 1).trim()
  return quoted.slice(1, -1)
}

/** "Condition key names are not case-sensitive." A tag's key is. */
function lookUp(name: string, { context }: NaiveRequest): readonly string[] | undefined {
  const [prefix = '', ...tag] = name.split('/')
  return context[[prefix.toLowerCase(), ...tag].join('/')]
}

/** "All of the conditions must be met": a logical AND over operators and over keys. */
function conditionsHold(
  block: Loose | undefined,
  request: NaiveRequest,
  variables: boolean,
): boolean {
  for (const [operator, keys] of Object.entries(block ?? {}))
    for (const [key, expected] of Object.entries(keys as Loose))
      if (!conditionHolds(operator, listOf(expected), lookUp(key, request), { request, variables }))
        return false
  return true
}

interface Surroundings {
  readonly request: NaiveRequest
  readonly variables: boolean
}

function conditionHolds(
  operator: string,
  expected: readonly string[],
  found: readonly string[] | undefined,
  around: Surroundings,
): boolean {
  // "Null … to check if a condition key is absent": true "the key doesn't exist", false "the key exists and its value is not null".
  if (operator === 'Null')
    return expected.some(
      (text) => (text === 'true') === (found === undefined || found.length === 0),
    )
  let name = operator
  const all = name.startsWith('ForAllValues:')
  const any = name.startsWith('ForAnyValue:')
  if (all || any) name = name.slice(name.indexOf(':') + 1)
  const ifExists = name.endsWith('IfExists')
  if (ifExists) name = name.slice(0, -'IfExists'.length)
  const isInverted = name.includes('Not')
  const plain = name.replace('Not', '')
  // "Negated matching": a value must match none of those in the policy; else one of them is enough.
  const isMet = (value: string): boolean => {
    const matchesOne = expected.some((one) => compare(plain, value, one, around))
    return isInverted ? !matchesOne : matchesOne
  }
  const isMissing = found === undefined || found.length === 0
  // "ForAllValues … also returns true if there are no context keys in the request or if the value resolves to a null data set."
  if (all) return (found ?? []).every(isMet)
  // "…IfExists: if the condition key is not present in the request context, evaluate the condition element as true."
  if (isMissing && ifExists) return true
  // "ForAnyValue … for no matching context key or if the key doesn't exist in the request, the condition returns false."
  if (any) return (found ?? []).some(isMet)
  // "If the key that you specify … is not present, the values do not match"; with a negated operator the condition is true.
  if (isMissing) return isInverted
  return isInverted ? found.every(isMet) : found.some(isMet)
}

function compare(name: string, value: string, expected: string, around: Surroundings): boolean {
  switch (name) {
    case 'StringEquals':
      return exactly(fillPlain(expected, around), value)
    case 'StringEqualsIgnoreCase': {
      const filled = fillPlain(expected, around)
      return filled !== null && filled.toLowerCase() === value.toLowerCase()
    }
    case 'StringLike': {
      const filled = fill(expected, around.request, around.variables)
      return filled !== null && like(filled, value)
    }
    case 'ArnEquals':
    case 'ArnLike':
      return arnLike(expected, value, around)
    case 'Bool':
      return value.toLowerCase() === expected.toLowerCase()
    case 'BinaryEquals':
      return atob(value) === atob(expected)
    case 'IpAddress':
      return inRange(value, expected)
    default:
      return compareOrdered(name, value, expected)
  }
}

/** Wildcards are characters like others here. */
function fillPlain(expected: string, { request, variables }: Surroundings): string | null {
  const filled = fill(expected, request, variables)
  if (filled === null) return null
  return filled.map((symbol) => ('literal' in symbol ? symbol.literal : symbol.wild)).join('')
}

function exactly(expected: string | null, value: string): boolean {
  return expected === value
}

/** "Each of the six colon-delimited components of the ARN is checked separately." */
function arnLike(expected: string, value: string, { request, variables }: Surroundings): boolean {
  const [a, b, c, d, e, ...f] = value.split(':')
  const parts = [a, b, c, d, e, f.join(':')]
  // Colons in variables are not the ARN's own: they are covered up while it is taken apart.
  const covered = expected.replace(/\$\{[^}]*\}/g, (text) => text.replaceAll(':', '\u0001'))
  const [p, q, r, s, t, ...u] = covered.split(':')
  const patterns = [p, q, r, s, t, u.join(':')]
  return patterns.every((pattern, i) => {
    const filled = fill((pattern ?? '').replaceAll('\u0001', ':'), request, variables)
    return filled !== null && like(filled, parts[i] ?? '')
  })
}

function compareOrdered(name: string, value: string, expected: string): boolean {
  const isDate = name.startsWith('Date')
  const read = isDate ? instant : Number
  const [left, right] = [read(value), read(expected)]
  switch (name.replace(/^(?:Date|Numeric)/, '')) {
    case 'Equals':
      return left === right
    case 'LessThan':
      return left < right
    case 'LessThanEquals':
      return left <= right
    case 'GreaterThan':
      return left > right
    case 'GreaterThanEquals':
      return left >= right
    default:
      throw new Error(`an operator nobody has described: ${name}`)
  }
}

/** "W3C implementations of the ISO 8601 date formats or epoch (UNIX) time." */
function instant(text: string): number {
  if (/^\d{5,}$/.test(text)) return Number(text) * 1000
  return new Date(text).getTime()
}

/** "The request comes from the specified IP address or range", IPv4 or IPv6. */
function inRange(address: string, range: string): boolean {
  const [start = '', bits] = range.split('/')
  const [number, width] = addressNumber(address)
  const [first, startWidth] = addressNumber(start)
  if (width !== startWidth) return false
  const kept = BigInt(width - Number(bits ?? width))
  return number >> kept === first >> kept
}

function addressNumber(address: string): [bigint, number] {
  if (address.startsWith('::ffff:') && address.includes('.')) return addressNumber(address.slice(7))
  if (!address.includes(':')) {
    const number = address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
    return [number, 32]
  }
  const given = address.split(':').filter((group) => group !== '').length
  const full = address
    .replace('::', `:${Array.from({ length: 8 - given }, () => '0').join(':')}:`)
    .replace(/^:|:$/g, '')
  return [full.split(':').reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n), 128]
}
