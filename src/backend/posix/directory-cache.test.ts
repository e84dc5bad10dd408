import { expect, test } from 'vitest'
import type { DirEntries, FileStat } from '../../io/io.ts'
import { DirectoryCache } from './directory-cache.ts'

const NOW = 1_700_000_000_000

function statOf(changes: Partial<FileStat> = {}): FileStat {
  return {
    mode: 0o040755,
    size: 0,
    mtimeMs: NOW - 1000,
    mtimeSec: (NOW - 1000) / 1000,
    mtimeNsec: 0,
    ctimeSec: (NOW - 1000) / 1000,
    ctimeNsec: 0,
    ino: 7,
    dev: 1,
    nlink: 2,
    uid: 0,
    gid: 0,
    ...changes,
  }
}

function entriesOf(bytes: number): DirEntries {
  const offsets = new Uint32Array([0, bytes - 9])
  return { count: 1, names: Buffer.alloc(bytes - 9), offsets, types: new Uint8Array([8]) }
}

test('entries are given back for the very state they were read in, and no other', () => {
  const states = [
    { mtimeNsec: 1 },
    { mtimeSec: 1 },
    { ctimeNsec: 1 },
    { ctimeSec: 1 },
    { ino: 8 },
    { dev: 2 },
  ]
  for (const state of states) {
    const cache = new DirectoryCache(1000)
    const entries = entriesOf(100)
    cache.put('d', { stat: statOf(), entries }, NOW)
    expect(cache.get('d', statOf())).toBe(entries)
    expect(cache.get('d', statOf(state))).toBeUndefined()
    expect(cache.has('d')).toBe(false)
  }
})

test('a directory that changed just before it was read, or in the future, is not remembered', () => {
  for (const ms of [0, 10, 19, -5000]) {
    const at = NOW - ms
    const cache = new DirectoryCache(1000)
    cache.put('m', { stat: statOf({ mtimeMs: at }), entries: entriesOf(100) }, NOW)
    const ctime = { ctimeSec: Math.floor(at / 1000), ctimeNsec: (at % 1000) * 1e6 }
    cache.put('c', { stat: statOf(ctime), entries: entriesOf(100) }, NOW)
    expect([cache.has('m'), cache.has('c')]).toEqual([false, false])
  }
})

test('the least recently used go when there is no room', () => {
  const cache = new DirectoryCache(300)
  for (const name of ['a', 'b', 'c'])
    cache.put(name, { stat: statOf(), entries: entriesOf(100) }, NOW)
  cache.get('a', statOf())
  cache.put('d', { stat: statOf(), entries: entriesOf(100) }, NOW)
  expect(['a', 'b', 'c', 'd'].filter((name) => cache.has(name))).toEqual(['a', 'c', 'd'])
  cache.put('huge', { stat: statOf(), entries: entriesOf(301) }, NOW)
  expect(cache.has('huge')).toBe(false)
  cache.put('e', { stat: statOf(), entries: entriesOf(300) }, NOW)
  expect(['a', 'c', 'd', 'e'].filter((name) => cache.has(name))).toEqual(['e'])
})
