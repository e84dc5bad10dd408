import { describe, expect, test } from 'vitest'
import { durationMs, isDoubleKey, levelOf, nameRules, throughputMbps } from './span-kinds.ts'

describe('what follows from a name (trace contract, 3.2 to 3.4)', () => {
  test.each([
    ['Auth.V4Signature', 'backend', 'duration_ms', undefined],
    ['IAM.GetUserAccount', 'backend', 'duration_ms', undefined],
    ['Backend.PutObject', 'backend', 'duration_ms', undefined],
    ['Posix.IO.OpenFile', 'io', 'posix.duration_ms', undefined],
    ['Posix.IO.WriteData', 'io', 'posix.duration_ms', 'posix.bytes_written'],
    ['Posix.IO.SendFile', 'io', 'posix.duration_ms', 'posix.bytes_read'],
    ['Posix.IO.CopyPart', 'io', 'posix.duration_ms', 'posix.part_size'],
    ['Posix.Syscall.pwrite', 'syscall', undefined, undefined],
    ['Something.Else', 'backend', undefined, undefined],
  ] as const)('%s', (name, depth, duration, movedBytes) => {
    expect(nameRules(name)).toEqual({ level: levelOf(depth), duration, movedBytes })
  })

  test('100 MiB in 450 ms are 222.2 MiB/s', () => {
    expect(throughputMbps(100 * 1024 * 1024, 450e6)).toBe(222.222)
    expect(throughputMbps(4096, 0)).toBe(0)
    expect(throughputMbps(10_000, 1e9)).toBe(0.01)
  })

  test('durations go to the nanosecond', () => {
    expect(durationMs(1_234_567.4)).toBe(1.234567)
  })

  test.each([
    ['duration_ms', true],
    ['posix.throughput_mbps', true],
    ['posix.duration_us', true],
    ['posix.bytes_read', false],
    ['mbps', false],
  ])('%s is always a double: %s', (key, expected) => {
    expect(isDoubleKey(key)).toBe(expected)
  })
})
