import { expect, test } from 'vitest'
import { RateLimit } from './rate-limit.ts'

test('a burst, then a rate, and a burst again after a quiet time', () => {
  const limit = new RateLimit(3, 2, 0)
  const taken = (nowMs: number): number =>
    Array.from({ length: 10 }, () => limit.take(nowMs)).filter(Boolean).length
  expect(taken(0)).toBe(3)
  expect(taken(499)).toBe(0)
  expect(taken(500)).toBe(1)
  expect(taken(2500)).toBe(3)
  expect(taken(2500)).toBe(0)
})
