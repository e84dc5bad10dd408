import { once } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { passWholeLines } from './whole-lines.ts'

function collector(): { out: Writable; text: () => string } {
  const pieces: Buffer[] = []
  const out = new Writable({
    write(piece: Buffer, _, done) {
      pieces.push(piece)
      done()
    },
  })
  return { out, text: () => Buffer.concat(pieces).toString() }
}

test('lines of two writers stay whole, however their pieces come in', async () => {
  const [a, b] = [new PassThrough(), new PassThrough()]
  const { out, text } = collector()
  passWholeLines(a, out)
  passWholeLines(b, out)
  const [longA, longB] = ['a'.repeat(9000), 'b'.repeat(9000)]
  for (let i = 0; i < 9000; i += 1000) {
    a.write(longA.slice(i, i + 1000))
    b.write(longB.slice(i, i + 1000))
  }
  a.write('\na2\na3')
  b.write('\n')
  a.end('\n')
  b.end('cut off')
  await Promise.all([once(a, 'close'), once(b, 'close')])
  const lines = text().split('\n')
  expect(lines.toSorted()).toEqual(['', 'a2', 'a3', longA, longB, 'cut off'].toSorted())
})

test('a line without end is not kept forever', async () => {
  const from = new PassThrough()
  const { out, text } = collector()
  passWholeLines(from, out)
  for (let i = 0; i < 3; i++) {
    from.write(Buffer.alloc(500_000, 'x'))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(text().length).toBeGreaterThan(1_000_000)
})

test('what nobody takes is left where it is, until somebody does', async () => {
  const from = new PassThrough()
  const taken: Buffer[] = []
  let release = (): void => {}
  const out = new Writable({
    highWaterMark: 1000,
    write(piece: Buffer, _, done) {
      taken.push(piece)
      release = done
    },
  })
  passWholeLines(from, out)
  for (let i = 0; i < 100; i++) from.write(`${'x'.repeat(999)}\n`)
  await new Promise((resolve) => setImmediate(resolve))
  expect(from.isPaused()).toBe(true)
  expect(out.writableLength).toBeLessThan(5000)
  from.end()
  while (!from.readableEnded) {
    release()
    await new Promise((resolve) => setImmediate(resolve))
  }
  while (out.writableLength > 0) {
    release()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(Buffer.concat(taken).length).toBe(100_000)
})
