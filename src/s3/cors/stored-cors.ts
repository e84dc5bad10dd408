import { createStoredDocuments, type StoredDocuments } from '../../stored-documents.ts'
import { CORS_METHODS, isHeaderName, readCors, type CorsRule } from './cors-rules.ts'
import { Wildcard } from './wildcard.ts'

/** A rule as it is asked: see `findGrant`. */
export interface CompiledRule {
  readonly methods: ReadonlySet<string>
  readonly origins: readonly OriginPattern[]
  readonly headers: HeaderPatterns
  /** `GET, PUT`. */
  readonly allowMethods: string
  readonly exposed: readonly string[]
  readonly maxAgeSeconds: number | undefined
}

interface OriginPattern {
  /** `*` alone: every page may, and none with the cookies of its user. */
  readonly isAny: boolean
  readonly wildcard: Wildcard
}

export interface HeaderPatterns {
  readonly isAny: boolean
  /** In lower case. */
  readonly names: ReadonlySet<string>
  readonly wildcards: readonly Wildcard[]
}

/** Compiled CORS configurations of buckets, so that a request compiles none. */
export type StoredCors = StoredDocuments<readonly CompiledRule[]>

/** Bytes of documents at most; compiled they take a few times that. */
const MAX_BYTES = 4 * 1024 * 1024

/** One that cannot be read, which nobody can have put through S3, allows nothing. */
export function createStoredCors(): StoredCors {
  return createStoredDocuments((bytes) => {
    try {
      return readCors(bytes).map((rule) => compile(rule))
    } catch {
      return []
    }
  }, MAX_BYTES)
}

/** What PutBucketCors would refuse, because a header cannot hold it, is left out: somebody wrote it by hand. */
function compile(rule: CorsRule): CompiledRule {
  const methods = rule.allowedMethods.filter((method) => CORS_METHODS.has(method))
  return {
    methods: new Set(methods),
    origins: rule.allowedOrigins.map((origin) => ({
      isAny: origin === '*',
      wildcard: new Wildcard(origin),
    })),
    headers: compileHeaders(rule.allowedHeaders),
    allowMethods: methods.join(', '),
    exposed: rule.exposeHeaders.filter((name) => isHeaderName(name)),
    maxAgeSeconds: rule.maxAgeSeconds,
  }
}

function compileHeaders(allowed: readonly string[]): HeaderPatterns {
  const patterns = new Set(allowed.map((name) => name.toLowerCase()))
  const wild = [...patterns].filter((pattern) => pattern.includes('*'))
  return {
    isAny: patterns.has('*'),
    names: patterns,
    wildcards: wild.map((pattern) => new Wildcard(pattern)),
  }
}
