import type { Operation, Target } from './operation.ts'
import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'

/** Finds the operation that answers a request; throws MethodNotAllowed where none does. */
export type Router = (request: S3Request) => Operation

/**
 * Builds the table once: operations by method and target, in the order they are listed, so that of two that match the
 * first wins. Those that ask for a parameter or a header must therefore stand before those that ask for nothing.
 */
export function createRouter(operations: readonly Operation[]): Router {
  const table = new Map<string, Candidate[]>()
  for (const operation of operations) {
    const slot = `${operation.http.method} ${operation.http.target}`
    const candidates = table.get(slot) ?? []
    candidates.push(candidate(operation))
    table.set(slot, candidates)
  }
  return (request) => {
    const candidates = table.get(`${request.method} ${targetOf(request)}`)
    if (candidates !== undefined) {
      for (const { operation, matches } of candidates)
        if (matches === undefined || matches(request)) return operation
    }
    throw new S3Error('MethodNotAllowed', { Method: request.method, ResourceType: 'SERVICE' })
  }
}

interface Candidate {
  readonly operation: Operation
  /** Undefined where method and target are all that is asked for. */
  readonly matches: ((request: S3Request) => boolean) | undefined
}

function candidate(operation: Operation): Candidate {
  const { query, header } = operation.http
  const present =
    typeof query === 'string' ? [query] : Array.isArray(query) ? (query as readonly string[]) : []
  const exact = typeof query === 'object' && !Array.isArray(query) ? Object.entries(query) : []
  if (present.length === 0 && exact.length === 0 && header === undefined)
    return { operation, matches: undefined }
  return {
    operation,
    matches: (request) =>
      present.every((name) => request.query.has(name)) &&
      exact.every(([name, value]) => request.query.get(name) === value) &&
      (header === undefined || request.headers[header] !== undefined),
  }
}

function targetOf(request: S3Request): Target {
  if (request.bucket === undefined) return 'service'
  return request.key === undefined ? 'bucket' : 'object'
}
