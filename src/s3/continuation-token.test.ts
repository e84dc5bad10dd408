import { describe, expect, test } from 'vitest'
import { readToken, writeToken } from './continuation-token.ts'

describe('a token is the key itself', () => {
  test.each(['a', 'b/', 'sp ace', 'ü/日', '%41', 'tab\tx', 'nl\nx', 'amp&<>'])('%j', (key) => {
    expect(writeToken(key)).toBe(key)
    expect(readToken(key)).toBe(key)
  })
})

describe('but for keys that XML would change', () => {
  test.each([
    ['a\u0001b', '[url]a%01b'],
    ['a\ufffeb', '[url]a%EF%BF%BEb'],
    ['[url]a', '[url]%5Burl%5Da'],
  ])('%j is %s', (key, token) => {
    expect(writeToken(key)).toBe(token)
    expect(readToken(token)).toBe(key)
  })
})

test('a token of nobody is taken for a key', () => {
  expect(readToken('[url]%zz')).toBe('[url]%zz')
})
