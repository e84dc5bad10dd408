import { S3Error } from '../errors.ts'
import type { S3Request } from '../request.ts'
import { CORS_METHODS, isHeaderName } from './cors-rules.ts'
import type { CompiledRule, HeaderPatterns } from './stored-cors.ts'

/** What a page of `origin` asks for. */
export interface CorsQuestion {
  readonly origin: string
  readonly method: string
  /** Names of headers, in lower case. */
  readonly headers: readonly string[]
}

/** What a page is told: response headers, name, value, …, and what of the answer it may see beside. */
export interface CorsGrant {
  readonly headers: readonly string[]
  readonly exposed: readonly string[]
}

const VARY = 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method'

/**
 * More names than any browser asks for. Each is held against each wildcard of a rule, of which a configuration has two
 * thousand at most.
 */
const MAX_NAMES = 256

/** Of a request of a page, or of its preflight, which says for itself what it asks for. BadRequest where that makes no sense. */
export function readQuestion({ headers, method }: S3Request, origin: string): CorsQuestion {
  const asked = headers['access-control-request-method']
  const list = headers['access-control-request-headers']
  const isPreflight = method === 'OPTIONS'
  const question = isPreflight ? (asked ?? '') : asked || method
  if (!CORS_METHODS.has(question))
    throw badRequest(`Invalid Access-Control-Request-Method: ${question}`)
  return { origin, method: question, headers: list ? list.split(',').map(toHeaderName) : [] }
}

function toHeaderName(text: string): string {
  const name = text.trim()
  if (!isHeaderName(name))
    throw badRequest(`Access-Control-Request-Headers "${text}" contains invalid character.`)
  return name.toLowerCase()
}

export function badRequest(message: string): S3Error {
  return new S3Error('BadRequest', {}, { message })
}

/** By the first rule that allows all of it; undefined where none does. */
export function findGrant(
  rules: readonly CompiledRule[],
  question: CorsQuestion,
): CorsGrant | undefined {
  for (const rule of rules) {
    if (!rule.methods.has(question.method)) continue
    const origin = rule.origins.find(({ wildcard }) => wildcard.matches(question.origin))
    if (origin === undefined || !allowsHeaders(rule.headers, question.headers)) continue
    return toGrant(rule, question, origin.isAny)
  }
  return undefined
}

/** Where a bucket has no rules, and `--cors-allow-origin` stands in for them. */
export function fallbackGrant(allowOrigin: string): CorsGrant {
  return { headers: ['Access-Control-Allow-Origin', allowOrigin, 'Vary', VARY], exposed: [] }
}

/** The same for a preflight: whatever it asks for is allowed. */
export function fallbackPreflight(allowOrigin: string, { headers }: S3Request): readonly string[] {
  const answer = [...fallbackGrant(allowOrigin).headers]
  const method = headers['access-control-request-method']
  const names = headers['access-control-request-headers']
  if (method) answer.push('Access-Control-Allow-Methods', method)
  if (names) answer.push('Access-Control-Allow-Headers', names)
  return answer
}

function allowsHeaders(patterns: HeaderPatterns, names: readonly string[]): boolean {
  if (patterns.isAny) return true
  const others = new Set(names.filter((name) => !patterns.names.has(name)))
  if (others.size > MAX_NAMES) return false
  for (const name of others)
    if (!patterns.wildcards.some((wildcard) => wildcard.matches(name))) return false
  return true
}

/** A page is reflected with the cookies of its user where the rule means that page, not where it means all of them. */
function toGrant(rule: CompiledRule, { origin, headers }: CorsQuestion, isAny: boolean): CorsGrant {
  const answer = [
    'Access-Control-Allow-Origin',
    isAny ? '*' : origin,
    'Access-Control-Allow-Methods',
    rule.allowMethods,
    'Access-Control-Allow-Credentials',
    String(!isAny),
    'Vary',
    VARY,
  ]
  if (headers.length > 0) answer.push('Access-Control-Allow-Headers', headers.join(', '))
  if (rule.maxAgeSeconds !== undefined)
    answer.push('Access-Control-Max-Age', String(rule.maxAgeSeconds))
  return { headers: answer, exposed: rule.exposed }
}
