import { describe, expect, test } from 'vitest'
import type { DirEntries } from '../../../io/io.ts'
import { orderVersions } from './order-versions.ts'

/** The id of a version made this many milliseconds after the epoch. */
const at = (ms: number, rest = 0): string =>
  ms
    .toString(32)
    .toUpperCase()
    .padStart(10, '0')
    .replaceAll(/[G-V]/g, (digit) => {
      return 'GHJKMNPQRSTVWXYZ'['GHIJKLMNOPQRSTUV'.indexOf(digit)] ?? ''
    }) + String(rest).padStart(16, '0')

function directory(...names: string[]): DirEntries {
  const sorted = names.toSorted()
  let end = 0
  return {
    count: sorted.length,
    names: Buffer.from(sorted.join('')),
    offsets: Uint32Array.from([0, ...sorted.map((name) => (end += name.length))]),
    types: new Uint8Array(sorted.length).fill(8),
  }
}

const found = (
  current: readonly [id: string, mtimeMs: number] | undefined,
  superseded: readonly string[] | undefined,
  nullMadeAtMs?: number,
) => ({
  current: current && { id: current[0], mtimeMs: current[1] },
  superseded: superseded && directory(...superseded),
  nullMadeAtMs,
})

describe('versions of a key, the newest first', () => {
  test.each([
    ['never versioned', found(['null', 5], undefined), ['null']],
    [
      'superseded ones by their ids',
      found([at(9), 0], [at(3), at(7), at(5)]),
      [at(9), at(7), at(5), at(3)],
    ],
    [
      'contract 9.2, 4: null by its time',
      found([at(9), 0], [at(3), at(7), 'null'], 5),
      [at(9), at(7), 'null', at(3)],
    ],
    [
      'of one millisecond null is the oldest',
      found([at(9), 0], [at(5), 'null'], 5),
      [at(9), at(5), 'null'],
    ],
    [
      'the current one, whatever its time',
      found(['null', 1], [at(7), at(3)]),
      ['null', at(7), at(3)],
    ],
    ['one that is about to be superseded, once', found([at(9), 0], [at(9), at(3)]), [at(9), at(3)]],
    ['no current one', found(undefined, [at(3), at(7)]), [at(7), at(3)]],
    ['what is no version’s name', found([at(9), 0], ['.sgwtmp', 'x', at(3)]), [at(9), at(3)]],
  ])('%s', (_, versions, ids) => {
    expect(orderVersions(versions, 10)).toEqual(ids)
    for (let limit = 1; limit < ids.length; limit++)
      expect(orderVersions(versions, limit)).toEqual(ids.slice(0, limit))
    // Each page goes on where the one before ended.
    for (const [i, id] of ids.entries())
      expect(orderVersions(versions, 10, id)).toEqual(ids.slice(i + 1))
  })

  test('goes on behind a version that is gone by now', () => {
    const versions = found([at(9), 0], [at(3), at(7), 'null'], 5)
    expect(orderVersions(versions, 10, at(8))).toEqual([at(7), 'null', at(3)])
    expect(orderVersions(versions, 10, at(5, 1))).toEqual(['null', at(3)])
    expect(orderVersions(versions, 10, at(4))).toEqual([at(3)])
    expect(orderVersions(versions, 10, at(1))).toEqual([])
    // It was the current one, and an older one has its place.
    expect(orderVersions(versions, 10, at(11))).toEqual([at(9), at(7), 'null', at(3)])
    // When it was made is not known any more.
    expect(orderVersions(found([at(9), 0], [at(3)]), 10, 'null')).toEqual([])
  })
})
