import { expect, test } from 'vitest'
import { oneProcess } from './one-process.ts'
import { MAX_OPEN } from './workers.ts'

const faults: unknown[] = []
const workers = oneProcess((question, error) => faults.push([question, error]))
workers.answer('double', (value) => Number(value) * 2)
workers.answer('never', () => new Promise(() => undefined))
workers.answer('throws', () => {
  throw new Error('no')
})
workers.answer('large', (bytes) => Buffer.alloc(Number(bytes)))
workers.answer('copy', (value) => value)

test('one process asks itself', async () => {
  expect(await workers.ask('double', 21)).toEqual({
    answers: [{ worker: 1, value: 42 }],
    silent: [],
  })
})

test('there are no others', async () => {
  expect(await workers.ask('double', 21, { others: true })).toEqual({ answers: [], silent: [] })
})

test('an answer is a copy', async () => {
  const value = { list: [1, 2], map: new Map([['a', new Float64Array([1.5])]]) }
  const { answers } = await workers.ask('copy', value)
  expect(answers[0]?.value).toEqual(value)
  expect(answers[0]?.value).not.toBe(value)
})

test('silence has a reason', async () => {
  const reason = async (question: string, argument?: unknown, bounds = {}): Promise<unknown> =>
    (await workers.ask(question, argument, bounds)).silent[0]?.reason
  expect(await reason('never', 0, { timeoutMs: 5 })).toBe('late')
  expect(await reason('throws')).toBe('failed')
  expect(faults).toEqual([['throws', new Error('no')]])
  expect(await reason('nobody knows')).toBe('gone')
  expect(await reason('large', 2000, { maxBytes: 1000 })).toBe('too large')
  expect(await reason('large', 5 * 1024 * 1024)).toBe('too large')
})

test('questions that nobody answers do not pile up', async () => {
  const waiting = Array.from({ length: MAX_OPEN }, () => workers.ask('never', 0, { timeoutMs: 50 }))
  const { silent } = await workers.ask('never')
  expect(silent).toEqual([{ worker: 1, reason: 'busy' }])
  await Promise.all(waiting)
})

test('a question has one answerer', () => {
  expect(() => workers.answer('double', () => 0)).toThrow('has an answerer already')
})
