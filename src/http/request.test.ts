import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { leastCpuMs } from '../../test/support/cpu-cost.ts'
import { requestOf } from '../../test/support/requests.ts'
import { errorOf } from '../../test/support/s3-errors.ts'
import type { S3Request } from '../s3/request.ts'
import { parseRequest } from './request.ts'

describe('contract 2.1: the path is split raw and decoded once', () => {
  test.each<[string, string | undefined, string | undefined]>([
    ['/', undefined, undefined],
    ['/?x', undefined, undefined],
    ['/b', 'b', undefined],
    ['/b/', 'b', undefined],
    ['/b/k', 'b', 'k'],
    ['/b/k/', 'b', 'k/'],
    ['/b//k', 'b', '/k'],
    ['/b/a//b', 'b', 'a//b'],
    ['/b/a/../b', 'b', 'a/../b'],
    ['/b/a+b', 'b', 'a+b'],
    ['/b/a%2Bb', 'b', 'a+b'],
    ['/b/a%20b', 'b', 'a b'],
    ['/b/a%2Fb', 'b', 'a/b'],
    ['/b/%252e%252e', 'b', '%2e%2e'],
    ['/b/%2e%2e/k', 'b', '../k'],
    ['/b/%00', 'b', '\0'],
    ['/b/%C3%BC', 'b', 'ü'],
    ['/b/\xc3\xbc', 'b', 'ü'],
    ['/b/\xc3\xbc%20', 'b', 'ü '],
    ['/b%2Fk', 'b/k', undefined],
    ['/b%2F..', 'b/..', undefined],
    ['//k', '', 'k'],
    ['/%2e%2e/k', '..', 'k'],
    ['/b/k#f', 'b', 'k#f'],
    ['/b/k?a?b', 'b', 'k'],
  ])('%j', (target, bucket, key) => {
    const request = requestOf({ target })
    expect([request.bucket, request.key]).toEqual([bucket, key])
  })

  test.each([
    '/b/%',
    '/b/%2',
    '/b/%zz',
    '/b/a%2',
    '/%',
    '/b/%u0041',
    '/b?a=%',
    '/b?%zz',
    '/b?a=%2',
  ])('defect 17: an escape that is none: %s', (target) => {
    expect(errorOf(() => requestOf({ target }))).toMatchObject({ code: 'InvalidURI', status: 400 })
  })

  test.each([
    ['a lone byte', '/b/%ff'],
    ['a raw lone byte', '/b/\xff'],
    ['over-long', '/b/%c0%ae%c0%ae/k'],
    ['over-long slash', '/b/..%c0%af'],
    ['a surrogate', '/b/%ed%a0%80'],
    ['cut off', '/b/%e6%97'],
    ['in a query', '/b?prefix=%ff'],
  ])('A1: bytes that are no UTF-8 would make two keys one: %s', (_, target) => {
    expect(errorOf(() => requestOf({ target })).code).toBe('InvalidURI')
  })

  test.each(['', '*', 'http://h/b/k', 'b/k', '?a'])('a target that is no path: %j', (target) => {
    expect(errorOf(() => requestOf({ target })).code).toBe('InvalidURI')
  })
})

describe('the query', () => {
  test.each<[string, [string, string][]]>([
    ['/b?acl', [['acl', '']]],
    ['/b?a=', [['a', '']]],
    ['/b?a=b=c', [['a', 'b=c']]],
    ['/b?a+b=c+d', [['a b', 'c d']]],
    ['/b?a=b%2Bc%20d', [['a', 'b+c d']]],
    ['/b?&&a=1&', [['a', '1']]],
    ['/b?=x', [['', 'x']]],
    ['/b?prefix=%C3%BC/\xc3\xbc', [['prefix', 'ü/ü']]],
    ['/b?%70refix=a', [['prefix', 'a']]],
    ['/b?__proto__=a', [['__proto__', 'a']]],
  ])('%j', (target, expected) => {
    expect([...requestOf({ target }).query]).toEqual(expected)
  })

  test('A13: of a repeated parameter the first counts, and its name is told', () => {
    const { query, repeatedQuery, rawQuery } = requestOf({ target: '/b?a=1&b=2&a=3&%61=4' })
    expect([query.get('a'), query.size, repeatedQuery, rawQuery]).toEqual([
      '1',
      2,
      'a',
      'a=1&b=2&a=3&%61=4',
    ])
    expect(requestOf({ target: '/b?a=1' }).repeatedQuery).toBeUndefined()
  })

  test('A20: ten thousand parameters take no time', () => {
    const target = `/b?${Array.from({ length: 10_000 }, (_, i) => `a${i}=%20`).join('&')}`
    expect(requestOf({ target }).query.size).toBe(10_000)
    expect(leastCpuMs(() => requestOf({ target }), 100)).toBeLessThanOrEqual(100)
  })
})

describe('contract 6.1: virtual hosts', () => {
  test.each<[string, string, Partial<S3Request>]>([
    ['b.s3.example.com', '/k', { bucket: 'b', key: 'k', hostStyle: true }],
    ['b.s3.example.com', '/', { bucket: 'b', key: undefined, hostStyle: true }],
    ['b.c.s3.example.com', '/a/k', { bucket: 'b.c', key: 'a/k', hostStyle: true }],
    ['b.s3.example.com:7070', '/k', { bucket: 'b', key: 'k', hostStyle: true }],
    ['s3.example.com', '/b/k', { bucket: 'b', key: 'k', hostStyle: false }],
    ['.s3.example.com', '/b/k', { bucket: 'b', key: 'k', hostStyle: false }],
    ['other.example.com', '/b/k', { bucket: 'b', key: 'k', hostStyle: false }],
    ['', '/b/k', { bucket: 'b', key: 'k', hostStyle: false }],
  ])('%s%s', (host, target, expected) => {
    const request = requestOf({ target, headers: { Host: host }, virtualDomain: 's3.example.com' })
    expect(request).toMatchObject({ ...expected, rawPath: target })
  })

  test('a domain may carry its port', () => {
    const head = {
      target: '/k',
      headers: { Host: 'b.localhost:7070' },
      virtualDomain: 'localhost:7070',
    }
    expect(requestOf(head).bucket).toBe('b')
  })
})

/** What the parser of Node lets through, seen from our side. */
async function overSocket(bytes: string): Promise<S3Request | string> {
  const seen: { request?: S3Request } = {}
  const server = createServer({ requireHostHeader: false }, (incoming, outgoing) => {
    try {
      seen.request = parseRequest(incoming, { virtualDomain: undefined })
    } catch {
      outgoing.statusCode = 400
    }
    outgoing.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.end(bytes, 'latin1')
  let answer = ''
  for await (const piece of socket) answer += String(piece)
  server.close()
  return seen.request ?? answer.slice(0, 12)
}

describe('over a socket', () => {
  test('the target is kept as it came', async () => {
    const request = await overSocket(
      'GET /b/a/../%41//b?X=%2f&a+b HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-A: 1\r\nx-a: 2\r\n\r\n',
    )
    expect(request).toMatchObject({
      method: 'GET',
      rawPath: '/b/a/../%41//b',
      rawQuery: 'X=%2f&a+b',
      host: 'h',
      scheme: 'http',
      clientAddress: '127.0.0.1',
    })
    expect((request as S3Request).headers['x-a']).toBe('1, 2')
    expect((request as S3Request).rawHeaders.slice(-4)).toEqual(['X-A', '1', 'x-a', '2'])
  })

  test('A17: the peer is who the socket says', async () => {
    const request = await overSocket(
      'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Forwarded-For: 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\n\r\n',
    )
    expect(request).toMatchObject({ clientAddress: '127.0.0.1' })
  })

  test.each([
    ['bare line feeds', 'GET / HTTP/1.1\nHost: h\n\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : h\r\n\r\n'],
    [
      'two lengths',
      'PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    ],
    [
      'length and chunks',
      'PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a signed length', 'PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na'],
    ['a hexadecimal length', 'PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\na'],
    [
      'another coding',
      'PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'a coding behind chunked',
      'PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n',
    ],
    [
      'a coding before chunked',
      'PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    ],
    ['NUL in a header', 'GET / HTTP/1.1\r\nHost: h\r\nX-A: a\0b\r\n\r\n'],
  ])('A19: %s: 400', async (_, bytes) => {
    expect(await overSocket(bytes)).toBe('HTTP/1.1 400')
  })
})
