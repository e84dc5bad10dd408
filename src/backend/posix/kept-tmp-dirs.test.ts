import { afterEach, expect, test, vi } from 'vitest'
import { KeptTmpDirs } from './kept-tmp-dirs.ts'

let closed: number[] = []
const open = (idleMs?: number): KeptTmpDirs => {
  closed = []
  return new KeptTmpDirs((fd) => void closed.push(fd), idleMs)
}
let dirs: KeptTmpDirs
afterEach(() => dirs.close())

test('is lent to many, and closed when the last has given it back', () => {
  dirs = open()
  dirs.keep('b', 3)
  const [first, second] = [dirs.borrow('b'), dirs.borrow('b')]
  expect([first?.fd, second?.fd]).toEqual([3, 3])
  dirs.forget('b')
  expect(dirs.borrow('b')).toBeUndefined()
  if (first !== undefined) dirs.giveBack(first)
  expect(closed).toEqual([])
  if (second !== undefined) dirs.giveBack(second)
  expect(closed).toEqual([3])
})

test('two requests that opened it at once leave one', () => {
  dirs = open()
  dirs.keep('b', 3)
  dirs.keep('b', 4)
  expect(closed).toEqual([4])
  expect(dirs.borrow('b')?.fd).toBe(3)
})

test('what one request found gone is forgotten once, not what another has opened since', () => {
  dirs = open()
  dirs.keep('b', 3)
  const old = dirs.borrow('b')
  dirs.forget('b', old)
  dirs.keep('b', 4)
  dirs.forget('b', old)
  expect(dirs.borrow('b')?.fd).toBe(4)
})

test('are not more than 64', () => {
  dirs = open()
  for (let fd = 0; fd < 70; fd++) dirs.keep(`b${fd}`, fd)
  expect(closed).toEqual([0, 1, 2, 3, 4, 5])
})

test('are closed when nobody has used them for a while, never while one is used', async () => {
  dirs = open(10)
  dirs.keep('idle', 3)
  dirs.keep('used', 4)
  const used = dirs.borrow('used')
  await vi.waitFor(() => expect(closed).toEqual([3]))
  expect(dirs.borrow('idle')).toBeUndefined()
  if (used !== undefined) dirs.giveBack(used)
  await vi.waitFor(() => expect(closed).toEqual([3, 4]))
})

test('none is kept once it is closed', () => {
  dirs = open()
  dirs.keep('b', 3)
  dirs.close()
  dirs.keep('b', 4)
  expect(closed).toEqual([3, 4])
  expect(dirs.borrow('b')).toBeUndefined()
})
