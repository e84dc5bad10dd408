import { describe, expect, test } from 'vitest'
import { type Json, JsonObject, parseJson } from './json.ts'

/** As JSON.parse has it. */
function plain(json: Json): unknown {
  if (Array.isArray(json)) return json.map((value: Json) => plain(value))
  if (json instanceof JsonObject)
    return Object.fromEntries(json.members.map(([name, value]) => [name, plain(value)]))
  return json
}

describe('JSON with all its members', () => {
  test.each([
    '{}',
    '[]',
    ' { "a" : [ 1 , -2.5e3 , true , false , null , "x" ] } ',
    '{"":{"":[[],{}]},"b":"\\u0041\\"\\\\\\/\\n{}[]:,"}',
    '"a"',
    '0',
    '[[[["deep"]]],{"a":{"b":{"c":[{}]}}}]',
    '{"__proto__":1,"constructor":2}',
  ])('%s', (text) => {
    expect(plain(parseJson(text))).toEqual(JSON.parse(text))
  })

  test('keeps what comes twice, in order', () => {
    const json = parseJson('{"b":1,"a":2,"b":{"c":3,"c":4}}') as JsonObject
    expect(json.members.map(([name]) => name)).toEqual(['b', 'a', 'b'])
    const [, , [, last] = []] = json.members
    expect(last).toEqual(
      Object.assign(new JsonObject(), {
        members: [
          ['c', 3],
          ['c', 4],
        ],
      }),
    )
  })

  test.each(['', '{', '{]', '{"a"}', '{"a":1,}', '[1 2]', "{'a':1}", '{"a":01}', '1 1', 'nul'])(
    'refuses %j',
    (text) => {
      expect(() => parseJson(text)).toThrow(SyntaxError)
    },
  )

  test('goes 10,000 deep and no deeper', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
    expect(parseJson(nested(10_000))).toHaveLength(1)
    expect(() => parseJson(nested(10_001))).toThrow(SyntaxError)
    expect(() => parseJson('{"a":'.repeat(10_001) + '1' + '}'.repeat(10_001))).toThrow(SyntaxError)
  })
})
