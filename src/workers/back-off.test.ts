import { expect, test } from 'vitest'
import { BackOff } from './back-off.ts'

test('a worker that keeps ending is started ever more slowly, within bounds', () => {
  const backOff = new BackOff()
  const delays = Array.from({ length: 12 }, () => backOff.next(10))
  expect(delays.slice(0, 5)).toEqual([100, 200, 400, 800, 1600])
  expect(delays.at(-1)).toBe(30_000)
})

test('one that was well for a minute is started at once again', () => {
  const backOff = new BackOff()
  for (let i = 0; i < 8; i++) backOff.next(10)
  expect(backOff.next(60_000)).toBe(100)
  expect(backOff.next(10)).toBe(200)
})
