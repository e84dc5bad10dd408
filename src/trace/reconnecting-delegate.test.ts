import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ReconnectingDelegate, type Delegate, type ExportResult } from './reconnecting-delegate.ts'

const BATCH = { bytes: new Uint8Array(), spans: 1 }
const UNAVAILABLE = { code: 1, error: Object.assign(new Error('refused'), { code: 14 }) }
const INVALID = { code: 1, error: Object.assign(new Error('no'), { code: 3 }) }

let result: ExportResult
let made: number
let ended: number

function create(): Delegate {
  made++
  return {
    export: (_batch, callback) => callback(result),
    shutdown() {
      ended++
      return Promise.resolve()
    },
  }
}

beforeEach(() => {
  made = 0
  ended = 0
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => vi.useRealTimers())

/** An export a second. */
function exportFor(seconds: number, delegate: Delegate): number[] {
  return Array.from({ length: seconds }, () => {
    vi.advanceTimersByTime(1000)
    let code = -1
    delegate.export(BATCH, (answer) => (code = answer.code))
    return code
  })
}

test('a receiver that cannot be reached is tried by a new client every ten seconds', () => {
  result = UNAVAILABLE
  const delegate = new ReconnectingDelegate(create)
  expect(exportFor(35, delegate)).toEqual(Array.from({ length: 35 }, () => 1))
  expect([made, ended]).toEqual([4, 3])
  result = { code: 0 }
  exportFor(60, delegate)
  expect([made, ended]).toEqual([4, 3])
})

test('one that answers, whatever it says, keeps its connection', () => {
  result = INVALID
  exportFor(60, new ReconnectingDelegate(create))
  expect([made, ended]).toEqual([1, 0])
})
