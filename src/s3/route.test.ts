import { describe, expect, test } from 'vitest'
import { adminOperations, noAdminRoute } from '../admin/index.ts'
import { createIam } from '../auth/iam/iam.ts'
import { createSingleStore } from '../auth/iam/single-store.ts'
import { operations } from './operations/index.ts'
import type { Operation } from './operation.ts'
import type { S3Request } from './request.ts'
import { createRouter } from './route.ts'

const iam = createIam({
  root: { access: 'root', secret: 'secret' },
  store: createSingleStore(),
  cache: { ttlMs: 0, staleMs: 0, pruneMs: 1000 },
  debug: false,
  log: () => undefined,
})
/** As on listeners that S3 and the admin API share. */
const all = [...adminOperations(iam, true), ...operations]
const route = createRouter(all)

/** The least request that an operation's route asks for. */
function leastRequest({ http }: Operation): S3Request {
  const { query = [], header = {}, target, word } = http
  const parameters: [string, string][] =
    typeof query === 'string'
      ? [[query, '']]
      : Array.isArray(query)
        ? (query as readonly string[]).map((name) => [name, ''])
        : Object.entries(query)
  return {
    method: http.method,
    rawPath: '/',
    rawQuery: '',
    bucket: target === 'service' ? undefined : (target === 'bucket' && word) || 'bucket',
    key: target === 'object' ? (word ?? 'key') : undefined,
    query: new Map(parameters),
    repeatedQuery: undefined,
    headers: typeof header === 'string' ? { [header]: 'value' } : header,
    rawHeaders: [],
    scheme: 'http',
    host: 'localhost',
    hostStyle: false,
    clientAddress: '127.0.0.1',
  }
}

describe('the router', () => {
  test.each(all.map((operation, at) => [operation.name, at] as const))(
    'reaches %s (entry %i)',
    (_name, at) => {
      const operation = all[at]
      if (operation === undefined) throw new Error('no such entry')
      expect(route(leastRequest(operation))).toBe(operation)
    },
  )

  test('has no two operations for one and the same request', () => {
    const shapes = all.map(({ http }) =>
      JSON.stringify([http.method, http.target, http.word, http.query, http.header]),
    )
    expect(new Set(shapes).size).toBe(shapes.length)
  })

  test('ignores parameters it does not know: PUT /b?bogus is CreateBucket (contract 6.1)', () => {
    const create = operations.find(({ name }) => name === 'CreateBucket')
    if (create === undefined) throw new Error('CreateBucket is not listed')
    expect(route({ ...leastRequest(create), query: new Map([['bogus', '']]) }).name).toBe(
      'CreateBucket',
    )
  })

  test('answers what has no route with MethodNotAllowed', () => {
    const [list] = operations
    if (list === undefined) throw new Error('nothing is listed')
    expect(() => route({ ...leastRequest(list), method: 'PATCH' })).toThrow(/not allowed/)
  })

  test('leaves a bucket that is called like an admin operation to S3 (contract 5.4)', () => {
    for (const operation of operations) {
      const request = { ...leastRequest(operation), bucket: 'list-users' }
      if (operation.http.target !== 'service') expect(route(request)).toBe(operation)
    }
  })

  test('takes no admin operation from the path below a bucket named by the host', () => {
    const [create] = adminOperations(iam, true)
    if (create === undefined) throw new Error('nothing is listed')
    expect(() => route({ ...leastRequest(create), hostStyle: true })).toThrow(/not allowed/)
  })

  test('listeners of the admin API answer InternalError to all else (contract 5.4)', () => {
    const own = createRouter(adminOperations(iam, false), noAdminRoute)
    for (const operation of operations) {
      const isOwn = operation.http.method === 'OPTIONS'
      if (!isOwn) expect(() => own(leastRequest(operation))).toThrow(/internal error/)
    }
    const [create] = adminOperations(iam, false)
    if (create === undefined) throw new Error('nothing is listed')
    expect(own(leastRequest(create)).rootSpan).toBe('Admin.CreateUser')
  })
})
