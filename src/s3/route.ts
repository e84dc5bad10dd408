import type { Operation, Route, Target } from './operation.ts'
import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'

/** Finds the operation that answers a request; throws MethodNotAllowed where none does. */
export type Router = (request: S3Request) => Operation

/**
 * Builds the table once: operations by method and target, in the order they are listed, so that of two that match the
 * first wins. Those that ask for a parameter or a header must therefore stand before those that ask for nothing.
 */
export function createRouter(
  operations: readonly Operation[],
  noRoute: (request: S3Request) => S3Error = methodNotAllowed,
): Router {
  const table = new Map<string, Record<Target, Candidate[]>>()
  for (const operation of operations) {
    const { method, target } = operation.http
    const ofMethod = table.get(method) ?? { service: [], bucket: [], object: [] }
    ofMethod[target].push(candidate(operation))
    table.set(method, ofMethod)
  }
  return (request) => {
    const ofMethod = table.get(request.method)
    if (ofMethod !== undefined) {
      for (const { operation, matches } of ofMethod[targetOf(request)])
        if (matches === undefined || matches(request)) return operation
    }
    throw noRoute(request)
  }
}

function methodNotAllowed({ method }: S3Request): S3Error {
  return new S3Error('MethodNotAllowed', { Method: method, ResourceType: 'SERVICE' })
}

interface Candidate {
  readonly operation: Operation
  /** Undefined where method and target are all that is asked for. */
  readonly matches: ((request: S3Request) => boolean) | undefined
}

function candidate(operation: Operation): Candidate {
  const { query, header, word, target } = operation.http
  const present = namesIn(query)
  const exact = valuesIn(query)
  const presentHeaders = namesIn(header)
  const exactHeaders = valuesIn(header)
  if (query === undefined && header === undefined && word === undefined)
    return { operation, matches: undefined }
  const hasWord = (request: S3Request): boolean =>
    !request.hostStyle && (target === 'bucket' ? request.bucket : request.key) === word
  return {
    operation,
    matches(request) {
      if (word !== undefined && !hasWord(request)) return false
      for (const name of presentHeaders) if (request.headers[name] === undefined) return false
      for (const [name, value] of exactHeaders) if (request.headers[name] !== value) return false
      for (const name of present) if (!request.query.has(name)) return false
      for (const [name, value] of exact) if (request.query.get(name) !== value) return false
      return true
    },
  }
}

type Asked = Route['query']

/** What must be there, with any value. */
function namesIn(asked: Asked): readonly string[] {
  if (typeof asked === 'string') return [asked]
  return Array.isArray(asked) ? (asked as readonly string[]) : []
}

/** What must be there with this value. */
function valuesIn(asked: Asked): readonly (readonly [string, string])[] {
  return typeof asked === 'object' && !Array.isArray(asked) ? Object.entries(asked) : []
}

function targetOf(request: S3Request): Target {
  if (request.bucket === undefined) return 'service'
  return request.key === undefined ? 'bucket' : 'object'
}
