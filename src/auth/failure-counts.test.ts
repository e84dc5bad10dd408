import { expect, test } from 'vitest'
import { FailureCounts, networkOf } from './failure-counts.ts'

function countsAt(clock: { ms: number }): FailureCounts {
  return new FailureCounts(() => clock.ms)
}

test('slips cost nothing, then each failure waits longer, up to half a second', () => {
  const counts = countsAt({ ms: 0 })
  const delays = Array.from({ length: 60 }, () => counts.add('192.0.2.1', 'AK'))
  expect(delays.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 0))
  expect(delays.slice(20, 23)).toEqual([20, 40, 60])
  expect(delays.at(-1)).toBe(500)
  expect(counts.total).toBe(60)
})

test('one address with many access keys, and one access key from many addresses', () => {
  const counts = countsAt({ ms: 0 })
  for (let i = 0; i < 30; i++) counts.add('192.0.2.1', `AK${i}`)
  expect(counts.add('192.0.2.1', 'another')).toBeGreaterThan(0)
  for (let i = 0; i < 30; i++) counts.add(`198.51.100.${i}`, 'AK')
  expect(counts.add('203.0.113.1', 'AK')).toBeGreaterThan(0)
  expect(counts.add('203.0.113.2', 'other')).toBe(0)
})

test('counts fade', () => {
  const clock = { ms: 0 }
  const counts = countsAt(clock)
  for (let i = 0; i < 40; i++) counts.add('192.0.2.1', 'AK')
  clock.ms = 60_000
  expect(counts.add('192.0.2.1', 'AK')).toBe(0)
})

test('A14: 100,000 access keys and addresses take a limited amount of memory', () => {
  const counts = countsAt({ ms: 0 })
  for (let i = 0; i < 100_000; i++)
    counts.add(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, `AK${i}`)
  expect(counts.size).toBeLessThanOrEqual(20_000)
  expect(counts.total).toBe(100_000)
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['', ''],
])('the network of %s', (address, network) => {
  expect(networkOf(address)).toBe(network)
})
