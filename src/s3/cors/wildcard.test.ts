import { describe, expect, test } from 'vitest'
import { leastCpuMs } from '../../../test/support/cpu-cost.ts'
import { Wildcard } from './wildcard.ts'

describe('A pattern in which * stands for any run of characters', () => {
  test.each([
    ['*', '', true],
    ['*', 'x', true],
    ['', '', true],
    ['', 'x', false],
    ['abc', 'abc', true],
    ['abc', 'ABC', false],
    ['abc', 'abcd', false],
    ['https://*.example.com', 'https://a.example.com', true],
    ['https://*.example.com', 'https://a.b.example.com', true],
    ['https://*.example.com', 'https://.example.com', true],
    ['https://*.example.com', 'https://example.com', false],
    ['https://*.example.com', 'https://a.example.com.evil.com', false],
    ['https://*.example.com', 'http://a.example.com', false],
    ['https://a.example.com', 'https://axexample.com', false],
    ['aba*aba', 'aba', false],
    ['aba*aba', 'ababa', false],
    ['aba*aba', 'abaaba', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'axbxbxc', true],
    ['a*b*c', 'acb', false],
    ['a*b*b', 'ab', false],
    ['*-a-*', '-a-', true],
    ['*-a-*', 'a-', false],
    ['**', '', true],
    ['**z', 'z', true],
  ])('%s and %s: %s', (pattern, text, matches) => {
    expect(new Wildcard(pattern).matches(text)).toBe(matches)
  })

  test('A23: stars upon stars take linear time', () => {
    const text = 'a'.repeat(8192)
    for (const pattern of ['*a'.repeat(4000) + 'b', `${'*a'.repeat(4000)}*b*`]) {
      const wildcard = new Wildcard(pattern)
      expect(wildcard.matches(text)).toBe(false)
      expect(leastCpuMs(() => wildcard.matches(text), 20)).toBeLessThanOrEqual(20)
    }
  })
})
