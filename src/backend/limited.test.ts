import { expect, test } from 'vitest'
import type { Backend } from './backend.ts'
import { limitCalls } from './limited.ts'

test('contract 1.3, --concurrency: more calls than that wait, in their order, also behind one that fails', async () => {
  const started: number[] = []
  const ends: (() => void)[] = []
  const backend = {
    type: 'posix',
    headBucket: (name: string) =>
      new Promise<void>((resolve, reject) => {
        started.push(Number(name))
        ends.push(() => (name === '1' ? reject(new Error('1')) : resolve()))
      }),
    close: () => Promise.resolve(),
  } as unknown as Backend
  const limited = limitCalls(backend, 2)
  expect(limited.type).toBe('posix')
  const call = {} as Parameters<Backend['headBucket']>[1]
  const calls = [0, 1, 2, 3].map((n) => limited.headBucket(String(n), call))
  const settled = Promise.allSettled(calls)
  const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  await tick()
  expect(started).toEqual([0, 1])
  await limited.close()
  ends[1]?.()
  await tick()
  expect(started).toEqual([0, 1, 2])
  for (const end of [0, 2]) ends[end]?.()
  await tick()
  expect(started).toEqual([0, 1, 2, 3])
  ends[3]?.()
  expect((await settled).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ])
})
