import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ExportLog } from './export-log.ts'

const TLS = { url: 'https://localhost:4317', tls: true }
const PLAIN = { url: 'http://localhost:4317', tls: false }

let lines: string[]
const log = (level: string, message: string): void => void lines.push(`${level} ${message}`)

beforeEach(() => {
  lines = []
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => vi.useRealTimers())

describe('trouble with the receiver', () => {
  test('is one line a minute, with all that was lost, and one when it is over', () => {
    const exportLog = new ExportLog(log, PLAIN)
    for (let i = 0; i < 100; i++) exportLog.queueFull(10)
    vi.advanceTimersByTime(61_000)
    exportLog.queueFull(10)
    exportLog.succeeded()
    exportLog.succeeded()
    expect(lines).toEqual([
      'warn traces are not leaving for http://localhost:4317: the queue is full: the receiver does not keep up; 10 spans lost so far',
      'warn traces are not leaving for http://localhost:4317: the queue is full: the receiver does not keep up; 1010 spans lost so far',
      'info traces are leaving again (http://localhost:4317); 1010 spans were lost',
    ])
  })

  test('that comes and goes is not a line each time', () => {
    const exportLog = new ExportLog(log, PLAIN)
    for (let i = 0; i < 100; i++) {
      exportLog.queueFull(1)
      exportLog.succeeded()
    }
    expect(lines).toHaveLength(2)
  })

  test('that may pass is a line before anything is lost', () => {
    const exportLog = new ExportLog(log, PLAIN)
    for (let i = 0; i < 10; i++) exportLog.retrying(new Error('14 UNAVAILABLE'), 3)
    exportLog.succeeded()
    expect(lines.filter((line) => !line.startsWith('debug'))).toEqual([
      'warn traces are not leaving for http://localhost:4317: 14 UNAVAILABLE; 0 spans lost so far',
      'info traces are leaving again (http://localhost:4317); 0 spans were lost',
    ])
  })

  test('is what a full queue is put down to, while it lasts', () => {
    const exportLog = new ExportLog(log, PLAIN)
    exportLog.retrying(new Error('14 UNAVAILABLE'), 3)
    vi.advanceTimersByTime(61_000)
    exportLog.queueFull(1)
    exportLog.succeeded()
    vi.advanceTimersByTime(61_000)
    exportLog.queueFull(1)
    const warnings = lines.filter((line) => line.startsWith('warn'))
    expect(warnings.slice(1)).toEqual([
      'warn traces are not leaving for http://localhost:4317: 14 UNAVAILABLE; 1 spans lost so far',
      'warn traces are not leaving for http://localhost:4317: the queue is full: the receiver does not keep up; 1 spans lost so far',
    ])
  })

  test('of a receiver that takes exports but not all of their spans is one line a minute', () => {
    const exportLog = new ExportLog(log, PLAIN)
    for (let i = 0; i < 100; i++) {
      exportLog.rejected(2)
      exportLog.succeeded()
    }
    vi.advanceTimersByTime(61_000)
    exportLog.rejected(1)
    expect(lines).toEqual([
      'warn the receiver at http://localhost:4317 rejected spans: 2 so far',
      'warn the receiver at http://localhost:4317 rejected spans: 201 so far',
    ])
  })

  test('is a debug line for each export', () => {
    const exportLog = new ExportLog(log, PLAIN)
    exportLog.failed(new Error('14 UNAVAILABLE'), 3)
    exportLog.failed(new Error('14 UNAVAILABLE'), 4)
    expect(lines.filter((line) => line.startsWith('debug'))).toEqual([
      'debug export of 3 spans to http://localhost:4317 failed: 14 UNAVAILABLE',
      'debug export of 4 spans to http://localhost:4317 failed: 14 UNAVAILABLE',
    ])
  })
})

describe('the hint "add --otel-insecure"', () => {
  test.each<[string, typeof TLS, string, boolean]>([
    [
      'wrong version number',
      TLS,
      '14 UNAVAILABLE: SSL routines:ssl3_get_record:wrong version number',
      true,
    ],
    ['no answer at all', TLS, '4 DEADLINE_EXCEEDED', true],
    ['a closed connection', TLS, 'read ECONNRESET', true],
    ['nobody listens', TLS, 'connect ECONNREFUSED 127.0.0.1:4317', false],
    ['no such host', TLS, 'getaddrinfo ENOTFOUND collector', false],
    ['a certificate nobody signed', TLS, 'self-signed certificate', false],
    ['without TLS', PLAIN, 'read ECONNRESET', false],
  ])('%s', (_, endpoint, message, expected) => {
    new ExportLog(log, endpoint).failed(new Error(message), 1)
    expect(lines.some((line) => line.includes('add --otel-insecure'))).toBe(expected)
  })

  test('is not given where TLS has worked before', () => {
    const exportLog = new ExportLog(log, TLS)
    exportLog.succeeded()
    exportLog.failed(new Error('read ECONNRESET'), 1)
    expect(lines.some((line) => line.includes('add --otel-insecure'))).toBe(false)
  })
})
