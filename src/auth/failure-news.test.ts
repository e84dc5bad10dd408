import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { FailureNews, type FailureNote } from './failure-news.ts'

test('few failures are told at once, many are gathered, and none of those is lost', async () => {
  const told: (readonly FailureNote[])[] = []
  const news = new FailureNews((notes) => told.push(notes.map((note) => ({ ...note }))))
  for (let i = 0; i < 500; i++) news.add('192.0.2.1', i % 2 === 0 ? 'alice' : 'bob')
  expect(told).toHaveLength(20)
  await expect.poll(() => told.length).toBe(21)
  expect(told.at(-1)).toEqual([
    { address: '192.0.2.1', accessKey: 'alice', times: 240 },
    { address: '192.0.2.1', accessKey: 'bob', times: 240 },
  ])
  await sleep(0)
  news.add('192.0.2.1', 'alice')
  expect(told).toHaveLength(22)
})
