import { describe, expect, test } from 'vitest'
import { leastCpuMs } from '../../../test/support/cpu-cost.ts'
import { Evaluation } from './evaluation.ts'
import { Text } from './glob.ts'
import { compilePattern, conditionKey, type Variables } from './pattern.ts'

const context: Readonly<Record<string, readonly string[]>> = {
  'aws:username': ['alice'],
  's3:prefix': ['a*'],
  's3:requestobjecttagkeys': ['one', 'two'],
  's3:existingobjecttag/Team': ['Blue'],
}
const variables: Variables = (key) => context[key]

function matches(pattern: string, text: string, isNewVersion = true): boolean {
  const options = { wildcards: true, variables: isNewVersion, keys: new Set<string>() }
  return compilePattern(pattern, options).matches(new Text(text), new Evaluation(variables))
}

describe('wildcards', () => {
  test.each([
    // "An asterisk (*) represents any combination of characters, a question mark (?) any single character", `/` among them.
    ['*', '', true],
    ['*', 'a/b', true],
    ['a*', 'a', true],
    ['a*', 'ba', false],
    ['*a', 'a/ba', true],
    ['*a', 'ab', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'acb', false],
    ['*ab*ab*', 'abab', true],
    ['*ab*ab*', 'abb', false],
    ['ab*ba', 'aba', false],
    ['?', '', false],
    ['?', 'é', true],
    ['?', '😀', true],
    ['??', '😀', false],
    ['?*', 'a', true],
    ['?*', '', false],
    ['**', 'anything', true],
    ['a**b', 'ab', true],
    ['*?', 'a', true],
    ['*😀*', 'a😀b', true],
    ['a?c*', 'abcd', true],
    ['*b?d', 'abcd', true],
    ['', '', true],
    ['', 'a', false],
    // Nothing else is special.
    ['[ab]', 'a', false],
    ['a.c', 'abc', false],
    ['\\*', '\\x', true],
  ])('%j and %j: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected)
  })

  test('pieces of more than 16, 32 and 64 characters are found wherever they are', () => {
    for (const length of [16, 17, 31, 32, 33, 63, 64, 65, 100]) {
      const piece = Array.from({ length }, (_, i) => String.fromCharCode(97 + (i % 7))).join('')
      const holed = piece.slice(0, 5) + '?' + piece.slice(6)
      for (const middle of [piece, holed])
        for (const before of ['', 'x', 'abc', piece.slice(0, -1)]) {
          expect(matches(`x*${middle}*y`, `x${before}${piece}y`)).toBe(true)
          expect(matches(`x*${middle}*y`, `x${before}Z${piece.slice(1)}y`)).toBe(false)
        }
    }
  })
})

describe('wildcards cost no more than the text is long (A23)', () => {
  const text = 'a'.repeat(8192)
  test.each([
    ['stars', `${'*a'.repeat(10_000)}b`],
    ['stars that fit', '*a'.repeat(8_000)],
    ['question marks between stars', `*${'?a'.repeat(2_000)}b*`],
    ['a long piece that almost fits', `*${'a'.repeat(4_000)}b*`],
    ['a long piece that almost fits, from its other end', `*b${'a'.repeat(4_000)}*`],
    ['many pieces', `*${`${'a'.repeat(15)}?*`.repeat(500)}b`],
  ])('%s', (_, pattern) => {
    const options = { wildcards: true, variables: true, keys: new Set<string>() }
    const compiled = compilePattern(pattern, options)
    const match = () => compiled.matches(new Text(text), new Evaluation(variables))
    // A backtracking matcher takes seconds, or for ever.
    expect(leastCpuMs(match, 50)).toBeLessThanOrEqual(50)
  })
})

test('variables that never end cost no more than the text is long, too (A23)', () => {
  const compile = () => {
    for (const text of ['${'.repeat(10_000), '${x}' + '${'.repeat(10_000)])
      compilePattern(text, { wildcards: true, variables: true, keys: new Set() })
  }
  expect(leastCpuMs(compile, 50)).toBeLessThanOrEqual(50)
})

describe('variables', () => {
  test.each([
    ['${aws:username}/*', 'alice/x', true],
    ['${aws:username}/*', 'bob/x', false],
    // "Condition key names are not case-sensitive"; a tag's own key is.
    ['${AWS:UserName}', 'alice', true],
    ['${s3:ExistingObjectTag/Team}', 'Blue', true],
    ['${s3:ExistingObjectTag/team}', 'Blue', false],
    // A value is taken literally, also where it looks like a wildcard.
    ['${s3:prefix}', 'a*', true],
    ['${s3:prefix}', 'ab', false],
    // "${*}, ${?}, ${$}": these characters themselves.
    ['${*}', '*', true],
    ['${*}', 'x', false],
    ['${?}', '?', true],
    ['${?}', 'x', false],
    ['${$}{aws:username}', '${aws:username}', true],
    // A variable without a value: "There is no equal or like value."
    ['${aws:none}*', 'anything', false],
    ['${aws:none}', '', false],
    ['${no such key}', '${no such key}', false],
    ["${aws:none, 'x'}*", 'xy', true],
    ["${aws:none, ''}", '', true],
    ["${aws:username, 'x'}", 'alice', true],
    // Only a key of one value can stand in a text.
    ['${s3:requestobjecttagkeys}', 'one', false],
    // What is no variable is text.
    ['$aws:username', '$aws:username', true],
    ['${aws:username', '${aws:username', true],
  ])('%j and %j: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected)
  })

  test('mean nothing in policies of version 2008-10-17', () => {
    expect(matches('${aws:username}', '${aws:username}', false)).toBe(true)
    expect(matches('${*}', '${anything}', false)).toBe(true)
  })
})

test('the case of a condition key counts only behind its slash', () => {
  expect(conditionKey('aws:SourceIp')).toBe('aws:sourceip')
  expect(conditionKey('S3:ExistingObjectTag/Team/A')).toBe('s3:existingobjecttag/Team/A')
})
