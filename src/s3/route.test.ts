import { describe, expect, test } from 'vitest'
import { operations } from './operations/index.ts'
import type { Operation } from './operation.ts'
import type { S3Request } from './request.ts'
import { createRouter } from './route.ts'

const route = createRouter(operations)

/** The least request that an operation's route asks for. */
function leastRequest({ http }: Operation): S3Request {
  const { query = [], header } = http
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
    bucket: http.target === 'service' ? undefined : 'bucket',
    key: http.target === 'object' ? 'key' : undefined,
    query: new Map(parameters),
    repeatedQuery: undefined,
    headers: header === undefined ? {} : { [header]: 'value' },
    rawHeaders: [],
    scheme: 'http',
    host: 'localhost',
    hostStyle: false,
    clientAddress: '127.0.0.1',
  }
}

describe('the router', () => {
  test.each(operations.map((operation, at) => [operation.name, at] as const))(
    'reaches %s (entry %i)',
    (_name, at) => {
      const operation = operations[at]
      if (operation === undefined) throw new Error('no such entry')
      expect(route(leastRequest(operation))).toBe(operation)
    },
  )

  test('has no two operations for one and the same request', () => {
    const shapes = operations.map(({ http }) =>
      JSON.stringify([http.method, http.target, http.query, http.header]),
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
})
