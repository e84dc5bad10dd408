import { describe, expect, test } from 'vitest'
import { leastCpuMs } from '../../../test/support/cpu-cost.ts'
import { findGrant } from './cors-grant.ts'
import { createStoredCors } from './stored-cors.ts'

const ORIGIN = 'https://app.example.com'
const compile = (rules: string) =>
  createStoredCors().read('bucket', Buffer.from(`<CORSConfiguration>${rules}</CORSConfiguration>`))
const rule = (headers: readonly string[]) =>
  compile(
    `<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>${headers
      .map((name) => `<AllowedHeader>${name}</AllowedHeader>`)
      .join('')}</CORSRule>`,
  )
const ask = (headers: readonly string[]) => ({ origin: ORIGIN, method: 'GET', headers })

describe('Rules of a bucket', () => {
  test('names beyond what any browser asks for are refused, where wildcards would have to be tried', () => {
    const names = Array.from({ length: 257 }, (_, n) => `x-${n}`)
    expect(findGrant(rule(['x-*']), ask(names.slice(1)))).toBeDefined()
    expect(findGrant(rule(['x-*']), ask(names))).toBeUndefined()
    expect(findGrant(rule(['*']), ask(names))).toBeDefined()
    expect(findGrant(rule(names), ask(names))).toBeDefined()
  })

  test('A23: as many names against as many wildcards as fit do not hold up the event loop', () => {
    // 2,000 patterns are what an attribute of 64 KiB holds, 8 KiB of names what a head holds.
    const rules = rule([...Array.from({ length: 2000 }, (_, n) => `*a*a${n}*b`), '*c'])
    const names = Array.from({ length: 256 }, (_, n) => `${'a'.repeat(20)}${n}c`)
    expect(findGrant(rules, ask(names))).toBeDefined()
    expect(leastCpuMs(() => findGrant(rules, ask(names)), 200)).toBeLessThanOrEqual(200)
  })

  test('A20: what no header can hold is left out of rules that somebody wrote by hand', () => {
    const rules = compile(
      '<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>' +
        '<AllowedMethod>PUT&#13;&#10;Set-Cookie: a</AllowedMethod>' +
        '<ExposeHeader>a&#13;&#10;Set-Cookie: a</ExposeHeader><ExposeHeader>b</ExposeHeader></CORSRule>',
    )
    const grant = findGrant(rules, ask([]))
    expect(JSON.stringify(grant)).not.toContain('Set-Cookie')
    expect(grant?.exposed).toEqual(['b'])
  })

  test.each(['garbage', '<CORSConfiguration>', '<Other/>', ''])(
    'that cannot be read allow nothing: %s',
    (document) => {
      const rules = createStoredCors().read('bucket', Buffer.from(document))
      expect(findGrant(rules, ask([]))).toBeUndefined()
    },
  )

  test('a document that takes the place of another is read anew', () => {
    const cors = createStoredCors()
    const document = (method: string) =>
      Buffer.from(
        `<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>${method}</AllowedMethod></CORSRule></CORSConfiguration>`,
      )
    expect(findGrant(cors.read('b', document('GET')), ask([]))).toBeDefined()
    expect(findGrant(cors.read('b', document('PUT')), ask([]))).toBeUndefined()
  })
})
