import { describe, expect, test } from 'vitest'
import { currentAnchor, nowNs, unixTime } from './clock.ts'

describe('the trace clock', () => {
  test('is CLOCK_MONOTONIC', () => {
    for (let i = 0; i < 100; i++) {
      const before = Number(process.hrtime.bigint())
      const now = nowNs()
      const after = Number(process.hrtime.bigint())
      // The origin was measured between two readings of the same clock, at most microseconds apart.
      expect(now).toBeGreaterThan(before - 5000)
      expect(now).toBeLessThan(after + 5000)
    }
  })

  test('tells Unix time', () => {
    const before = Date.now()
    const { seconds, nanoseconds } = unixTime(nowNs(), currentAnchor(nowNs()))
    const ms = seconds * 1000 + nanoseconds / 1e6
    expect(ms).toBeGreaterThan(before - 50)
    expect(ms).toBeLessThan(Date.now() + 50)
  })

  test('both ways of writing an anchor are one time', () => {
    const anchor = currentAnchor(nowNs())
    const halves = (BigInt(anchor.unixHigh) << 32n) + BigInt(anchor.unixLow)
    expect(halves).toBe(
      BigInt(anchor.unixSeconds) * 1_000_000_000n + BigInt(anchor.unixNanoseconds),
    )
  })

  test.each([-3601e9, -1, 0, 1, 999_999_999, 61e9])('%d ns from the anchor', (delta) => {
    const anchor = currentAnchor(nowNs())
    const { seconds, nanoseconds } = unixTime(anchor.monotonicNs + delta, anchor)
    const expected =
      BigInt(anchor.unixSeconds) * 1_000_000_000n + BigInt(anchor.unixNanoseconds) + BigInt(delta)
    // Uptime in ns may need more than 53 bits: then a double is a few ns off.
    expect(Number(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds) - expected)).toBeCloseTo(
      0,
      -1,
    )
    expect(nanoseconds).toBeGreaterThanOrEqual(0)
    expect(nanoseconds).toBeLessThan(1e9)
  })

  test('the anchor stays for a minute and is then within a millisecond or two of the old one', () => {
    const first = currentAnchor(nowNs())
    expect(currentAnchor(first.monotonicNs + 59e9)).toBe(first)
    const second = currentAnchor(first.monotonicNs + 61e9)
    expect(second).not.toBe(first)
    const at = (anchor: typeof first): number =>
      unixTime(second.monotonicNs, anchor).seconds * 1e3 +
      unixTime(second.monotonicNs, anchor).nanoseconds / 1e6
    expect(Math.abs(at(second) - at(first))).toBeLessThan(2)
  })
})
