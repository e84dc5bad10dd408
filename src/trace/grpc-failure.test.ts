import { describe, expect, test } from 'vitest'
import { retryDelayMs } from './grpc-failure.ts'

/** As grpc-js reports it. */
function failure(code: number, status?: readonly number[]): Error {
  const details = status === undefined ? [] : [Buffer.from(status)]
  const metadata = { get: (name: string) => (name === 'grpc-status-details-bin' ? details : []) }
  return Object.assign(new Error(`status ${code}`), { code, metadata })
}

const field = (number: number, content: readonly number[]): number[] => [
  (number << 3) | 2,
  content.length,
  ...content,
]
const detail = (type: string, value: readonly number[]): number[] =>
  field(3, [...field(1, [...Buffer.from(`type.googleapis.com/google.rpc.${type}`)]), ...value])

/** RetryInfo of 2.5 s, behind details of another kind. */
const RETRY_INFO = [
  0x08,
  8,
  ...field(2, [0x6e, 0x6f]),
  ...detail('DebugInfo', field(2, [1, 2, 3])),
  ...detail('RetryInfo', field(2, field(1, [0x08, 2, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01]))),
]

describe('which failures may be sent again (OTLP, "Failures")', () => {
  test.each([
    ['CANCELLED', 1, 0],
    ['UNKNOWN', 2, undefined],
    ['INVALID_ARGUMENT', 3, undefined],
    ['DEADLINE_EXCEEDED', 4, 0],
    ['NOT_FOUND', 5, undefined],
    ['ALREADY_EXISTS', 6, undefined],
    ['PERMISSION_DENIED', 7, undefined],
    ['RESOURCE_EXHAUSTED, which says nothing of when', 8, undefined],
    ['FAILED_PRECONDITION', 9, undefined],
    ['ABORTED', 10, 0],
    ['OUT_OF_RANGE', 11, 0],
    ['UNIMPLEMENTED', 12, undefined],
    ['INTERNAL', 13, undefined],
    ['UNAVAILABLE', 14, 0],
    ['DATA_LOSS', 15, 0],
    ['UNAUTHENTICATED', 16, undefined],
  ])('%s', (_, code, expected) => {
    expect(retryDelayMs(failure(code))).toBe(expected)
  })

  test('an error that is none of gRPC', () => {
    expect(retryDelayMs(new Error('Concurrent export limit reached'))).toBeUndefined()
    expect(retryDelayMs(Object.assign(new Error('no header'), { code: 14 }))).toBe(0)
  })
})

describe('RetryInfo', () => {
  test.each([
    ['RESOURCE_EXHAUSTED', 8, 2500],
    ['UNAVAILABLE', 14, 2500],
    ['INVALID_ARGUMENT', 3, undefined],
  ])('of %s', (_, code, expected) => {
    expect(retryDelayMs(failure(code, RETRY_INFO))).toBe(expected)
  })

  test.each([
    ['of no time', detail('RetryInfo', []), 0],
    ['cut short', RETRY_INFO.slice(0, 20), undefined],
    ['that is no protobuf', [0xff, 0xff, 0xff], undefined],
    ['missing among others', detail('DebugInfo', field(2, [1])), undefined],
  ])('%s', (_, status, expected) => {
    expect(retryDelayMs(failure(8, status))).toBe(expected)
  })
})
