import { describe, expect, test, vi } from 'vitest'
import { isVersionName } from './layout.ts'
import { compareVersions, newVersionId, nullVersionTime } from './version-id.ts'

const T = Date.UTC(2026, 10, 21, 12)
const at = (ms: number, digits = 'ZZZZZZZZZZZZZZZZ') => {
  vi.setSystemTime(ms)
  return newVersionId(undefined).slice(0, 10) + digits
}

describe('a new version id', () => {
  test('contract 2.5: is a ULID, which begins with the time in milliseconds', () => {
    vi.useFakeTimers({ now: 1_469_918_176_385 })
    // The example of the ULID specification.
    expect(newVersionId(undefined)).toMatch(/^01ARYZ6S41[0-9A-HJKMNP-TV-Z]{16}$/)
    expect(isVersionName(newVersionId(undefined))).toBe(true)
    vi.useRealTimers()
  })

  test('sorts behind the version it takes the place of, also one from a clock that is ahead', () => {
    vi.useFakeTimers({ now: T })
    for (const before of [at(T - 1), at(T), at(T + 60_000), at(T + 5, 'ZZZZZZZZZZZZZZZA')]) {
      vi.setSystemTime(T)
      const id = newVersionId({ id: before, mtimeMs: 0 })
      expect([before, id > before, isVersionName(id)]).toEqual([before, true, true])
    }
    vi.useRealTimers()
  })

  test('is a new one where there is none behind', () => {
    const last = '7ZZZZZZZZZZZZZZZZZZZZZZZZZ'
    for (const id of [last, 'written by hand'])
      expect(isVersionName(newVersionId({ id, mtimeMs: 0 }))).toBe(true)
  })
})

describe('contract 9.2, 4: the newest version is told by ULID and time, not by name', () => {
  const newest = (versions: readonly { id: string; mtimeMs: number }[]) =>
    versions.toSorted(compareVersions).map(({ id }) => id)

  test('null stands where its time puts it', () => {
    vi.useFakeTimers({ now: T })
    const [old, young] = [at(T), at(T + 1000)]
    const ids = (nullMs: number) =>
      newest([
        { id: 'null', mtimeMs: nullMs },
        { id: old, mtimeMs: 0 },
        { id: young, mtimeMs: 0 },
      ])
    expect(ids(T - 1)).toEqual([young, old, 'null'])
    expect(ids(T + 0.9)).toEqual([young, old, 'null'])
    expect(ids(T + 1)).toEqual([young, 'null', old])
    expect(ids(T + 1001)).toEqual(['null', young, old])
    vi.useRealTimers()
  })

  test('a null version made at once is behind the one before it and before the one behind it', () => {
    vi.useFakeTimers({ now: T })
    const first = newVersionId(undefined)
    const { mtimeSec, mtimeNsec } = nullVersionTime({ id: first, mtimeMs: T })
    const nullVersion = { id: 'null', mtimeMs: mtimeSec * 1000 + mtimeNsec / 1e6 }
    const last = newVersionId(nullVersion)
    expect(newest([{ id: first, mtimeMs: 0 }, nullVersion, { id: last, mtimeMs: 0 }])).toEqual([
      last,
      'null',
      first,
    ])
    vi.useRealTimers()
  })
})
