import { describe, expect, test } from 'vitest'
import { nowNs } from './clock.ts'
import { Recorder } from './recorder.ts'
import { addSyscallSpans, settle } from './settle.ts'

test('a record takes a hundred thousand spans, and counts what it did not take', () => {
  const recorder = new Recorder(true, undefined)
  const parent = recorder.root.child('Posix.IO.AssembleParts')
  for (let i = 0; i < 100_100; i++) {
    parent.child('Posix.IO.CopyPart').end()
    parent.addEvent('part_assembled', { current_part: i })
  }
  expect([recorder.spans.length, recorder.lostSpans]).toEqual([100_000, 102])
  expect([parent.events?.length, parent.lost?.events]).toEqual([20_000, 80_100])
  recorder.decide('dropped')
})

test('all records together have a bound, which what is over gives back; no span loses its parent', () => {
  const open = Array.from({ length: 8 }, () => {
    const recorder = new Recorder(true, undefined)
    for (let i = 0; i < 90_000; i++) recorder.root.child('Posix.IO.OpenFile')
    return recorder
  })
  const taken = open.reduce((sum, { spans }) => sum + spans.length - 1, 0)
  expect(taken).toBeLessThanOrEqual(508_000)
  expect(taken).toBeGreaterThan(500_000)
  const full = new Recorder(true, undefined)
  for (let i = 0; i < 999; i++) full.root.child('Posix.IO.OpenFile')
  const lost = full.root.child('Posix.IO.AssembleParts')
  for (const recorder of open) recorder.decide('dropped')
  lost.child('Posix.IO.CopyPart')
  expect([full.spans.length, full.lostSpans]).toEqual([1000, 2])
  const later = new Recorder(true, undefined)
  for (let i = 0; i < 2000; i++) later.root.child('Posix.IO.OpenFile')
  expect([later.spans.length, later.lostSpans]).toEqual([2001, 0])
  for (const recorder of [full, later]) recorder.decide('dropped')
})

describe('a span', () => {
  test('has the later of two values of an attribute', () => {
    const { root } = new Recorder(true, undefined)
    const span = root.child('Backend.GetObject', { a: 1, b: 1 })
    span.set('b', 2)
    span.set('c', 2)
    span.set('c', 3)
    expect(span.attributes).toEqual({ a: 1, b: 2, c: 3 })
    expect([span.read('a'), span.read('b'), span.read('c'), span.read('d')]).toEqual([
      1,
      2,
      3,
      undefined,
    ])
  })

  test('keeps its id, unlike all others', () => {
    const { root } = new Recorder(true, undefined)
    const ids = Array.from({ length: 5000 }, () => root.child('x').spanId)
    expect(new Set(ids).size).toBe(5000)
    for (const id of ids) expect(id).toMatch(/^(?!0{16})[0-9a-f]{16}$/)
    expect(root.spanId).toBe(root.spanId)
    expect(root.spanId).toBe(
      Buffer.from(Int32Array.of(root.idHigh, root.idLow).buffer).swap32().toString('hex'),
    )
  })

  test('ends once', () => {
    const { root } = new Recorder(true, undefined)
    root.end(5)
    root.end(6)
    expect(root.endNs).toBe(5)
  })
})

describe('a recorder', () => {
  test('that does not record has ids and forgets the rest', () => {
    const recorder = new Recorder(false, undefined)
    const child = recorder.root.child('x', { a: 1 })
    child.set('b', 1)
    child.addEvent('e', {})
    child.end()
    expect(recorder.traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(recorder.root.spanId).toMatch(/^[0-9a-f]{16}$/)
    expect([recorder.spans.length, child.events, child.read('b')]).toEqual([
      1,
      undefined,
      undefined,
    ])
  })

  test('continues the trace of its caller', () => {
    const recorder = new Recorder(true, {
      traceId: 'a'.repeat(32),
      spanId: 'b'.repeat(16),
      sampled: true,
      traceState: undefined,
    })
    expect(recorder.traceId).toBe('a'.repeat(32))
    expect(recorder.root.spanId).not.toBe('b'.repeat(16))
  })
})

describe('a settled record', () => {
  test('has every child inside its parent', () => {
    const recorder = new Recorder(true, undefined, 1000)
    const { root } = recorder
    const early = root.child('early', {}, 900)
    early.end(1100)
    const tooLong = root.child('long', {}, 1200)
    const grandchild = tooLong.child('grandchild', {}, 1300)
    grandchild.end(9000)
    tooLong.end(8000)
    const open = root.child('open', {}, 1400)
    const after = root.child('after', {}, 7000)
    after.end(7100)
    root.end(2000)
    settle(recorder)
    const times = recorder.spans.map(({ name, startNs, endNs }) => [name, startNs, endNs])
    expect(times).toEqual([
      ['S3.Unknown', 1000, 2000],
      ['early', 1000, 1100],
      ['long', 1200, 2000],
      ['grandchild', 1300, 2000],
      ['open', 1400, 2000],
      ['after', 2000, 2000],
    ])
    expect(open.endNs).toBe(2000)
  })

  test('gets system calls as spans below those that made them', () => {
    const start = nowNs()
    const recorder = new Recorder(true, undefined, start)
    const write = recorder.root.child('Posix.IO.WriteData', {}, start)
    write.syscalls = Float64Array.of(1)
    write.end(start + 1000)
    recorder.root.end(start + 2000)
    settle(recorder)
    addSyscallSpans(recorder, () => [
      {
        name: 'pwrite',
        startNs: start + 100,
        endNs: start + 600,
        fd: 3,
        offset: 0,
        bytes: 4096,
        errno: 0,
      },
      { name: 'fsync', startNs: start + 700, endNs: start + 5000, fd: 3, errno: 5 },
    ])
    const [, , pwrite, fsync] = recorder.spans
    expect(pwrite?.name).toBe('Posix.Syscall.pwrite')
    expect(pwrite?.parent).toBe(write)
    expect(pwrite?.attributes).toEqual({
      'posix.fd': 3,
      'posix.offset': 0,
      'posix.bytes': 4096,
      'posix.errno': 0,
      'posix.duration_us': 0.5,
    })
    expect(fsync?.endNs).toBe(write.endNs)
    expect(fsync?.attributes).toEqual({ 'posix.fd': 3, 'posix.errno': 5, 'posix.duration_us': 4.3 })
  })
})
