import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Delegate, ExportResult } from './reconnecting-delegate.ts'
import { RetryingDelegate } from './retrying-delegate.ts'

const BATCH = { bytes: new Uint8Array(), spans: 7 }
const UNAVAILABLE = { code: 1, error: Object.assign(new Error('refused'), { code: 14 }) }
const INVALID = { code: 1, error: Object.assign(new Error('no'), { code: 3 }) }
const SUCCESS = { code: 0 }
const LIMIT_MS = 10_000

/** What each attempt ends with; the last of them also later ones. */
let results: ExportResult[]
let attemptsMs: number[]
let isShutDown: boolean
let retried: number

const inner: Delegate = {
  export(_batch, callback) {
    callback(results[Math.min(attemptsMs.push(performance.now()), results.length) - 1] ?? SUCCESS)
  },
  shutdown() {
    isShutDown = true
    return Promise.resolve()
  },
}

let delegate: RetryingDelegate

beforeEach(() => {
  attemptsMs = []
  isShutDown = false
  retried = 0
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] })
  delegate = new RetryingDelegate(inner, LIMIT_MS, (_error, spans) => (retried += spans))
})
afterEach(() => vi.useRealTimers())

const exported = (): Promise<ExportResult> =>
  new Promise((resolve) => delegate.export(BATCH, resolve))

/** Times between attempts. */
const waits = (): number[] =>
  attemptsMs.slice(1).map((atMs, index) => atMs - (attemptsMs[index] ?? 0))

test('what may get through the next time is sent again, at growing intervals', async () => {
  results = [UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, SUCCESS]
  const result = exported()
  await vi.advanceTimersByTimeAsync(LIMIT_MS)
  expect(await result).toBe(SUCCESS)
  for (const [index, expectedMs] of [1000, 1500, 2250].entries()) {
    expect(waits()[index]).toBeGreaterThan(expectedMs * 0.79)
    expect(waits()[index]).toBeLessThan(expectedMs * 1.21)
  }
  expect(waits()).toHaveLength(3)
  expect(retried).toBe(3 * BATCH.spans)
})

test('the limit ends it', async () => {
  results = [UNAVAILABLE]
  const result = exported()
  await vi.advanceTimersByTimeAsync(LIMIT_MS)
  expect(await result).toBe(UNAVAILABLE)
  expect(attemptsMs.length).toBeGreaterThan(3)
  expect(attemptsMs.length).toBeLessThan(7)
})

test('what the receiver refuses is not sent again', async () => {
  results = [INVALID, SUCCESS]
  expect(await exported()).toBe(INVALID)
  expect([attemptsMs.length, retried]).toEqual([1, 0])
})

/** RESOURCE_EXHAUSTED with RetryInfo. */
function throttled(seconds: number): ExportResult {
  const type = Buffer.from('type.googleapis.com/google.rpc.RetryInfo')
  const any = [0x0a, type.length, ...type, 0x12, 4, 0x0a, 2, 0x08, seconds]
  const metadata = { get: () => [Buffer.from([0x1a, any.length, ...any])] }
  return { code: 1, error: Object.assign(new Error('slower'), { code: 8, metadata }) }
}

test('a receiver that says when is asked then', async () => {
  results = [throttled(6), SUCCESS]
  const result = exported()
  await vi.advanceTimersByTimeAsync(5999)
  expect(attemptsMs).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(await result).toBe(SUCCESS)
})

test('one that says never or too late is not asked again', async () => {
  results = [throttled(11), SUCCESS]
  expect(await exported()).toBe(results[0])
})

test('one that says at once is asked no sooner than any other', async () => {
  results = [throttled(0), SUCCESS]
  const result = exported()
  await vi.advanceTimersByTimeAsync(LIMIT_MS)
  expect(await result).toBe(SUCCESS)
  expect(waits()[0]).toBeGreaterThan(790)
})

test('the end comes after what waits for another attempt', async () => {
  results = [UNAVAILABLE, SUCCESS]
  const result = exported()
  const ended = delegate.shutdown()
  await vi.advanceTimersByTimeAsync(500)
  expect(isShutDown).toBe(false)
  await vi.advanceTimersByTimeAsync(LIMIT_MS)
  await ended
  expect(await result).toBe(SUCCESS)
  expect(isShutDown).toBe(true)
})

test('what the package refuses to send ends as a failure', async () => {
  const error = new Error('refused')
  const refusing = {
    ...inner,
    export: () => {
      throw error
    },
  }
  delegate = new RetryingDelegate(refusing, LIMIT_MS, () => {})
  expect(await exported()).toEqual({ code: 1, error })
})
