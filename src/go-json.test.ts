import { describe, expect, test } from 'vitest'
import { goMap, goString, parseMap, parseObject } from './go-json.ts'

describe('JSON as Go writes it (contract 2.3)', () => {
  test.each([
    ['plain', '"plain"'],
    ['<a href="x">&amp;</a>', '"\\u003ca href=\\"x\\"\\u003e\\u0026amp;\\u003c/a\\u003e"'],
    ['a\\b', '"a\\\\b"'],
    ['a\u2028b\u2029', '"a\\u2028b\\u2029"'],
    ['tab\tline\n\u0001', '"tab\\tline\\n\\u0001"'],
    ['grün 日本 😀', '"grün 日本 😀"'],
  ])('%j', (text, json) => {
    expect(goString(text)).toBe(json)
    expect(JSON.parse(json)).toBe(text)
  })

  test('maps are in the byte order of their keys', () => {
    expect(goMap({ '￮': '1', '😀': '2', b: '', a: 'x' })).toBe('{"a":"x","b":"","￮":"1","😀":"2"}')
    expect(goMap({})).toBe('{}')
  })

  test('what is no object is none', () => {
    for (const text of ['', 'x', '1', 'null', '"x"', '{'])
      expect(parseObject(Buffer.from(text))).toBeUndefined()
    expect(parseObject(undefined)).toBeUndefined()
    expect(parseObject(Buffer.from('{"a":1}'))).toEqual({ a: 1 })
  })
})

test('a stored map has no prototype to pollute', () => {
  const map = parseMap(Buffer.from('{"__proto__":"x","constructor":"y","n":1}'))
  expect(Object.entries(map)).toEqual([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ])
})
